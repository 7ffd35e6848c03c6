"""The tuner's search, as it runs in a process of its own."""
