"""Wire codecs of the venue: bytes to values and back, no I/O."""
