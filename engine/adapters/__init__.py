"""The I/O behind the ports: PostgreSQL, sockets, HTTP, files, clock."""
