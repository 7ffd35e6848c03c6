"""What a page edge may have cut.

Equal fills of a transaction are counted within one response. Pages are ordered by time, so only rows of a page's last
second can belong to a transaction that goes on in the next page.
"""

from collections.abc import Sequence

import attrs

from protocols.errors import MalformedError
from protocols.timestamps import epoch_ms
from protocols.venue.data_api import PageRow


@attrs.frozen(kw_only=True)
class CutTransaction:
    """A transaction of which two pages have rows; it has to be read alone."""

    transaction_hash: str
    wallets: frozenset[str]
    trade_s: int


def trade_second(item: PageRow) -> int | None:
    """Returns the row's time in whole seconds, or None when it has none."""
    try:
        return epoch_ms(item.row.timestamp) // 1000
    except MalformedError:
        return None


def split_at_edge(rows: Sequence[PageRow]) -> tuple[list[PageRow], list[PageRow]]:
    """Returns the rows that no later page can touch, and those of the last second; rows without a time are among these."""
    seconds = [trade_second(item) for item in rows]
    edge_s = next((second for second in reversed(seconds) if second is not None), None)
    held = [second is None or second == edge_s for second in seconds]
    pairs = list(zip(rows, held, strict=True))
    return [item for item, is_held in pairs if not is_held], [item for item, is_held in pairs if is_held]


def cut_transactions(held: Sequence[PageRow], following: Sequence[PageRow]) -> list[CutTransaction]:
    """Returns the transactions with rows both among those held back and on the following page."""
    across = {item.row.transaction_hash for item in held} & {item.row.transaction_hash for item in following}
    rows_of: dict[str, list[PageRow]] = {transaction_hash: [] for transaction_hash in sorted(across)}
    for item in (*held, *following):
        if item.row.transaction_hash in across:
            rows_of[item.row.transaction_hash].append(item)
    cuts = []
    for transaction_hash, rows in rows_of.items():
        second = trade_second(rows[0])
        if second is not None:
            wallets = frozenset(item.row.proxy_wallet.lower() for item in rows)
            cuts.append(CutTransaction(transaction_hash=transaction_hash, wallets=wallets, trade_s=second))
    return cuts
