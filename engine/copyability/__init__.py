"""Copyability of traders: their trades copied by the engine's own replay, against books that are made up from prices."""
