"""Channels, supervision, drain, instruments: everything that runs actors and knows none of them."""
