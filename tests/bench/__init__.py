"""Figures that the engine has to hold: `python -m tests.bench` measures them on loopback and prints one table.

Not a part of the test suite: nothing here fails because a machine is slow.
"""
