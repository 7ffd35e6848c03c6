"""Splits trades by time: whatever a model learned from had ended when the first trade that it is measured on was made."""

import attrs
import numpy as np

from engine.training.table import Array, Table

VALID_SHARE = 0.3


@attrs.frozen(kw_only=True)
class Split:
    """Train and validation have no market in common."""

    train: Table
    valid: Table
    embargoed: int
    """Trades before the first of validation whose market ended at or after it: in neither part."""


def split_by_time(table: Table, *, valid_share: float = VALID_SHARE, in_place: bool = False) -> Split:
    """Returns the latest trades as validation; of those before, whose market had ended when the first of them was made.

    A market with a trade in validation ended after that trade, and so after the first one: it is not in train. `in_place`: the
    table is of no use afterwards, and its memory is that of both parts.
    """
    first = _first_of_valid(table.trade_ms, valid_share)
    if first >= len(table):
        return Split(train=table, valid=table[slice(0, 0)], embargoed=0)
    had_ended = table.ended_ms[:first] < table.trade_ms[first]
    rows = np.flatnonzero(had_ended)
    train = table.gathered(rows) if in_place else table.taken(rows)
    return Split(train=train, valid=table[slice(first, len(table))], embargoed=first - len(train))


def _first_of_valid(trade_ms: Array, valid_share: float) -> int:
    """All trades of one moment are in the same part."""
    at = int(len(trade_ms) * (1 - valid_share))
    return at if at >= len(trade_ms) else int(np.searchsorted(trade_ms, trade_ms[at], side="left"))
