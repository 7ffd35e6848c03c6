"""Judging a trade for a strategy and finding the stake. Paper and real money call the same functions (D25)."""
