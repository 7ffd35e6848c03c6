"""Forward testing as a part of the graph: what the forward tester looks at, and what settles. Called by `wiring.build`.

copy_trades ─▶ forward_tester ─▶ writer            settler ─▶ PostgreSQL
                  ▲   ▲   ▲  ▲                        ▲  │
   strategies ────┘   │   │  └── scores, books        │  └─▶ forward_tester (what was paid)
   markets ───────────┘   └── records, holdings       └── Gamma, resolutions of the Data API
"""

from collections.abc import Callable, Mapping, Sequence

import attrs

from actors.book_desk import BookDesk
from actors.conflict_desk import ConflictDesk
from actors.decision_maker import DecisionMaker
from actors.decision_room import DecisionRoom
from actors.forward_tester import AUDIT_S, NO_LIVE, ForwardTester
from actors.holding_desk import HoldingDesk
from actors.market_desk import MarketDesk
from actors.model_desk import ModelDesk
from actors.paper_book import PaperBook
from actors.record_desk import RecordDesk
from actors.score_desk import ScoreDesk
from actors.settler import Settler
from actors.sides_desk import SidesDesk
from actors.strategy_registry import StrategyRegistry
from config.schema import EngineConfig
from engine.live_side import LiveSide
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
from protocols.score_models import ActiveModels
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
    spill: SpillStore | None
    markets: MarketStore
    catalog: MarketCatalog
    models: ActiveModels | None = None
    """None: no trained model is ever asked."""
    prompt_catalog: MarketCatalog | None = None
    """For whom a trade waits; None: `catalog` is as good."""


@attrs.frozen(kw_only=True)
class ForwardTesting:
    """Its actors, for those who read their counters."""

    registry: StrategyRegistry
    markets: MarketDesk
    records: RecordDesk
    holdings: HoldingDesk
    sides: SidesDesk
    scores: ScoreDesk
    models: ModelDesk | None
    """None: scores come from elsewhere."""
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
            Child(name="sides_desk", run=self.sides.run),
            Child(name="settler", run=self.settler.run),
            *(() if self.models is None else (Child(name="model_desk", run=self.models.run),)),
        )


def forward_testing(
    config: EngineConfig,
    io: PaperPorts,
    *,
    copied: Inbox[LanedTrade],
    kept: Outbox[LanedTrade],
    clock: WallClock,
    rng: Random,
    live: LiveSide | None = None,
    audit_s: float = AUDIT_S,
    shards: frozenset[int] | None = None,
) -> ForwardTesting:
    """Returns the actors of forward testing between two channels; with `live` its decisions claim live orders, too.

    With `shards` only strategies of these are run, on trades that are stored already.
    """
    settings = config.forward_testing
    registry = StrategyRegistry(store=io.strategies, config=config.filter, rng=rng, shards=shards)
    prompt = io.prompt_catalog or io.catalog
    market_desk = MarketDesk(store=io.decision_markets, catalog=prompt, markets=io.markets, clock=clock, rng=rng)
    records = RecordDesk(store=io.records, rng=rng)
    holdings = HoldingDesk(store=io.paper, venue=io.trader_holdings, clock=clock)
    # A file that is named goes first: no model is activated meanwhile (`model_switching.py`).
    models = None if io.models is None or settings.score_file else ModelDesk(store=io.models, rng=rng)
    scores = ScoreDesk(scorer=models or io.scorer, timeout_ms=settings.score_timeout_ms)
    books = BookDesk(upstream=io.books)
    sides, book = SidesDesk(store=io.paper, clock=clock, rng=rng), PaperBook()
    maker = DecisionMaker(
        book=book,
        markets=market_desk,
        records=records,
        holdings=holdings,
        conflicts=ConflictDesk(book=book, sides=sides),
        clock=clock,
    )
    if live is not None:
        maker.mirrors, maker.warm = live.mirrors, live.warm
        maker.conflicts.mirrors, maker.conflicts.live = live.mirrors, live.holdings
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
        live=NO_LIVE if live is None else live.holdings,
        audit_s=audit_s,
        stored_before=shards is not None,
    )
    told.whom = tester.passed_on
    room.failed = lambda key: tester.received([Receipt(key=key, applied=False)])
    return ForwardTesting(
        registry=registry,
        markets=market_desk,
        records=records,
        holdings=holdings,
        sides=sides,
        scores=scores,
        models=models,
        books=books,
        tester=tester,
        settler=_settler(io, tester, settings.settle_interval_s, clock=clock, rng=rng),
    )


def told_of(forward: ForwardTesting | None, side: LiveSide | None) -> Callable[[Sequence[Receipt]], None]:
    """Returns who is told what became of decisions."""
    received = (lambda _receipts: None) if forward is None else forward.tester.received
    return received if side is None else side.told_before(received)


def _settler(io: PaperPorts, tester: ForwardTester, interval_s: float, *, clock: WallClock, rng: Random) -> Settler:
    return Settler(
        store=io.settlement,
        markets=io.markets,
        catalog=io.catalog,
        resolutions=io.resolutions,
        clock=clock,
        rng=rng,
        interval_s=interval_s,
        settled=tester.settled,
    )


@attrs.define(eq=False)
class _Told:
    """The room is made before the tester that it tells."""

    whom: Callable[[Decision], None] = lambda _: None

    def __call__(self, decision: Decision) -> None:
        self.whom(decision)
