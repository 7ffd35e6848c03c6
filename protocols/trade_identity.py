"""The id of a fill.

No source carries one (venue.md §1.2). The id is a hash of transaction, wallet, token, side and micro-shares, and an ordinal
that tells identical fills of one transaction apart. Price, time and text are left out: sources disagree on them.
"""

import hashlib
import re

from protocols.amounts import size_micro
from protocols.errors import MalformedError
from protocols.trades import TradeRow

_HASH = re.compile("0x[0-9a-f]{8,64}")
_SIDES = frozenset({"BUY", "SELL"})


def fill_key(row: TradeRow, wallet: str) -> str:
    """Returns the 32 hex digits that every source computes for a fill; identical fills of one transaction share them.

    `wallet` is the row's wallet in lower case. Raises `MalformedError` with the field's name as reason:
    `not_a_trade` for a row without side or token, else the field: `transaction_hash`, `proxy_wallet`, `side`, `token`, `size`.
    """
    side = row.side.upper()
    if side not in _SIDES:
        raise MalformedError("side" if side else "not_a_trade", row.side[:20])
    if not row.asset:
        raise MalformedError("not_a_trade", "no token")
    if not (row.asset.isascii() and row.asset.isdigit() and len(row.asset) <= 78):
        raise MalformedError("token", row.asset[:40])
    transaction = row.transaction_hash.lower()
    if not _HASH.fullmatch(transaction):
        raise MalformedError("transaction_hash", row.transaction_hash[:40])
    if not wallet.isascii():
        raise MalformedError("proxy_wallet", wallet[:44])
    text = f"{transaction}|{wallet}|{row.asset}|{side}|{size_micro(row.size)}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def trade_id_of(key: str, ordinal: int) -> str:
    """Returns the trade id of the `ordinal`-th (from 0) identical fill of one transaction."""
    return f"{key}-{ordinal}"
