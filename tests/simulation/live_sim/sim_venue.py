"""The exchange of the simulator as one venue on virtual time, and the weather between it and us."""

from decimal import Decimal
from typing import Any

import attrs
import trio

from engine.simulator.exchange.deliveries import DeliveryDesk
from engine.simulator.exchange.events import OrderChanged
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.trading_api import TradingApi
from engine.simulator.market import Market, MarketDirectory, MarketState
from engine.simulator.seeds import generator
from engine.simulator.user_channel import UserChannel
from protocols.clock import Random, WallClock

TICK_S = 0.25


@attrs.define(kw_only=True)
class Weather:
    """How likely things go wrong between us and the venue; all of it calm unless it is said otherwise."""

    latency_s: float = 0.05
    refused: float = 0.0
    """No connection is made."""
    lost: float = 0.0
    """The request or its answer gets lost; of an order it may be there all the same."""
    slow: float = 0.0
    """An answer takes seconds."""
    dial: float = 0.0
    socket_dies: float = 0.0
    """At each frame."""
    socket_mute: float = 0.0
    """A new socket says nothing, not even PONG."""
    down: bool = False


class SimVenue:
    """One venue that outlives engines. Everything that happens is noted in `heard`, in its order."""

    def __init__(self, seed: int, clock: WallClock, note: Any) -> None:
        self.markets = MarketDirectory()
        self.clock, self.note = clock, note
        self.rng: Random = generator(seed, "network")
        self.exchange = Exchange(self.markets, seed=seed, rng=generator(seed, "venue"))
        self.api = TradingApi(self.exchange)
        self.desk = DeliveryDesk(self.api, self.exchange.faults)
        self.users = UserChannel(self.exchange)
        self.weather = Weather()
        self.accepted: dict[str, str] = {}
        """Orders that were ever taken, with the status they were taken with."""
        self.doubtful: set[str] = set()
        """Hashes whose fate nobody told us."""
        self.violations: list[str] = []
        self.nursery: trio.Nursery
        self.exchange.listeners.append(self._heard)

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            task_status.started()
            while True:
                self.api.tick(self.clock.now_ms())
                self.users.release_held()
                due_ms = self.exchange.next_ms()
                pause_s = TICK_S if due_ms is None else min(TICK_S, max(0.001, (due_ms - self.clock.now_ms()) / 1000))
                await trio.sleep(pause_s)

    def delay_s(self) -> float:
        if self.rng.random() < self.weather.slow:
            return self.rng.uniform(0.5, 6.0)
        return self.weather.latency_s * self.rng.uniform(0.2, 2.0)

    def book(self, token_id: str) -> dict[str, Any] | None:
        market = self.markets.with_token(token_id)
        if market is None or market.state is not MarketState.OPEN:
            return None
        now_ms = self.clock.now_ms()
        return self.exchange.book_of(market, now_ms).view(market.index_of(token_id), now_ms).rendered()

    def _heard(self, event: Any) -> None:
        if isinstance(event, OrderChanged) and not event.killed:
            self.accepted.setdefault(event.order.order_id, str(event.status_text))
            self.note(f"order {event.order.order_id[:10]} {event.kind} {event.status_text} {event.order.matched_micro}")


def sim_market(number: int, rng: Random, now_ms: int) -> Market:
    """A market with a price anywhere, some with a delay, some of several outcomes, some without a fee."""
    price = Decimal(rng.randint(8, 92)) / 100
    return Market(
        market_id=str(number),
        condition_id=f"0x{number + 0xC0:064x}",
        question=f"Question {number}?",
        slug=f"question-{number}",
        event_slug=f"event-{number // 2}",
        outcomes=("Yes", "No"),
        token_ids=(str((1 << 200) + 2 * number + 1), str((1 << 200) + 2 * number + 2)),
        tick_size=rng.choice((Decimal("0.01"), Decimal("0.01"), Decimal("0.001"))),
        negative_risk=rng.random() < 0.3,
        fee_rate=rng.choice((Decimal("0.05"), Decimal("0.07"), Decimal(0))),
        taker_delay=rng.random() < 0.25,
        seconds_delay=rng.choice((0, 0, 0, 3)),
        start_ms=now_ms - 3_600_000,
        end_ms=now_ms + 86_400_000,
        price=price,
    )
