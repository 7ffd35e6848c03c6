"""The gap filler between real channels and a history that fails."""

from collections.abc import Sequence
from typing import Any

import attrs
import trio
from property.fake_history import FakeHistory, FixedTargets
from property.fake_stores import FakeTradeStore
from property.fake_stream import VenueClock
from property.made_trades import NOON_S, STRANGER, wallet
from property.supervised import CrashPlan, FlakyOutbox, run_jumping, supervisor

from actors.gap_filler import GapFiller
from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from config.schema import StreamConfig
from engine.runtime.channel import Channel, ChannelOutbox
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.ingest import GapReason, GapRequest
from protocols.trades import Lane, RawTrade

LANES = {wallet(1): Lane.FOLLOWED, wallet(2): Lane.TARGET, wallet(3): Lane.KNOWN}
OWNERS = [wallet(1), wallet(2), wallet(3), STRANGER]
CALM_S = 10_000.0


def gap(reason: GapReason, since_s: float | None, until_s: float) -> GapRequest:
    """A request in seconds after noon."""
    since_ms = None if since_s is None else round((NOON_S + since_s) * 1000)
    return GapRequest(reason=reason, since_ms=since_ms, until_ms=round((NOON_S + until_s) * 1000))


@attrs.define(eq=False)
class LastTrade(FakeTradeStore):
    """A store that knows the time of the last trade, after some failures."""

    last_ms: int | None = None
    failures: int = 0

    async def last_trade_ms(self) -> int | None:
        await trio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise TransientError("database down")
        return self.last_ms


@attrs.define(eq=False)
class FillerWorld:
    history: FakeHistory
    store: LastTrade = attrs.field(factory=LastTrade)
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    settings: dict[str, Any] = attrs.field(factory=dict)
    sent_before_crash: int = 0
    requests: Channel[GapRequest] = attrs.field(factory=lambda: Channel[GapRequest]("gap_requests", 16))
    trades: Channel[RawTrade] = attrs.field(factory=lambda: Channel[RawTrade]("raw_trades", 3))
    got: list[RawTrade] = attrs.field(factory=list)
    outbox: ChannelOutbox[RawTrade] = attrs.field(init=False)
    filler: GapFiller = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.outbox = self.trades.outbox()
        self.filler = GapFiller(
            requests=self.requests.inbox,
            trades=FlakyOutbox(self.outbox, self.plan, self.sent_before_crash),
            history=self.history,
            store=self.store,
            targets=FixedTargets(LANES),
            config=StreamConfig(**self.settings),
            clock=VenueClock(),
            rng=Random(4),
        )

    def run(self, requests: Sequence[tuple[float, GapRequest]]) -> None:
        """Asks for gaps at their times (negative: before it starts), then lets the filler finish what it plans."""

        async def collect() -> None:
            while batch := await self.trades.inbox.batch(5):
                self.got.extend(batch)

        async def main() -> None:
            keeper = supervisor()
            child = Child(name="gap_filler", run=self.filler.run, reads=(self.requests,), writes=(self.outbox,))
            requests_outbox = self.requests.outbox()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(collect)
                for at_s, request in requests:
                    if at_s < 0:
                        await requests_outbox.send(request)
                await nursery.start(keeper.keep_alive, child, keeper.policy)
                for at_s, request in requests:
                    if at_s < 0:
                        continue
                    await trio.sleep_until(max(at_s, trio.current_time()))
                    await requests_outbox.send(request)
                await trio.sleep(CALM_S)
                requests_outbox.close()

        run_jumping(main)

    def found(self) -> set[tuple[str, str, int, int]]:
        """What identification makes of the rows that were sent on."""
        memory, found = Memory(RecentSet(10_000)), set()
        for raw in self.got:
            admission = admit([raw], LANES, memory)
            memory.commit(admission)
            for laned in admission.kept:
                trade = laned.trade
                ordinal = int(trade.trade_id.rpartition("-")[2])
                found.add((trade.transaction_hash, trade.wallet, trade.size_micro, ordinal))
        return found
