"""The synthetic platform: an endless, seeded source of matches in markets that open, close, resolve and are voided."""

import heapq
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from engine.simulator.account_habits import AccountHabits
from engine.simulator.distributions import Weighted, poisson
from engine.simulator.market import Market, MarketDirectory
from engine.simulator.market_factory import MarketFactory
from engine.simulator.matches import Block, Match
from engine.simulator.order_flow import OrderFlow
from engine.simulator.population import Population
from engine.simulator.seeds import generator
from engine.simulator.wire_numbers import MICRO

MATCHES_PER_S = 10.0
"""With about three rows each: 28 rows a second, of recorded 24 to 52."""
_BLOCK_S = (1.5, 2.0)
_GOES_ON = 0.27
_VOIDED = 0.02
_VERDICT_S = (10.0, 60.0)
# The venue lists coin flips a day before they open: `createdAt` and `eventStartTime` in the recorded market-resolved payloads.
_LISTED_AHEAD_S = 300.0
_HALVES = (MICRO // 2, MICRO // 2)
_Change = Callable[[int], None]
_Event = tuple[float, int, Callable[[], list[_Change]]]


class Platform:
    """A `RowSource` without end. The same seed gives the same rows; times are relative to `origin_ms`."""

    def __init__(
        self,
        directory: MarketDirectory,
        *,
        seed: int,
        origin_ms: int,
        wallets: int,
        markets: int,
        rate_scale: float = 1.0,
        life_scale: float = 1.0,
        speed: float = 1.0,
        habits: AccountHabits | None = None,
    ) -> None:
        self._directory = directory
        self._origin_ms = origin_ms
        self._speed = speed
        self._habits = habits
        self._haste = min(1.0, life_scale)
        self._rate = MATCHES_PER_S * rate_scale
        self._rng = generator(seed, "platform")
        self._factory = MarketFactory(directory, rng=generator(seed, "markets"), life_scale=life_scale / speed)
        self.population = Population(wallets, seed=seed)
        self._flow = OrderFlow(self.population, self._draw_market, self._is_open, rng=self._rng)
        self._weights: dict[Market, float] = {}
        self._choice: Weighted[Market] | None = None
        self._events: list[_Event] = []
        self._event_order = 0
        self._offset_s = 0.0
        self._blocks = 0
        self.resolved = 0
        for _ in range(markets):
            market = self._factory.open(origin_ms, age=self._rng.random())
            directory.add(market)
            self._open(market, 0.0)

    def next_block(self) -> Block:
        """Returns the matches of the next 1.5 to 2 seconds, after what happened to markets meanwhile."""
        rng = self._rng
        interval_s = rng.uniform(*_BLOCK_S)
        self._offset_s += interval_s
        self._blocks += 1
        before = self._changes_until(self._offset_s)
        # Bursts: the rate itself is drawn anew for every block.
        count = poisson(rng, self._rate * interval_s * rng.gammavariate(4.0, 0.25))
        matches: list[Match] = []
        while len(matches) < count:
            repeat = matches[-1] if matches and rng.random() < _GOES_ON else None
            matches.append(self._flow.match(self._offset_s, repeat))
        return Block(offset_s=self._offset_s, matches=matches, before=before)

    def describe(self) -> dict[str, object]:
        """Returns the position and the population."""
        return {
            "path": None,
            "rows": None,
            "position": self._blocks,
            "offset_s": round(self._offset_s, 3),
            "wallets": len(self.population.wallets),
            "busiest_wallets": self.population.wallets[:10],
            "professional_wallets": self.population.houses,
            "open_markets": len(self._weights),
            "resolved_markets": self.resolved,
        }

    def _is_open(self, market: Market) -> bool:
        return market in self._weights

    def _draw_market(self) -> Market:
        if self._choice is None:
            self._choice = Weighted(list(self._weights), list(self._weights.values()))
        return self._choice.draw(self._rng)

    def _open(self, market: Market, offset_s: float) -> None:
        # Few markets are hot: popularity has a heavy tail, and coin flips of minutes draw crowds.
        crowd = 3.0 if market.category == "crypto" else 1.0
        self._weights[market] = min(self._rng.paretovariate(1.1), 60.0) * crowd
        self._choice = None
        left_s = max((market.end_ms - self._origin_ms) / 1000 * self._speed, offset_s + 5.0)
        self._schedule(max(offset_s, left_s - _LISTED_AHEAD_S * self._haste), partial(self._list, market, left_s))

    def _list(self, market: Market, end_s: float) -> list[_Change]:
        """The market that opens when another one ends becomes known."""
        listed_s = max(0.0, min(self._offset_s, end_s))
        successor = self._factory.open(self._ms_at(end_s), listed_ms=self._ms_at(listed_s))
        self._schedule(end_s, partial(self._end, market, successor, end_s))
        return [lambda _now_ms: self._directory.add(successor)]

    def _end(self, market: Market, successor: Market, offset_s: float) -> list[_Change]:
        """Trading ends; another market opens in its place."""
        del self._weights[market]
        self._choice = None
        verdict_s = offset_s + self._rng.uniform(*_VERDICT_S) * self._haste
        self._schedule(verdict_s, partial(self._decide, market, verdict_s))
        self._open(successor, offset_s)
        return [market.close]

    def _decide(self, market: Market, offset_s: float) -> list[_Change]:
        holders = self._flow.forget(market)
        self.resolved += 1
        if self._rng.random() < _VOIDED:
            payouts = _HALVES
        else:
            first_wins = Decimal(f"{self._rng.random():.6f}") < market.price
            payouts = (MICRO, 0) if first_wins else (0, MICRO)
        if self._habits is not None:
            for delay_s, change in self._habits.after(market, payouts, holders, self.population.houses):
                later: list[_Change] = [change]
                self._schedule(offset_s + delay_s * self._haste, later.copy)
        return [partial(market.resolve, payouts)]

    def _changes_until(self, offset_s: float) -> list[_Change]:
        changes: list[_Change] = []
        while self._events and self._events[0][0] <= offset_s:
            changes.extend(heapq.heappop(self._events)[2]())
        return changes

    def _schedule(self, offset_s: float, event: Callable[[], list[_Change]]) -> None:
        self._event_order += 1
        heapq.heappush(self._events, (offset_s, self._event_order, event))

    def _ms_at(self, offset_s: float) -> int:
        return self._origin_ms + round(offset_s * 1000 / self._speed)
