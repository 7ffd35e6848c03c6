"""The markets that the venue knows: identity, life and last price."""

import enum
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import attrs

from engine.simulator.seeds import digest
from engine.simulator.wire_numbers import MICRO

ONE = Decimal(1)
_PRICE_STEP = Decimal("0.001")


class MarketState(enum.StrEnum):
    """Where a market is in its life."""

    OPEN = "open"
    CLOSED = "closed"
    """Trading has ended, the outcome is not yet known."""
    RESOLVED = "resolved"
    """Payouts are fixed: one outcome pays 1, or both pay a half when it was voided."""


@attrs.define(eq=False, kw_only=True)
class Market:
    """One binary market. Times are milliseconds since the epoch, payouts are micro-USD a share."""

    market_id: str
    condition_id: str
    question: str
    slug: str
    event_slug: str
    icon: str = ""
    category: str = "other"
    outcomes: tuple[str, str]
    token_ids: tuple[str, str]
    tick_size: Decimal = Decimal("0.01")
    order_size_min: int = 5
    negative_risk: bool = False
    fee_rate: Decimal = Decimal("0.05")
    taker_delay: bool = False
    """Whether orders that take are held for 250 ms inside the call (`itode`)."""
    seconds_delay: int = 0
    """How long orders that take are delayed, as in some sports markets."""
    start_ms: int
    """When the venue lists it and takes orders; the crowd of a coin flip comes later."""
    end_ms: int
    game_start_ms: int | None = None
    """Of a game: trading begins before and goes on while it is played."""
    state: MarketState = MarketState.OPEN
    payouts: tuple[int, int] | None = None
    closed_ms: int | None = None
    resolution_transaction: str = ""
    price: Decimal = Decimal("0.5")
    """Of the first outcome; the second one's is its complement (venue.md §2.1)."""
    last_trade_price: Decimal | None = None
    """In whichever token the last trade happened, not mirrored."""
    last_trade_side: str = ""
    volume_micro: int = 0

    def index_of(self, token_id: str) -> int:
        """Returns 0 or 1. Raises `ValueError` for a token of another market."""
        return self.token_ids.index(token_id)

    def price_of(self, outcome_index: int) -> Decimal:
        """Returns the current price of an outcome: the payout once resolved."""
        if self.payouts is not None:
            return Decimal(self.payouts[outcome_index]) / MICRO
        return self.price if outcome_index == 0 else ONE - self.price

    def record_trade(self, outcome_index: int, price: Decimal, side: str, notional_micro: int) -> None:
        """Moves the price to that of a trade, which may be an average of many decimals."""
        first = price if outcome_index == 0 else ONE - price
        self.price = min(max(first.quantize(_PRICE_STEP), _PRICE_STEP), ONE - _PRICE_STEP)
        self.last_trade_price = price
        self.last_trade_side = side
        self.volume_micro += notional_micro

    def close(self, now_ms: int) -> None:
        """Ends trading."""
        if self.state is MarketState.OPEN:
            self.state = MarketState.CLOSED
            self.closed_ms = now_ms

    def resolve(self, payouts: tuple[int, int], now_ms: int) -> None:
        """Fixes the payouts; the first verdict counts. Raises `ValueError` unless they sum to one USD."""
        if sum(payouts) != MICRO or min(payouts) < 0:
            raise ValueError(f"payouts {payouts} do not sum to one")
        if self.state is MarketState.RESOLVED:
            return
        self.close(now_ms)
        self.state = MarketState.RESOLVED
        self.payouts = payouts
        self.resolution_transaction = "0x" + digest("resolution", self.condition_id).hex()


class MarketDirectory:
    """Every market by id, condition, token and slug; the oldest resolved ones are forgotten beyond `markets_max`."""

    def __init__(self, markets_max: int = 20_000) -> None:
        self._markets_max = markets_max
        self._by_id: dict[str, Market] = {}
        self._by_condition: dict[str, Market] = {}
        self._by_token: dict[str, Market] = {}
        self._by_slug: dict[str, Market] = {}
        self._ids_given = 0
        self.on_add: list[Callable[[Market], None]] = []
        """Called with every market that becomes known."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Market]:
        """Oldest first."""
        return iter(self._by_id.values())

    def add(self, market: Market) -> None:
        """Makes a market known. Adding one that is known already changes nothing."""
        if market.condition_id in self._by_condition:
            return
        self._by_id[market.market_id] = market
        self._by_condition[market.condition_id] = market
        self._by_slug.setdefault(market.slug, market)
        for token_id in market.token_ids:
            self._by_token[token_id] = market
        if len(self._by_id) > self._markets_max:
            self._forget_oldest_resolved()
        for tell in self.on_add:
            tell(market)

    def add_all(self, markets: Iterable[Market]) -> None:
        """Makes several markets known."""
        for market in markets:
            self.add(market)

    def next_id(self) -> str:
        """Returns a numeric id that no market had before."""
        self._ids_given += 1
        return str(5_300_000 + self._ids_given)

    def with_id(self, market_id: str) -> Market | None:
        """Returns the market of a Gamma id."""
        return self._by_id.get(market_id)

    def with_condition(self, condition_id: str) -> Market | None:
        """Returns the market of a condition id."""
        return self._by_condition.get(condition_id)

    def with_token(self, token_id: str) -> Market | None:
        """Returns the market that a token belongs to."""
        return self._by_token.get(token_id)

    def with_slug(self, slug: str) -> Market | None:
        """Returns the market of a slug."""
        return self._by_slug.get(slug)

    def counts(self) -> dict[str, int]:
        """Returns the number of markets in each state."""
        counts = {state.value: 0 for state in MarketState}
        for market in self._by_id.values():
            counts[market.state.value] += 1
        return counts

    def _forget_oldest_resolved(self) -> None:
        market = next((each for each in self._by_id.values() if each.state is MarketState.RESOLVED), None)
        if market is None:
            return
        del self._by_id[market.market_id]
        del self._by_condition[market.condition_id]
        if self._by_slug.get(market.slug) is market:
            del self._by_slug[market.slug]
        for token_id in market.token_ids:
            self._by_token.pop(token_id, None)
