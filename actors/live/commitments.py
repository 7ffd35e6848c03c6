"""What working orders, prepared ones and positions bind of strategies, accounts, markets and events, in USD.

Sums are kept while their parts come, change and go: every order asks for them, however many parts there are.
"""

from collections.abc import Hashable, Iterable
from decimal import Decimal

import attrs

from actors.rules.live.booking import rest_usd
from protocols.live.exits import Lot
from protocols.live.orders import LiveOrder

ZERO = Decimal(0)


@attrs.define(eq=False)
class UsdSums:
    """Parts by id → totals by key. A part counts for each of its keys; amounts are exact, at most six decimals."""

    _parts: dict[str, tuple[tuple[Hashable, ...], Decimal]] = attrs.field(init=False, factory=dict)
    _totals: dict[Hashable, tuple[int, Decimal]] = attrs.field(init=False, factory=dict)
    """How many parts, and their sum."""

    def put(self, part_id: str, keys: Iterable[Hashable], usd: Decimal) -> None:
        """Counts a part, instead of the one of the same id."""
        self.drop(part_id)
        self._parts[part_id] = (found := tuple(keys), usd)
        for key in found:
            count, total = self._totals.get(key, (0, ZERO))
            self._totals[key] = (count + 1, total + usd)

    def drop(self, part_id: str) -> None:
        """Counts a part no more; one that is not known is fine."""
        part = self._parts.pop(part_id, None)
        if part is None:
            return
        keys, usd = part
        for key in keys:
            count, total = self._totals[key]
            if count == 1:
                del self._totals[key]
            else:
                self._totals[key] = (count - 1, total - usd)

    def clear(self) -> None:
        """Forgets everything."""
        self._parts.clear()
        self._totals.clear()

    def total(self, key: Hashable) -> Decimal:
        """Returns the sum of the parts with a key."""
        return self._totals.get(key, (0, ZERO))[1]

    def count(self, key: Hashable) -> int:
        """Returns how many parts have a key."""
        return self._totals.get(key, (0, ZERO))[0]


@attrs.frozen(kw_only=True)
class Reserved:
    """An entry that is being prepared."""

    order_id: str
    strategy_id: str
    account: str
    condition_id: str
    event_slug: str | None
    usd: Decimal
    at_ms: int


@attrs.define(eq=False)
class Commitments:
    """Working buys at what they may still cost, prepared ones at what they will lock, positions at what they cost."""

    working: UsdSums = attrs.field(init=False, factory=UsdSums)
    held: UsdSums = attrs.field(init=False, factory=UsdSums)
    lots: UsdSums = attrs.field(init=False, factory=UsdSums)

    def clear(self) -> None:
        """Forgets everything."""
        for sums in (self.working, self.held, self.lots):
            sums.clear()

    def hold(self, one: Reserved) -> None:
        """Counts an entry that is being prepared."""
        keys = _keys(one.strategy_id, one.account, one.condition_id, one.event_slug)
        self.held.put(one.order_id, keys, one.usd)

    def take_order(self, order: LiveOrder) -> None:
        """Counts a journaled order as it stands now."""
        if order.ended:
            self.working.drop(order.order_id)
            return
        account = None if order.signed is None else order.signed.account
        keys = _keys(order.strategy_id, account, order.intent.condition_id, order.intent.event_slug)
        self.working.put(order.order_id, keys, rest_usd(order))

    def take_lot(self, lot: Lot) -> None:
        """Counts a position as it stands now."""
        if lot.shares > 0:
            self.lots.put(lot.order_id, _keys(lot.strategy_id, None, lot.condition_id, lot.event_slug), lot.cost)
        else:
            self.lots.drop(lot.order_id)

    def buying(self, kind: str, name: str) -> Decimal:
        """Returns what working and prepared buys of a `strategy` or an `account` may still cost."""
        return self.working.total((kind, name)) + self.held.total((kind, name))

    def bound(self, kind: str, strategy_id: str, name: str) -> Decimal:
        """Returns what a `market` or an `event` binds of a strategy: positions, too."""
        key = (kind, strategy_id, name)
        return self.lots.total(key) + self.working.total(key) + self.held.total(key)


def _keys(strategy_id: str, account: str | None, condition_id: str, event_slug: str | None) -> list[Hashable]:
    keys: list[Hashable] = [("strategy", strategy_id), ("market", strategy_id, condition_id)]
    if account is not None:
        keys.append(("account", account))
    if event_slug is not None:
        keys.append(("event", strategy_id, event_slug))
    return keys
