"""The venue's other side, for tests and the demo."""
