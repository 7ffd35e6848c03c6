"""Adapters over Redis, for edges that leave the process. Imported only where one does: the client costs 17 MB."""
