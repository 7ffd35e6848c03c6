"""What to commit instead of rows that the database will never take as they are."""

from collections.abc import Sequence

import attrs

from protocols.receipts import Receipt, decisions_of, refused, without_decisions
from protocols.trades import LanedTrade, without_description


@attrs.frozen(kw_only=True)
class Instead:
    """Batches to commit in order, each of which may be refused in its turn."""

    batches: tuple[Sequence[LanedTrade], ...] = ()
    given_up: str | None = None
    """What of a single trade the database will never take; None while that is not known yet, or little."""
    receipts: tuple[Receipt, ...] = ()
    """Of decisions given up, to be told after the commit: had the trade to be written again, they would be refused again."""


def instead_of(batch: Sequence[LanedTrade]) -> Instead:
    """Returns halves of a batch, or what may be taken of a single trade: it without decisions, without description, nothing."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return Instead(batches=(batch[:middle], batch[middle:]))
    [laned] = batch
    if decisions_of(laned):
        bare = without_decisions(laned)
        return Instead(batches=((bare,),), given_up="the decisions about this trade", receipts=refused((laned,)))
    bare = without_description(laned)
    # What describes a trade must not cost it.
    return Instead(given_up="this trade") if bare == laned else Instead(batches=((bare,),))
