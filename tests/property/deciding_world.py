"""Forward tester and writer between real channels, over the store in memory, on virtual time."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import trio
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.fake_paper_ports import (
    FakeBookDepths,
    FakeDecisionMarkets,
    FakeRecords,
    FakeScorer,
    FakeStrategyTableStore,
    FakeTraderHoldings,
    NoResolutions,
)
from property.fake_stores import Latencies, MemorySpill
from property.made_decisions import TOKEN, table
from property.made_trades import NOON_S, condition, transaction, wallet
from property.supervised import CrashPlan, FlakyOutbox, run_jumping, supervisor

from actors.sync_writer import SyncWriter
from config.loader import load_config
from config.schema import EngineConfig, WriterConfig
from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from engine.forward_wiring import ForwardTesting, PaperPorts, forward_testing
from engine.runtime.channel import Channel, LanePolicy
from engine.runtime.supervisor import Child, Supervisor
from protocols.channels import Overflow
from protocols.clock import Random
from protocols.decisions import Decision, MarketInput, PaperOrder
from protocols.ingest import GapRequest
from protocols.strategies import Strategy, StrategyTable
from protocols.trades import Lane, LanedTrade, Trade

LEADER = wallet(1)


@attrs.define(eq=False)
class VirtualWall:
    """The wall clock of a world on virtual time: noon, and as much later as has passed."""

    def now_ms(self) -> int:
        return round((NOON_S + trio.current_time()) * 1000)


def trade(number: int, **changes: Any) -> LanedTrade:
    """25 shares at 0.40 bought by the leader, number `number` of its kind."""
    made: dict[str, Any] = {
        "trade_id": f"trade-{number}",
        "wallet": LEADER,
        "transaction_hash": transaction(number),
        "token_id": TOKEN,
        "condition_id": condition(7),
        "side": "BUY",
        "size_micro": 25_000_000,
        "price": Decimal("0.4"),
        "trade_ms": NOON_S * 1000,
        "outcome": "Yes",
        "outcome_index": 0,
        "market_slug": None,
        "event_slug": None,
        "market_title": "A title",
        "trader_name": None,
        "trader_image": None,
        "market_image": None,
        "raw": "{}",
        "seen_s": 0.0,
    }
    return LanedTrade(Trade(**(made | changes)), Lane.TARGET)


def market(number: int = 7, *, now_ms: int = NOON_S * 1000, **changes: Any) -> MarketInput:
    made: dict[str, Any] = {
        "condition_id": condition(number),
        "title": "A title",
        "outcomes": ("Yes", "No"),
        "token_ids": (TOKEN, "987"),
        "observed_ms": now_ms,
    }
    return MarketInput(**(made | changes))


@attrs.define(eq=False)
class DecidingWorld:
    """Everything that survives a crash of an actor, and with `ledger` everything that survives the process."""

    strategies: Sequence[Strategy]
    ledger: MemoryPaperLedger = attrs.field(factory=lambda: MemoryPaperLedger(clock=VirtualWall()))
    table: StrategyTable = attrs.field(init=False)
    wall: VirtualWall = attrs.field(factory=VirtualWall)
    markets: FakeDecisionMarkets = attrs.field(init=False)
    market_rows: FakeMarketStore = attrs.field(factory=FakeMarketStore)
    catalog: FakeCatalog = attrs.field(factory=FakeCatalog)
    records: FakeRecords = attrs.field(factory=FakeRecords)
    holdings: FakeTraderHoldings = attrs.field(factory=FakeTraderHoldings)
    scorer: FakeScorer = attrs.field(factory=FakeScorer)
    books: FakeBookDepths = attrs.field(factory=FakeBookDepths)
    spill: MemorySpill = attrs.field(factory=MemorySpill)
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    partly: int = 0
    """How many items get through in a call of the outbox that crashes."""
    settings: dict[str, str] = attrs.field(factory=dict)
    strategy_store: FakeStrategyTableStore = attrs.field(init=False)
    forward: ForwardTesting = attrs.field(init=False)
    copy_trades: Channel[LanedTrade] = attrs.field(init=False)
    writer: Channel[LanedTrade] = attrs.field(init=False)
    keeper: Supervisor = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.table = table(*self.strategies)
        self.markets = FakeDecisionMarkets(stored={condition(7): market()}, now_ms=self.wall.now_ms)
        self.strategy_store = FakeStrategyTableStore(self.table)
        for strategy in self.strategies:
            if strategy.wallet_id not in self.ledger.balances:
                self.ledger.add_account(strategy.wallet_id, strategy.settings.starting_balance)

    def config(self) -> EngineConfig:
        return load_config(environ={}, overrides=self.settings)

    def ports(self) -> PaperPorts:
        return PaperPorts(
            strategies=self.strategy_store,
            paper=self.ledger,
            settlement=self.ledger,
            decision_markets=self.markets,
            records=self.records,
            trader_holdings=self.holdings,
            resolutions=NoResolutions(),
            books=self.books,
            scorer=self.scorer,
            spill=self.spill,
            markets=self.market_rows,
            catalog=self.catalog,
        )

    def run(self, scenario: Callable[["DecidingWorld"], Awaitable[None]], *, calm_s: float = 30.0) -> "DecidingWorld":
        """Runs actors and the scenario, waits for calm, and ends the streams in order."""

        async def main() -> None:
            async with trio.open_nursery() as services:
                outbox = await self._start(services)
                self.send = outbox.send
                await scenario(self)
                await trio.sleep(calm_s)
                services.cancel_scope.cancel()

        run_jumping(main)
        return self

    send: Callable[[LanedTrade], Awaitable[None]] = attrs.field(init=False)

    async def _start(self, nursery: trio.Nursery) -> Any:
        config = self.config()
        self.copy_trades = Channel("copy_trades", 1_000)
        self.keeper = supervisor()
        policy = LanePolicy[LanedTrade](lanes=3, lane_of=lambda one: one.lane, shed_from=3, shed_above=1_000)
        self.writer = Channel("writer", 1_000, Overflow.LANES, policy)
        gaps = Channel[GapRequest]("gap_requests", 16)
        kept = self.writer.outbox()
        self.forward = forward_testing(
            config,
            self.ports(),
            copied=self.copy_trades.inbox,
            kept=FlakyOutbox(kept, self.plan, self.partly),
            clock=self.wall,
            rng=Random(7),
        )
        writer = SyncWriter(
            trades=self.writer.inbox,
            gaps=gaps.outbox(),
            store=self.ledger,
            spill=self.spill,
            config=WriterConfig(),
            rng=Random(8),
            latency=Latencies(),
            decided=self.forward.tester.received,
        )
        children = (
            *(child for child in self.forward.services if child.name != "settler"),
            Child(name="sync_writer", run=writer.run, reads=(self.writer,)),
            Child(name="forward_tester", run=self.forward.tester.run, reads=(self.copy_trades,), writes=(kept,)),
        )
        for child in children:
            await nursery.start(self.keeper.keep_alive, child, self.keeper.policy)
        return self.copy_trades.outbox()

    def orders(self, wallet_id: str = "BOT_1") -> list[PaperOrder]:
        """Returns what a strategy bought, in the order of commits."""
        return [one.order for one in self.ledger.positions.values() if one.order.wallet_id == wallet_id]

    def decisions(self) -> list[Decision]:
        """Returns what the store kept, in the order of commits."""
        return [decision for decision in self.ledger.decisions.values() if decision is not None]

    def reasons(self, trade_id: str) -> dict[str, dict[int, str]]:
        """Returns the reason of each strategy's number by part."""
        return {
            one.part: dict(zip(one.strategies, one.reasons, strict=True))
            for one in self.decisions()
            if one.trade_id == trade_id
        }
