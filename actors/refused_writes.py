"""Commits as much of refused rows as the database takes, for those who write trades."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from actors.rules.refused_rows import instead_of
from protocols.errors import RejectedError
from protocols.receipts import Receipt
from protocols.trades import LanedTrade

_log = logging.getLogger(__name__)


async def commit_instead(
    batch: Sequence[LanedTrade],
    error: RejectedError,
    commit: Callable[[Sequence[LanedTrade]], Awaitable[None]],
    decided: Callable[[Sequence[Receipt]], None],
) -> int:
    """Commits what can be kept of a batch that was refused, and returns how many rows that leaves out: one or none.

    `commit` is called again for a part of it and comes back here when that is refused too. Raises what `commit` raises.
    """
    instead = instead_of(batch)
    if instead.given_up is not None:
        fields = {"trade_id": batch[0].trade.trade_id, "error": str(error)}
        _log.error("the database will never take %s", instead.given_up, extra=fields)
    for part in instead.batches:
        await commit(part)
    if instead.receipts:
        decided(instead.receipts)
    return 0 if instead.batches else 1
