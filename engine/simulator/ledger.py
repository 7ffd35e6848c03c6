"""The venue's truth: every fill there was, indexed as its APIs need it.

The newest `fills_max` fills are kept. What the feeds lose, delay or garble is never lost here.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import attrs

from engine.simulator.market import Market
from engine.simulator.profiles import Profile
from engine.simulator.series import Series, key_at
from engine.simulator.wire_numbers import notional_micro


@attrs.frozen(kw_only=True, eq=False)
class Fill:
    """One wallet's side of one match."""

    sequence: int
    """Order of appearance, from 1."""
    block_s: int
    """Time of the block: what the Data API shows."""
    matched_ms: int
    """Time of the match: what RTDS shows in its envelope."""
    published_ms: int
    """The venue's own clock when it happened; `block_s` differs from it where a tape keeps its times."""
    transaction_hash: str
    wallet: str
    """Lower case."""
    is_taker: bool
    side: str
    market: Market
    token_id: str
    outcome_index: int
    shown_outcome_index: int
    size_micro: int
    price: Decimal
    fee: Decimal | None
    profile: Profile

    @property
    def key(self) -> int:
        """Sorts fills by time and then by appearance."""
        return key_at(self.block_s, self.sequence)

    @property
    def notional_micro(self) -> int:
        """Size times price in micro-USD."""
        return notional_micro(self.size_micro, self.price)


class Ledger:
    """Every fill, by time, by wallet and by market."""

    def __init__(self, fills_max: int = 200_000) -> None:
        self._fills_max = fills_max
        self._order: deque[Fill] = deque()
        self._all: Series[Fill] = Series()
        self._by_wallet: dict[str, Series[Fill]] = {}
        self._by_condition: dict[str, Series[Fill]] = {}
        self._sequence = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._order)

    @property
    def total(self) -> int:
        """Fills ever added."""
        return len(self._order) + self.evicted

    def next_sequence(self) -> int:
        """Returns the sequence of the next fill, or of what else happens among fills."""
        self._sequence += 1
        return self._sequence

    def add(self, fill: Fill) -> None:
        """Books a fill; the oldest one is forgotten when there are more than `fills_max`."""
        self._order.append(fill)
        self._all.add(fill)
        self._by_wallet.setdefault(fill.wallet, Series()).add(fill)
        self._by_condition.setdefault(fill.market.condition_id, Series()).add(fill)
        if len(self._order) > self._fills_max:
            self._evict(self._order.popleft())

    def wallets(self) -> Iterable[str]:
        """Returns the wallets that have fills."""
        return self._by_wallet.keys()

    def platform(self) -> Series[Fill]:
        """Returns all fills."""
        return self._all

    def of_wallet(self, wallet: str) -> Series[Fill]:
        """Returns the fills of a lower-case wallet."""
        return self._by_wallet.get(wallet) or Series()

    def of_condition(self, condition_id: str) -> Series[Fill]:
        """Returns the fills of a market."""
        return self._by_condition.get(condition_id) or Series()

    def truth(
        self, wallets: Iterable[str] | None = None, since_s: int | None = None, until_s: int | None = None
    ) -> list[dict[str, Any]]:
        """Returns what a perfect copier must have seen: identical fills of one transaction together, with their count.

        `since_s` and `until_s` bound the block time, both included; `wallets` None means every wallet.
        """
        counts: Counter[tuple[str, str, str, str, int, int]] = Counter()
        for fill in self._fills_of(wallets):
            if (since_s is None or fill.block_s >= since_s) and (until_s is None or fill.block_s <= until_s):
                identity = (fill.transaction_hash, fill.wallet, fill.token_id, fill.side, fill.size_micro, fill.block_s)
                counts[identity] += 1
        names = ("transaction_hash", "wallet", "token_id", "side", "size_micro", "timestamp")
        return [dict(zip(names, identity, strict=True)) | {"count": count} for identity, count in counts.items()]

    def _fills_of(self, wallets: Iterable[str] | None) -> Iterator[Fill]:
        if wallets is None:
            yield from self._all.oldest_first()
            return
        for wallet in dict.fromkeys(each.lower() for each in wallets):
            yield from self.of_wallet(wallet).oldest_first()

    def _evict(self, fill: Fill) -> None:
        self.evicted += 1
        self._all.discard(fill)
        for index, name in ((self._by_wallet, fill.wallet), (self._by_condition, fill.market.condition_id)):
            series = index[name]
            series.discard(fill)
            if not len(series):
                del index[name]
