"""Runs a tape through the actors of forward testing on virtual time, one second of the tape after the other."""

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

from actors.sync_writer import SyncWriter
from actors.trade_filter import TradeFilter
from config.schema import EngineConfig
from engine.forward_wiring import ForwardTesting, PaperPorts, forward_testing
from engine.replay.ports import (
    FixedRecords,
    FixedStrategies,
    FixedTargets,
    ReplayClock,
    ReplayLedger,
    Silence,
    TableScorer,
)
from engine.replay.tape_markets import Resolution, TapeMarkets
from engine.runtime.channel import Channel, ChannelOutbox, LanePolicy
from engine.runtime.supervisor import Child, Supervisor
from engine.simulator.tape import TapeRow
from protocols.channels import Overflow
from protocols.clock import Random
from protocols.decisions import TraderRecord
from protocols.errors import MalformedError
from protocols.ingest import GapRequest, TargetSets
from protocols.score_table import ScoreTable
from protocols.strategies import Strategy, StrategySettings, StrategyTable, TargetMode
from protocols.trades import Lane, LanedTrade, RawTrade
from protocols.venue.trade_row import trade_row_from

AFTER_S = 1_800
"""Virtual time after the last trade in which everything that waits is decided: windows, books, patience."""
SAMPLES = 40
"""Points of an equity curve besides its ends."""
Point = tuple[int, dict[str, Decimal]]


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
    scores: ScoreTable | None = None
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
    with _one_order_of_tasks(order.seed):
        return trio.run(_Run(config, order, progress).play, clock=clock)


@contextmanager
def _one_order_of_tasks(seed: int) -> Iterator[None]:
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


@attrs.define(eq=False)
class _Run:
    config: EngineConfig
    order: ReplayOrder
    progress: Callable[[int], None]
    prices: dict[str, Decimal] = attrs.field(init=False, factory=dict)
    curves: list[Point] = attrs.field(init=False, factory=list)
    malformed: int = attrs.field(init=False, default=0)
    _keeper: Supervisor = attrs.field(init=False)
    _clock: ReplayClock = attrs.field(init=False)
    _ledger: ReplayLedger = attrs.field(init=False)
    _markets: TapeMarkets = attrs.field(init=False)
    _forward: ForwardTesting = attrs.field(init=False)
    _filter: TradeFilter = attrs.field(init=False)

    async def play(self) -> Replayed:
        strategies = _strategies(self.order)
        self._clock = ReplayClock(self.order.rows[0].timestamp_s * 1000)
        self._markets = TapeMarkets.of(self.order.rows, self.order.resolutions, self._clock)
        self._ledger = ReplayLedger(clock=self._clock, keep_trades=False, markets=self._markets)
        for strategy in strategies:
            self._ledger.add_account(strategy.wallet_id, strategy.settings.starting_balance)
        async with trio.open_nursery() as nursery:
            outbox = await self._start(nursery, strategies)
            await self._feed(outbox)
            ended_ms = self.order.rows[-1].timestamp_s * 1000
            await trio.sleep(AFTER_S)
            self._markets.ended = True
            await self._forward.settler.pass_once()
            self._sample(ended_ms)
            nursery.cancel_scope.cancel()
        return Replayed(
            strategies=strategies,
            ledger=self._ledger,
            prices=self.prices,
            curves=self.curves,
            malformed=self.malformed + self._filter.malformed.total(),
            dead_letters=self._forward.tester.dead_letters,
            ended_ms=ended_ms,
        )

    async def _feed(self, outbox: ChannelOutbox[RawTrade]) -> None:
        """Feeds a second at a time: virtual time goes on only when every actor has nothing left to do."""
        rows, began_s = self.order.rows, self.order.rows[0].timestamp_s
        last_ms = rows[-1].timestamp_s * 1000
        due = sorted(ms for ms in set(self._markets.closings.values()) if ms is not None and ms <= last_ms)
        step = max(1, len(rows) // SAMPLES)
        played = 0
        await trio.lowlevel.checkpoint()
        for second, group in itertools.groupby(rows, key=lambda row: row.timestamp_s):
            while due and due[0] <= second * 1000:
                await self._at(max(0.0, due.pop(0) / 1000 - began_s))
                await self._forward.settler.pass_once()
            await self._at(float(second - began_s))
            batch = list(group)
            if played // step != (played + len(batch)) // step or not played:
                self._sample(second * 1000)
            played += len(batch)
            await outbox.send_many([raw for row in batch if (raw := self._raw(row)) is not None])
            self.progress(played)

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

    async def _start(self, nursery: trio.Nursery, strategies: Sequence[Strategy]) -> ChannelOutbox[RawTrade]:
        rng = Random(self.order.seed)
        self._keeper = Supervisor(rng=rng)
        config = attrs.evolve(self.config, filter=attrs.evolve(self.config.filter, targets_poll_s=86_400.0))
        raw = Channel[RawTrade]("raw", 1_000)
        copied = Channel[LanedTrade]("copy_trades", 1_000)
        policy = LanePolicy[LanedTrade](lanes=3, lane_of=lambda one: one.lane, shed_from=3, shed_above=1_000)
        lanes = Channel("writer", 1_000, Overflow.LANES, policy)
        asked = Channel[str]("markets", 1, Overflow.DROP_NEWEST)
        gaps = Channel[GapRequest]("gap_requests", 16)
        silence: Any = Silence()
        tested_out, filtered_out, copied_out = lanes.outbox(), lanes.outbox(), copied.outbox()
        self._forward = forward_testing(
            config, self._ports(strategies, silence), copied=copied.inbox, kept=tested_out, clock=self._clock, rng=rng
        )
        self._filter = TradeFilter(
            trades=raw.inbox,
            copied=copied_out,
            kept=filtered_out,
            markets=asked.outbox(),
            targets=FixedTargets(_targets(strategies)),
            config=config.filter,
        )
        writer = SyncWriter(
            trades=lanes.inbox,
            gaps=gaps.outbox(),
            store=self._ledger,
            spill=silence,
            config=config.writer,
            rng=rng,
            latency=silence,
            decided=self._forward.tester.received,
        )
        children = (
            *(child for child in self._forward.services if child.name != "settler"),
            Child(name="sync_writer", run=writer.run, reads=(lanes,)),
            Child(name="forward_tester", run=self._forward.tester.run, reads=(copied,), writes=(tested_out,)),
            Child(name="trade_filter", run=self._filter.run, reads=(raw,), writes=(copied_out, filtered_out)),
        )
        for child in children:
            await nursery.start(self._keeper.keep_alive, child, self._keeper.policy)
        return raw.outbox()

    def _ports(self, strategies: Sequence[Strategy], silence: Any) -> PaperPorts:
        return PaperPorts(
            strategies=FixedStrategies(StrategyTable(version=1, strategies=strategies, followed={}, leaderboard=())),
            paper=self._ledger,
            settlement=self._ledger,
            decision_markets=self._markets,
            records=FixedRecords(self.order.records),
            trader_holdings=silence,
            resolutions=silence,
            books=silence,
            scorer=TableScorer(self.order.scores),
            spill=silence,
            markets=silence,
            catalog=silence,
        )


def _strategies(order: ReplayOrder) -> list[Strategy]:
    made = []
    for number, (name, settings) in enumerate(order.bots, 1):
        has_list = settings.target_mode is TargetMode.LIST and settings.target_traders
        if not has_list and settings.target_mode is not TargetMode.EVERYONE:
            mode = TargetMode.LIST if order.wallets else TargetMode.EVERYONE
            settings = attrs.evolve(settings, target_mode=mode, target_traders=tuple(order.wallets))
        made.append(Strategy(wallet_id=name, number=number, owner_id="replay", version=1, settings=settings))
    return made


def _targets(strategies: Sequence[Strategy]) -> TargetSets:
    lanes = {wallet: Lane.TARGET for one in strategies for wallet in one.settings.target_traders}
    everyone = any(one.settings.target_mode is TargetMode.EVERYONE for one in strategies)
    return TargetSets(lanes=lanes, version=1, everyone=everyone)
