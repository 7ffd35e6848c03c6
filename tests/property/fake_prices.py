"""A venue in memory whose prices move with the clock, a database, and a price cache between them."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import trio
from property.made_trades import condition
from property.supervised import CrashPlan, supervisor

from actors.price_cache import PriceCache
from config.schema import PricesConfig
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.prices import Found, MarketFacts, MarketKey, MarketName, PriceWrite, StoredMarket

STEP_S = 0.001
EPOCH_MS = 1_795_000_000_000


def price_at(number: int, now_s: float) -> Decimal:
    """A price that tells its market and the moment: no two moments of a minute, no two markets have the same."""
    ticks = int(now_s / STEP_S) % 60_000
    return Decimal(number * 100_000 + ticks + 1) / Decimal(100_000_000)


def facts(number: int, now_s: float = 0.0, **changed: Any) -> MarketFacts:
    first = price_at(number, now_s)
    fields: dict[str, Any] = {
        "condition_id": condition(number),
        "question": f"Market {number}?",
        "slug": f"market-{number}",
        "outcomes": ("Yes", "No"),
        "outcome_prices": (first, 1 - first),
        "token_ids": (f"{number}1", f"{number}2"),
    }
    return MarketFacts(**fields | changed)


RESOLVED = {"closed": True, "resolution_status": "resolved", "outcome_prices": (Decimal(1), Decimal(0))}


class TrioClock:
    """Wall-clock time that goes with the virtual one."""

    def now_ms(self) -> int:
        return EPOCH_MS + round(trio.current_time() * 1000)


@attrs.define(eq=False, kw_only=True)
class FakeVenue:
    """`PriceUpstream`, `PriceFallback` and `BookUpstream`; fails by script or while it is down."""

    numbers: set[int] = attrs.field(factory=set)
    changed: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    """Facts that are not as usual."""
    hidden: set[int] = attrs.field(factory=set)
    """Shown only with `closed=true`."""
    frozen: bool = False
    """Prices do not move."""
    latency_s: float = 0.05
    gamma: str = "ok"
    clob: str = "ok"
    """`ok`, `down`, `hang`, `empty`, `reject`, `crash`."""
    script: deque[str] = attrs.field(factory=deque, converter=deque)
    """Of calls to Gamma, before `gamma` counts."""
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    calls: list[tuple[float, MarketKey, tuple[str, ...], bool | None]] = attrs.field(factory=list)
    clob_calls: list[tuple[float, str]] = attrs.field(factory=list)
    extra: list[MarketFacts] = attrs.field(factory=list)
    """Markets that come back though nobody asked."""

    async def find(self, key: MarketKey, values: Sequence[str], *, closed: bool | None) -> Found:
        assert len(values) <= 100
        self.calls.append((trio.current_time(), key, tuple(values), closed))
        mode = self.script.popleft() if self.script else self.gamma
        shown = [self._facts(n) for n in sorted(self.numbers) if closed or n not in self.hidden]
        await self._behave(mode)
        wanted = set(values)
        found = [one for one in shown if wanted & set(_names(one, key))]
        return Found(markets=[] if mode == "empty" else found + self.extra)

    async def market(self, condition_id: str) -> MarketFacts | None:
        self.clob_calls.append((trio.current_time(), condition_id))
        number = int(condition_id, 16)
        seen = msgspec.structs.replace(self._facts(number), event_slug=None)
        await self._behave(self.clob)
        return seen if number in self.numbers and self.clob != "empty" else None

    async def _behave(self, mode: str) -> None:
        if self.plan.due():
            self.plan.crash()
        if mode == "hang":
            await trio.sleep_forever()
        await trio.sleep(self.latency_s)
        if mode == "down":
            raise TransientError("429")
        if mode == "reject":
            raise RejectedError("422")

    def _facts(self, number: int) -> MarketFacts:
        now_s = 0.0 if self.frozen else trio.current_time()
        return facts(number, now_s, **self.changed.get(number, {}))


def _names(one: MarketFacts, key: MarketKey) -> Sequence[str | None]:
    return {
        MarketKey.CONDITION: (one.condition_id,),
        MarketKey.SLUG: (one.slug,),
        MarketKey.TOKEN: one.token_ids,
    }[key]


@attrs.define(eq=False, kw_only=True)
class FakePriceStore:
    """`PriceStore`; `fails` counts failures to come, `stuck` makes it hang."""

    rows: dict[str, StoredMarket] = attrs.field(factory=dict)
    fails: int = 0
    stuck: bool = False
    refused: frozenset[str] = frozenset()
    finds: int = 0
    batches: list[tuple[float, tuple[PriceWrite, ...]]] = attrs.field(factory=list)
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))

    async def _step(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.plan.due():
            self.plan.crash()
        if self.stuck:
            await trio.sleep(30)
        if self.fails:
            self.fails -= 1
            raise TransientError("database down")

    async def find(
        self, condition_ids: Sequence[str], names: Sequence[MarketName]
    ) -> tuple[list[StoredMarket], dict[MarketName, str]]:
        self.finds += 1
        await self._step()
        named = {name: id_ for name in names for id_, row in self.rows.items() if name.names(row.facts)}
        ids = {*condition_ids, *named.values()}
        return [row for id_, row in self.rows.items() if id_ in ids], named

    async def write(self, writes: Sequence[PriceWrite]) -> None:
        await self._step()
        if any(write.condition_id in self.refused for write in writes):
            raise RejectedError("out of range")
        self.batches.append((trio.current_time(), tuple(writes)))

    def writes_of(self, number: int) -> list[tuple[float, PriceWrite]]:
        return [(at_s, one) for at_s, batch in self.batches for one in batch if one.condition_id == condition(number)]


@attrs.define(eq=False, kw_only=True)
class PriceWorld:
    venue: FakeVenue = attrs.field(factory=FakeVenue)
    store: FakePriceStore = attrs.field(factory=FakePriceStore)
    settings: dict[str, Any] = attrs.field(factory=dict)
    emptied: bool = False
    cache: PriceCache = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.cache = PriceCache(
            upstream=self.venue,
            fallback=self.venue,
            store=self.store,
            config=PricesConfig(**self.settings),
            clock=TrioClock(),
            rng=Random(3),
        )

    async def during(self, main: Callable[[], Any]) -> None:
        """Runs the cache under supervision while `main` does."""
        keeper = supervisor()
        async with trio.open_nursery() as nursery:
            await nursery.start(keeper.keep_alive, Child(name="price_cache", run=self.cache.run), keeper.policy)
            await main()
            nursery.cancel_scope.cancel()

    async def one(self, number: int, max_age_ms: int = 0) -> Any:
        return (await self.cache.quotes([condition(number)], max_age_ms)).get(condition(number), "undecided")

    def calls_by_key(self) -> Counter[str]:
        return Counter(key.value for _, key, _, _ in self.venue.calls)


def told_by(quote: Any) -> tuple[int, float]:
    """What the price itself says, whatever the cache claims: its market, and its moment within a minute."""
    number, ticks = divmod(int(quote.facts.outcome_prices[0] * 100_000_000) - 1, 100_000)
    return number, ticks * STEP_S


def true_age_s(quote: Any, now_s: float) -> float:
    return (now_s - told_by(quote)[1]) % 60.0
