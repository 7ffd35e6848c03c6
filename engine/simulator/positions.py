"""What wallets hold and have earned, derived from their fills and from what else they did."""

from collections.abc import Iterable
from decimal import Decimal
from heapq import merge
from operator import attrgetter

import attrs

from engine.simulator.account_events import AccountEvent, EventKind
from engine.simulator.ledger import Fill
from engine.simulator.market import Market
from engine.simulator.profiles import Profile
from engine.simulator.wire_numbers import MICRO

DUST_MICRO = 100_000


@attrs.define(kw_only=True, eq=False)
class Position:
    """One wallet in one token. Amounts are micro-shares and micro-USD, costs by average."""

    wallet: str
    profile: Profile
    market: Market
    outcome_index: int
    size_micro: int = 0
    cost_micro: int = 0
    bought_micro: int = 0
    paid_micro: int = 0
    fees_micro: int = 0
    realized_micro: int = 0
    last_event_s: int = 0
    mergeable: bool = False

    def book(self, fill: Fill) -> None:
        """Adds a fill. What is sold beyond the holding came from a split and changes nothing here."""
        self.last_event_s = fill.block_s
        self.profile = fill.profile
        if fill.side == "BUY":
            self.size_micro += fill.size_micro
            self.cost_micro += fill.notional_micro
            self.bought_micro += fill.size_micro
            self.paid_micro += fill.notional_micro
            self.fees_micro += int(fill.fee * MICRO) if fill.fee is not None else 0
            return
        sold = min(fill.size_micro, self.size_micro)
        if sold:
            cost = self.cost_micro * sold // self.size_micro
            self.realized_micro += fill.notional_micro * sold // fill.size_micro - cost
            self.cost_micro -= cost
            self.size_micro -= sold

    def split(self, size_micro: int, at_s: int) -> None:
        """Adds a half of each pair that collateral was split into, bought for a half of a USD."""
        self.last_event_s = at_s
        self.size_micro += size_micro
        self.bought_micro += size_micro
        self.cost_micro += size_micro // 2
        self.paid_micro += size_micro // 2

    def merge(self, size_micro: int, at_s: int) -> None:
        """Takes a half of each merged pair, sold for a half of a USD."""
        merged = min(size_micro, self.size_micro)
        if merged:
            self.last_event_s = at_s
            cost = self.cost_micro * merged // self.size_micro
            self.realized_micro += merged // 2 - cost
            self.cost_micro -= cost
            self.size_micro -= merged

    def redeem(self, at_s: int) -> None:
        """Pays out what is held; nothing is left."""
        if self.size_micro:
            self.last_event_s = at_s
            self.realized_micro += self.unrealized_micro
            self.size_micro = self.cost_micro = 0

    @property
    def price(self) -> Decimal:
        """Current price, or the payout once resolved."""
        return self.market.price_of(self.outcome_index)

    @property
    def value_micro(self) -> int:
        """What the holding is worth now."""
        return int(self.size_micro * self.price)

    @property
    def unrealized_micro(self) -> int:
        """Value less cost."""
        return self.value_micro - self.cost_micro

    @property
    def average_price(self) -> float:
        """Of what is held, or of all purchases when nothing is."""
        if self.size_micro:
            return self.cost_micro / self.size_micro
        return self.paid_micro / self.bought_micro if self.bought_micro else 0.0

    @property
    def redeemable(self) -> bool:
        """Whether the market is resolved and something is left to redeem, be it worthless."""
        return self.market.payouts is not None and self.size_micro > 0

    @property
    def status(self) -> str:
        """One of the words of `/v2/positions`."""
        if not self.size_micro:
            return "CLOSED"
        if self.market.payouts is None:
            return "OPEN"
        return "REDEEMABLE" if self.market.payouts[self.outcome_index] else "REDEEMABLE_LOST"


_Key = tuple[str, str, int]
_by_key = attrgetter("key")


def positions_of(fills: Iterable[Fill], events: Iterable[AccountEvent] = ()) -> list[Position]:
    """Returns the positions that fills and events, each oldest first, add up to; of one wallet or of many.

    What was redeemed, merged or sold to nothing is closed, at the time when that happened.
    """
    positions: dict[_Key, Position] = {}
    happened: Iterable[Fill | AccountEvent] = merge(fills, events, key=_by_key) if events else fills
    for each in happened:
        if isinstance(each, Fill):
            _position(positions, each, each.market, each.outcome_index).book(each)
        elif each.market is not None:
            _change(positions, each, each.market)
    for (wallet, condition_id, outcome_index), position in positions.items():
        other = positions.get((wallet, condition_id, 1 - outcome_index))
        position.mergeable = bool(position.size_micro and other is not None and other.size_micro)
    return list(positions.values())


def _change(positions: dict[_Key, Position], event: AccountEvent, market: Market) -> None:
    for outcome_index in (0, 1):
        if event.kind is EventKind.SPLIT:
            _position(positions, event, market, outcome_index).split(event.size_micro, event.block_s)
            continue
        held = positions.get((event.wallet, market.condition_id, outcome_index))
        if held is not None and event.kind is EventKind.MERGE:
            held.merge(event.size_micro, event.block_s)
        elif held is not None and event.kind is EventKind.REDEEM:
            held.redeem(event.block_s)


def _position(positions: dict[_Key, Position], of: Fill | AccountEvent, market: Market, outcome_index: int) -> Position:
    identity = (of.wallet, market.condition_id, outcome_index)
    position = positions.get(identity)
    if position is None:
        position = positions[identity] = Position(
            wallet=of.wallet, profile=of.profile, market=market, outcome_index=outcome_index
        )
    return position
