"""The actors of forward testing as a replay runs them: the same ones, on channels of their own, with memory behind."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio

from actors.sync_writer import SyncWriter
from actors.trade_filter import TradeFilter
from config.schema import EngineConfig
from engine.forward_wiring import ForwardTesting, PaperPorts, forward_testing
from engine.replay.ports import (
    FixedStrategies,
    FixedTargets,
    ReplayClock,
    ReplayLedger,
    Silence,
)
from engine.replay.tape_markets import TapeMarkets
from engine.runtime.channel import Channel, LanePolicy
from engine.runtime.supervisor import Child, Supervisor
from protocols.channels import Outbox, Overflow
from protocols.clock import Random
from protocols.ingest import GapRequest, TargetSets
from protocols.paper import BookDepths, Scorer, TraderRecords
from protocols.strategies import Strategy, StrategyTable, TargetMode
from protocols.trades import Lane, LanedTrade, RawTrade

NEVER_S = 1e9
DAY_S = 86_400.0


@attrs.define(eq=False, kw_only=True)
class ReplayStage:
    """tape → trade_filter → (copied) forward_tester → sync_writer → memory."""

    tape: Outbox[RawTrade]
    forward: ForwardTesting
    filter: TradeFilter
    children: Sequence[Child]
    keeper: Supervisor

    async def open(self, nursery: trio.Nursery) -> None:
        """Starts the actors, last ones of the flow first."""
        for child in self.children:
            await nursery.start(self.keeper.keep_alive, child, self.keeper.policy)


def replay_stage(
    config: EngineConfig,
    strategies: Sequence[Strategy],
    *,
    ledger: ReplayLedger,
    markets: TapeMarkets,
    records: TraderRecords,
    scorer: Scorer,
    books: BookDepths,
    clock: ReplayClock,
    rng: Random,
) -> ReplayStage:
    """Returns the actors, linked as in the engine; the settler is not started: who plays the tape calls it when it is due."""
    config = attrs.evolve(config, filter=attrs.evolve(config.filter, targets_poll_s=DAY_S))
    raw, copied = Channel[RawTrade]("raw", 1_000), Channel[LanedTrade]("copy_trades", 1_000)
    policy = LanePolicy[LanedTrade](lanes=3, lane_of=lambda one: one.lane, shed_from=3, shed_above=1_000)
    lanes = Channel("writer", 1_000, Overflow.LANES, policy)
    silence: Any = Silence()
    tested_out, filtered_out, copied_out = lanes.outbox(), lanes.outbox(), copied.outbox()
    forward = forward_testing(
        config,
        PaperPorts(
            strategies=FixedStrategies(StrategyTable(version=1, strategies=strategies, followed={}, leaderboard=())),
            paper=ledger,
            settlement=ledger,
            decision_markets=markets,
            records=records,
            trader_holdings=silence,
            resolutions=silence,
            books=books,
            scorer=scorer,
            spill=silence,
            markets=silence,
            catalog=silence,
        ),
        copied=copied.inbox,
        kept=tested_out,
        clock=clock,
        rng=rng,
        # Nobody else writes to the ledger.
        audit_s=NEVER_S,
    )
    trade_filter = TradeFilter(
        trades=raw.inbox,
        copied=copied_out,
        kept=filtered_out,
        markets=Channel[str]("markets", 1, Overflow.DROP_NEWEST).outbox(),
        targets=FixedTargets(_targets(strategies)),
        config=config.filter,
    )
    writer = SyncWriter(
        trades=lanes.inbox,
        gaps=Channel[GapRequest]("gap_requests", 16).outbox(),
        store=ledger,
        spill=silence,
        config=config.writer,
        rng=rng,
        latency=silence,
        decided=forward.tester.received,
    )
    tester = forward.tester
    children = (
        *(child for child in forward.services if child.name != "settler"),
        Child(name="sync_writer", run=writer.run, reads=(lanes,)),
        Child(name="forward_tester", run=tester.run, reads=(copied,), writes=(tested_out,)),
        Child(name="trade_filter", run=trade_filter.run, reads=(raw,), writes=(copied_out, filtered_out)),
    )
    return ReplayStage(
        tape=raw.outbox(), forward=forward, filter=trade_filter, children=children, keeper=Supervisor(rng=rng)
    )


def _targets(strategies: Sequence[Strategy]) -> TargetSets:
    lanes = {wallet: Lane.TARGET for one in strategies for wallet in one.settings.target_traders}
    everyone = any(one.settings.target_mode is TargetMode.EVERYONE for one in strategies)
    return TargetSets(lanes=lanes, version=1, everyone=everyone)
