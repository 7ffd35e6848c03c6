"""Forward testing as a part of the graph: what the forward tester looks at, and what settles. Called by `wiring.build`.

copy_trades ─▶ forward_tester ─▶ writer            settler ─▶ PostgreSQL
                  ▲   ▲   ▲  ▲                        ▲  │
   strategies ────┘   │   │  └── scores, books        │  └─▶ forward_tester (what was paid)
   markets ───────────┘   └── records, holdings       └── Gamma, resolutions of the Data API
"""

from collections.abc import Callable, Mapping, Sequence

import attrs

from actors.book_desk import BookDesk
from actors.decision_maker import DecisionMaker
from actors.decision_room import DecisionRoom
from actors.forward_tester import AUDIT_S, NO_LIVE, ForwardTester
from actors.holding_desk import HoldingDesk
from actors.market_desk import MarketDesk
from actors.paper_book import PaperBook
from actors.record_desk import RecordDesk
from actors.score_desk import ScoreDesk
from actors.settler import Settler
from actors.strategy_registry import StrategyRegistry
from config.schema import EngineConfig
from engine.live_wiring import LiveTrading
from engine.runtime.supervisor import Child
from protocols.channels import Inbox, Outbox
from protocols.clock import Random, WallClock
from protocols.decisions import Decision
from protocols.ingest import MarketCatalog, MarketStore, SpillStore
from protocols.paper import (
    BookDepths,
    DecisionMarkets,
    PaperStore,
    Resolutions,
    Scorer,
    SettlementStore,
    TraderHoldings,
    TraderRecords,
)
from protocols.receipts import Receipt
from protocols.strategies import StrategyTableStore
from protocols.trades import LanedTrade


@attrs.frozen(kw_only=True)
class PaperPorts:
    """The world behind forward testing."""

    strategies: StrategyTableStore
    paper: PaperStore
    settlement: SettlementStore
    decision_markets: DecisionMarkets
    records: TraderRecords
    trader_holdings: TraderHoldings
    resolutions: Resolutions
    books: BookDepths
    scorer: Scorer
    spill: SpillStore
    markets: MarketStore
    catalog: MarketCatalog


@attrs.frozen(kw_only=True)
class ForwardTesting:
    """Its actors, for those who read their counters."""

    registry: StrategyRegistry
    markets: MarketDesk
    records: RecordDesk
    holdings: HoldingDesk
    scores: ScoreDesk
    books: BookDesk
    tester: ForwardTester
    settler: Settler

    async def settle_now(self) -> Mapping[str, int]:
        """Makes the settler's pass and returns its figures. Raises `TransientError` and `FencedError`."""
        figures: Mapping[str, int] = attrs.asdict(await self.settler.pass_once())
        return figures

    @property
    def services(self) -> tuple[Child, ...]:
        """Returns what the forward tester leans on."""
        return (
            Child(name="strategy_registry", run=self.registry.run),
            Child(name="market_desk", run=self.markets.run),
            Child(name="record_desk", run=self.records.run),
            Child(name="holding_desk", run=self.holdings.run),
            Child(name="settler", run=self.settler.run),
        )


def forward_testing(
    config: EngineConfig,
    io: PaperPorts,
    *,
    copied: Inbox[LanedTrade],
    kept: Outbox[LanedTrade],
    clock: WallClock,
    rng: Random,
    live: LiveTrading | None = None,
    audit_s: float = AUDIT_S,
) -> ForwardTesting:
    """Returns the actors of forward testing between two channels; with `live` its decisions claim live orders, too."""
    settings = config.forward_testing
    registry = StrategyRegistry(store=io.strategies, config=config.filter, rng=rng)
    market_desk = MarketDesk(store=io.decision_markets, catalog=io.catalog, markets=io.markets, clock=clock, rng=rng)
    records = RecordDesk(store=io.records, rng=rng)
    holdings = HoldingDesk(store=io.paper, venue=io.trader_holdings, clock=clock)
    scores = ScoreDesk(scorer=io.scorer, timeout_ms=settings.score_timeout_ms)
    books = BookDesk(upstream=io.books)
    maker = DecisionMaker(book=PaperBook(), markets=market_desk, records=records, holdings=holdings, clock=clock)
    if live is not None:
        maker.mirrors, maker.warm = live.registry.mirrors, live.executor.desk.glance.warm
    told = _Told()
    room = DecisionRoom(maker=maker, scores=scores, books=books, kept=kept, config=settings, decided=told)
    tester = ForwardTester(
        trades=copied,
        kept=kept,
        registry=registry,
        maker=maker,
        room=room,
        store=io.paper,
        spill=io.spill,
        config=settings,
        rng=rng,
        live=NO_LIVE if live is None else live.book,
        audit_s=audit_s,
    )
    told.whom = tester.passed_on
    room.failed = lambda key: tester.received([Receipt(key=key, applied=False)])
    settler = Settler(
        store=io.settlement,
        markets=io.markets,
        catalog=io.catalog,
        resolutions=io.resolutions,
        clock=clock,
        rng=rng,
        interval_s=settings.settle_interval_s,
        settled=tester.settled,
    )
    return ForwardTesting(
        registry=registry,
        markets=market_desk,
        records=records,
        holdings=holdings,
        scores=scores,
        books=books,
        tester=tester,
        settler=settler,
    )


@attrs.define(eq=False)
class _Told:
    """The room is made before the tester that it tells."""

    whom: Callable[[Decision], None] = lambda _: None

    def __call__(self, decision: Decision) -> None:
        self.whom(decision)


def told_of(tester: ForwardTester, live: LiveTrading | None) -> Callable[[Sequence[Receipt]], None]:
    """Returns who hears what became of decisions: claims go on first, an order is waiting for them."""
    if live is None:
        return tester.received

    def told(receipts: Sequence[Receipt]) -> None:
        live.committed(receipts)
        tester.received(receipts)

    return told
