"""Stores over plain dicts, with the rules of the real ones: for replay, simulation and tests."""
