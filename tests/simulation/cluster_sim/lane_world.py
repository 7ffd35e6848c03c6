"""Trades of lanes 1 and 2 in the world of a cluster: who is shown them, where they end, and whether none is missing."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

import attrs
import msgspec
import trio
from property.made_trades import laned
from simulation.cluster_sim.redis_model import RedisServer

from actors.rules.gaps import window_s
from config.schema import StreamConfig
from engine.adapters.postgres.leases import Leases
from engine.lane_edge import LANES
from protocols.clock import Random, WallClock
from protocols.edge_codec import LanedTradeCodec
from protocols.ingest import GapReason, GapRequest, WriteResult
from protocols.trades import Lane, LanedTrade, TradeSource

SETTLE_S = 45.0
"""After this all trouble is over: leases have run out, and what others had in hand is taken over."""
CALM_TRADES_S = 20.0
DONE_S = 240.0
BLAMED_MAX = 5


@attrs.define(eq=False)
class Shown:
    """The socket of one ingest."""

    trades: deque[LanedTrade] = attrs.field(factory=deque)
    arrived: trio.Event = attrs.field(factory=trio.Event)


@attrs.define(eq=False, kw_only=True)
class LaneTable:
    """`trades_public`, as far as lanes 1 and 2 go: who has written a row first, under which lease."""

    clock: WallClock
    rows: dict[str, str] = attrs.field(factory=dict)
    repeats: int = 0
    last_trade_ms: int | None = None
    """`LAST_TRADE`: the newest trade, at most as late as the last commit."""
    _newest_ms: int = 0

    async def write(self, trades: Sequence[LanedTrade], leases: Leases) -> WriteResult:
        new = {one.trade.trade_id for one in trades} - self.rows.keys()
        for one in trades:
            self.rows.setdefault(one.trade.trade_id, leases.holds[0].name)
            self._newest_ms = max(self._newest_ms, one.trade.trade_ms)
        self.repeats += len(trades) - len(new)
        self.last_trade_ms = min(self._newest_ms, self.clock.now_ms())
        return WriteResult(inserted=len(new), repeated=len(trades) - len(new))


@attrs.define(eq=False, kw_only=True)
class LaneWorld:
    """The venue's stream of trades, the table, the gaps that history is asked for, and Redis in between."""

    rng: Random
    clock: WallClock
    redis: RedisServer
    note: Callable[[str], None]
    stream: StreamConfig
    rereads: bool
    """Off: the build that forgets what lay in a lost stream."""
    table: LaneTable = attrs.field(init=False)
    shown_to: list[Shown] = attrs.field(init=False, factory=list)
    given: dict[str, int] = attrs.field(init=False, factory=dict)
    """Trades that an ingest was given, with their times."""
    calm: set[str] = attrs.field(init=False, factory=set)
    """Those of them from when all was well."""
    windows: list[tuple[GapReason, int, int]] = attrs.field(init=False, factory=list)
    """Gaps that are kept in the database: seconds that history is read for, overlap included."""
    rerouted: int = attrs.field(init=False, default=0)
    is_calm: bool = attrs.field(init=False, default=False)
    is_over: bool = attrs.field(init=False, default=False)
    _numbers: int = attrs.field(init=False, default=0)
    _mean_s: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.table = LaneTable(clock=self.clock)
        self._mean_s = self.rng.choice((0.3, 1.0, 4.0))

    def codec(self) -> LanedTradeCodec:
        """Monotonic clocks of all processes are one here."""
        return LanedTradeCodec(wall_less_monotonic_s=self.clock.now_ms() / 1000 - trio.current_time())

    async def trade(self) -> None:
        """Shows trades to every ingest that listens, a sleeping one too: its socket is open."""
        while not self.is_over:
            await trio.sleep(self.rng.expovariate(1 / self._mean_s))
            self._show_some()

    def _show_some(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            self._numbers += 1
            made = laned(self._numbers, self.rng.choice((Lane.FOLLOWED, Lane.KNOWN)), trade_ms=self.clock.now_ms())
            # The stream says so, and then it may be shed.
            trade = msgspec.structs.replace(made.trade, source=TradeSource.STREAM.value)
            for shown in self.shown_to:
                shown.trades.append(LanedTrade(trade, made.lane))
                shown.arrived.set()

    def gave(self, trades: Sequence[LanedTrade]) -> None:
        """An ingest has them in its hands now."""
        for one in trades:
            self.given.setdefault(one.trade.trade_id, one.trade.trade_ms)
            if self.is_calm:
                self.calm.add(one.trade.trade_id)

    async def keep_gaps(self, gaps: Sequence[GapRequest]) -> None:
        """Windows as the gap filler reads them."""
        for gap in gaps:
            at_start = gap.reason is GapReason.START
            overlap_s = self.stream.gap_start_overlap_s if at_start else self.stream.gap_overlap_s
            longest_ms = round(self.stream.gap_start_max_s * 1000)
            window = window_s(gap, overlap_ms=round(overlap_s * 1000), longest_ms=longest_ms)
            self.note(f"gap {gap.reason} of {window[1] - window[0]} s kept")
            self.windows.append((gap.reason, *window))

    async def last_trade_ms(self) -> int | None:
        return self.table.last_trade_ms

    async def come_to_rest(self) -> None:
        """Some more trades when all is well again, and then the time to write what is on its way."""
        await trio.sleep(SETTLE_S)
        self.is_calm = True
        # The slowest source may have nothing to show in all of the calm.
        self._show_some()
        await trio.sleep(CALM_TRADES_S)
        self.is_over = True
        with trio.move_on_after(DONE_S):
            while self.redis.length or not self.calm <= self.table.rows.keys():
                await trio.sleep(1)

    def problems(self) -> Iterator[str]:
        """What is wrong when all has come to rest."""
        lost = [one for one, (where, _) in self._ends() if where == "nowhere"]
        yield from (f"trade {one[:12]} of {self.given[one]} is nowhere and in no gap" for one in lost[:BLAMED_MAX])
        if lost:
            yield f"{len(lost)} of {len(self.given)} trades are lost"
        left = self.calm - self.table.rows.keys()
        if left:
            yield f"{len(left)} of {len(self.calm)} trades of the calm were not written"
        astray = [one for one in self.calm if self.table.rows.get(one, LANES) != LANES]
        if astray:
            yield f"{len(astray)} of {len(self.calm)} trades of the calm did not go over the edge"
        if not self.calm:
            yield "nobody ingested when all was well"
        if self.redis.length:
            yield f"{self.redis.length} items lie in the stream, and nobody takes them"

    def figures(self) -> Counter[str]:
        figures = Counter({f"trades {where}": 0 for where in ("over the edge", "by the ingest itself")})
        figures.update(f"trades {where}" for _, (where, _) in self._ends())
        figures["trades given"] = len(self.given)
        figures["trades of the calm"] = len(self.calm)
        figures["trades written twice"] = self.table.repeats
        figures["trades rerouted"] = self.rerouted
        figures["redis answers lost"] = self.redis.lost_answers
        figures["redis entries lost"] = self.redis.lost_entries
        return figures

    def _ends(self) -> Iterator[tuple[str, tuple[str, int]]]:
        """Where each trade that was given has ended."""
        codec, names = self.codec(), {LANES: "over the edge"}
        dead = {codec.decode(body).trade.trade_id for body in self.redis.buried}
        for one, trade_ms in self.given.items():
            reasons = {
                reason for reason, since_s, until_s in self.windows if since_s * 1000 <= trade_ms <= until_s * 1000
            }
            if one in self.table.rows:
                yield one, (names.get(self.table.rows[one], "by the ingest itself"), trade_ms)
            elif GapReason.OVERFLOW in reasons:
                yield one, ("read again after a loss", trade_ms)
            elif reasons:
                yield one, ("read again after a start", trade_ms)
            else:
                yield one, ("dead letters" if one in dead else "nowhere", trade_ms)
