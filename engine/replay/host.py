"""Runs a tape through the actors of forward testing on virtual time, one second of the tape after the other."""

import gc
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import attrs
import trio
import trio.lowlevel
import trio.testing

from actors.record_desk import WALLETS_MAX
from actors.rules.backtest.record_book import RecordBook
from actors.rules.strategy_index import needs_of
from config.schema import EngineConfig
from engine.replay.ports import FixedRecords, RecordsOfTheDay, ReplayClock, ReplayLedger, Silence, TableScorer
from engine.replay.stage import ReplayStage, replay_stage
from engine.replay.tape_markets import Resolution, TapeMarkets
from engine.simulator.tape import TapeRow
from protocols.clock import Random, WallClock
from protocols.decisions import Decision, MarketInput, TraderRecord
from protocols.errors import MalformedError
from protocols.paper import BookDepths, Scorer, TraderRecords
from protocols.score_table import ScoreTable
from protocols.strategies import Strategy, StrategySettings, TargetMode
from protocols.trades import RawTrade
from protocols.venue.trade_row import trade_row_from

AFTER_S = 60.0
"""Virtual time after the last trade, and after the longest window, in which everything that waits is decided."""
AT_HAND_S = 1.0
SAMPLES = 24
"""Points of an equity curve besides its ends."""
Point = tuple[int, dict[str, Decimal]]


@attrs.frozen(kw_only=True, eq=False)
class ReplayView:
    """What can be seen at the time of the clock: who makes up books looks at nothing else."""

    clock: WallClock
    prices: Mapping[str, Decimal]
    """Last price of each token so far."""
    markets: Mapping[str, MarketInput]
    """By condition id, as they stand now."""


BooksOf = Callable[[ReplayView], BookDepths]


@attrs.frozen(kw_only=True)
class ReplayOrder:
    """What to replay."""

    rows: Sequence[TapeRow]
    """In the order of time, at least one."""
    bots: Sequence[tuple[str, StrategySettings]]
    wallets: Sequence[str] = ()
    """Whom bots without a list of their own copy; empty: every wallet of the tape."""
    resolutions: Sequence[Resolution] = ()
    records: Mapping[str, TraderRecord] = attrs.field(factory=dict)
    """What is known of traders all the time."""
    record_book: RecordBook | None = None
    """What was known of them on each day; goes before `records`."""
    scores: ScoreTable | None = None
    scorer: Scorer | None = None
    """Goes before `scores`."""
    books: BooksOf | None = None
    """Makes the order books; without it there are none."""
    watch: Callable[[Decision], None] | None = None
    """Is told every decision as soon as it is committed."""
    seed: int = 1


@attrs.define(eq=False, kw_only=True)
class Replayed:
    """What is left when the tape has been played."""

    strategies: Sequence[Strategy]
    ledger: ReplayLedger
    prices: dict[str, Decimal]
    """Last price of each token on the tape."""
    curves: list[Point]
    """Equity of every strategy at some times: cash and open shares at their last prices, USD."""
    malformed: int
    dead_letters: int
    ended_ms: int


def replay(config: EngineConfig, order: ReplayOrder, progress: Callable[[int], None] = lambda _: None) -> Replayed:
    """Returns what strategies did; `progress` is told how many rows have been played. Needs no clock and no network."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    with one_order_of_tasks(order.seed), _few_collections():
        return trio.run(_Run(config, order, progress).play, clock=clock)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Nearly all that a replay makes stays until its end: looking through it again and again costs a tenth of the time."""
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def one_order_of_tasks(seed: int) -> Iterator[None]:
    """Trio shuffles tasks that may run at the same moment; here by the seed, so that a tape gives the same bytes."""
    scheduler: Any = importlib.import_module("trio._core._run")
    allowed, state = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = allowed
        scheduler._r.setstate(state)


@attrs.frozen
class _Closing:
    """Markets that are resolved at one time of the clock."""

    at_s: float
    condition_ids: Sequence[str]


@attrs.define(eq=False)
class _Run:
    config: EngineConfig
    order: ReplayOrder
    progress: Callable[[int], None]
    prices: dict[str, Decimal] = attrs.field(init=False, factory=dict)
    curves: list[Point] = attrs.field(init=False, factory=list)
    malformed: int = attrs.field(init=False, default=0)
    _portfolios: bool = attrs.field(init=False)
    """Whether some strategy asks for a trader's portfolio."""
    _clock: ReplayClock = attrs.field(init=False)
    _ledger: ReplayLedger = attrs.field(init=False)
    _markets: TapeMarkets = attrs.field(init=False)
    _stage: ReplayStage = attrs.field(init=False)

    async def play(self) -> Replayed:
        strategies = _strategies(self.order)
        self._portfolios = any(needs_of(strategy.settings).portfolio for strategy in strategies)
        self._clock = ReplayClock(self.order.rows[0].timestamp_s * 1000)
        self._markets = TapeMarkets.of(self.order.rows, self.order.resolutions, self._clock)
        self._ledger = ReplayLedger(clock=self._clock, keep_trades=False, markets=self._markets, watch=self.order.watch)
        for strategy in strategies:
            self._ledger.add_account(strategy.wallet_id, strategy.settings.starting_balance)
        async with trio.open_nursery() as nursery:
            self._stage = replay_stage(
                self.config,
                strategies,
                ledger=self._ledger,
                markets=self._markets,
                records=self._records(),
                scorer=self.order.scorer or TableScorer(self.order.scores),
                books=self._books(),
                clock=self._clock,
                rng=Random(self.order.seed),
            )
            await self._stage.open(nursery)
            wallets = dict.fromkeys(row.wallet for row in self.order.rows)
            await self._stage.forward.records.fetch(itertools.islice(wallets, WALLETS_MAX), deadline_s=AT_HAND_S)
            later = await self._feed()
            ended_ms = self.order.rows[-1].timestamp_s * 1000
            settings = [strategy.settings for strategy in strategies]
            await trio.sleep(AFTER_S + self.config.forward_testing.market_wait_s)
            await trio.sleep(max(one.aggregate_window_s + one.fill_delay_ms / 1000 for one in settings))
            for closing in later:
                await self._settle(closing)
            self._markets.ended = True
            await self._stage.forward.settler.pass_once()
            self._sample(ended_ms)
            nursery.cancel_scope.cancel()
        return Replayed(
            strategies=strategies,
            ledger=self._ledger,
            prices=self.prices,
            curves=self.curves,
            malformed=self.malformed + self._stage.filter.malformed.total(),
            dead_letters=self._stage.forward.tester.dead_letters,
            ended_ms=ended_ms,
        )

    def _records(self) -> TraderRecords:
        book = self.order.record_book
        return FixedRecords(self.order.records) if book is None else RecordsOfTheDay(book, self._clock)

    def _books(self) -> BookDepths:
        if self.order.books is None:
            return Silence()
        return self.order.books(ReplayView(clock=self._clock, prices=self.prices, markets=self._markets))

    async def _feed(self) -> list[_Closing]:
        """Feeds a second at a time: virtual time goes on only when every actor has nothing left to do.

        Returns what is resolved after the last trade.
        """
        rows, began_s = self.order.rows, self.order.rows[0].timestamp_s
        due = self._closings(began_s)
        step = max(1, len(rows) // SAMPLES)
        played = 0
        await trio.lowlevel.checkpoint()
        for second, group in itertools.groupby(rows, key=lambda row: row.timestamp_s):
            while due and due[-1].at_s <= second - began_s:
                await self._settle(due.pop())
            await self._at(float(second - began_s))
            batch = list(group)
            if played // step != (played + len(batch)) // step or not played:
                self._sample(second * 1000)
            played += len(batch)
            await self._bring(batch)
            await self._stage.tape.send_many([raw for row in batch if (raw := self._raw(row)) is not None])
            self.progress(played)
        return due[::-1]

    def _closings(self, began_s: int) -> list[_Closing]:
        """The last one first."""
        by_ms: dict[int, list[str]] = {}
        for condition_id, closed_ms in self._markets.closings.items():
            if closed_ms is not None:
                by_ms.setdefault(closed_ms, []).append(condition_id)
        return [_Closing(max(0.0, ms / 1000 - began_s), by_ms[ms]) for ms in sorted(by_ms, reverse=True)]

    async def _settle(self, closing: _Closing) -> None:
        await self._at(closing.at_s)
        if any(self._ledger.is_open(condition_id) for condition_id in closing.condition_ids):
            await self._stage.forward.settler.pass_once()

    async def _bring(self, batch: Sequence[TapeRow]) -> None:
        """Puts markets and traders of a second at hand, as they mostly are in a running engine: one call for all."""
        now_ms, deadline_s = self._clock.now_ms(), trio.current_time() + AT_HAND_S
        desk, records = self._stage.forward.markets, self._stage.forward.records
        holdings = self._stage.forward.tester.maker.holdings
        wanted = {row.condition_id for row in batch if desk.known(row.condition_id, now_ms) is None}
        if wanted & self._markets.keys():
            await desk.wait_for(wanted & self._markets.keys(), deadline_s=deadline_s)
        await records.fetch([row.wallet for row in batch], deadline_s=deadline_s)
        if self._portfolios:
            for wallet in dict.fromkeys(row.wallet for row in batch):
                # The tape has none, which is said once and not waited for at each trade.
                if not holdings.portfolio_at_hand(wallet):
                    await holdings.portfolio_usd(wallet)

    async def _at(self, time_s: float) -> None:
        if time_s > trio.current_time():
            await trio.sleep_until(time_s)

    def _raw(self, row: TapeRow) -> RawTrade | None:
        self.prices[row.token_id] = row.price
        try:
            return RawTrade(trade_row_from(row.fields), "tape", '{"payload":{}}', trio.current_time())
        except MalformedError:
            self.malformed += 1
            return None

    def _sample(self, at_ms: int) -> None:
        equity = {wallet_id: balance.cash for wallet_id, balance in self._ledger.balances.items()}
        for position in self._ledger.positions.values():
            if (left := position.left) is not None:
                equity[left.wallet_id] += left.shares * self.prices.get(left.token_id, left.entry_price)
        self.curves.append((at_ms, equity))


def _strategies(order: ReplayOrder) -> list[Strategy]:
    made = []
    for number, (name, settings) in enumerate(order.bots, 1):
        has_list = settings.target_mode is TargetMode.LIST and settings.target_traders
        if not has_list and settings.target_mode is not TargetMode.EVERYONE:
            mode = TargetMode.LIST if order.wallets else TargetMode.EVERYONE
            settings = attrs.evolve(settings, target_mode=mode, target_traders=tuple(order.wallets))
        made.append(Strategy(wallet_id=name, number=number, owner_id="replay", version=1, settings=settings))
    return made
