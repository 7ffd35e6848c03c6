"""The venue's exchange: accounts, admission, matching and settlement. Synchronous; time comes in as `now_ms`."""
