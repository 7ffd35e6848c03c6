"""Reads the platform's trades from the real-time data stream and never lets anybody make it wait."""

import logging
from collections import Counter
from collections.abc import Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.gaps import merged
from actors.rules.log_limit import LogLimit
from actors.rules.stall import StallWatch
from actors.stream_session import StreamSession
from config.schema import StreamConfig
from protocols.channels import Outbox
from protocols.clock import Random, WallClock
from protocols.errors import MalformedError, TransientError
from protocols.ingest import GapReason, GapRequest, StreamDialer
from protocols.timestamps import epoch_ms
from protocols.trades import RawTrade

_log = logging.getLogger(__name__)
# The feed has been seen up to an hour late; what lies further back is an old recording, not a delay.
DELAY_MAX_MS = 6 * 3_600_000
LATE_MAX_MS = 3_600_000


@attrs.define(eq=False, kw_only=True)
class StreamReader:
    """RTDS socket → raw trades, and requests to re-read what a lost or silent socket may have missed.

    One socket at a time; only a planned recycling overlaps two, for at most `recycle_overlap_s`. A socket lives while data
    arrives: PONG proves nothing (venue.md §1.3).
    """

    dialer: StreamDialer
    trades: Outbox[RawTrade]
    gaps: Outbox[GapRequest]
    config: StreamConfig
    clock: WallClock
    rng: Random
    frames: Counter[str] = attrs.field(init=False, factory=Counter)
    """Frames by result: `trade`, `keep_alive`, `other`, `refused`, or why they were malformed."""
    reconnects: Counter[str] = attrs.field(init=False, factory=Counter)
    """New sockets by reason."""
    overflowed: int = attrs.field(init=False, default=0)
    last_data_s: float | None = attrs.field(init=False, default=None)
    _newest_trade_ms: int | None = attrs.field(init=False, default=None)
    connected: bool = attrs.field(init=False, default=False)
    _connections: int = attrs.field(init=False, default=0)
    _began_ms: int | None = attrs.field(init=False, default=None)
    """Wall-clock time of the first socket."""
    _pending_gaps: dict[bool, GapRequest] = attrs.field(init=False, factory=dict)
    """What was not handed on yet, by whether it has a start time; nothing is merged into a gap that has none."""
    _gap_wanted: trio.Event = attrs.field(init=False, factory=trio.Event)
    _backoff: Backoff = attrs.field(init=False)
    _stall: StallWatch = attrs.field(init=False)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(
            first_s=self.config.reconnect_delay_s, max_s=self.config.reconnect_delay_max_s, rng=self.rng
        )
        self._stall = StallWatch(timeout_s=self.config.stall_timeout_s, timeout_max_s=self.config.stall_timeout_max_s)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads until cancelled."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send_gaps)
            reason = GapReason.RECONNECT if self.reconnects else GapReason.START
            session = await self._connect(nursery, reason)
            while True:
                reason = await self._until_replaced(session)
                if reason is GapReason.RECYCLE:
                    session = await self._recycle(nursery, session)
                else:
                    self.connected = False
                    session.close()
                    await session.ended.wait()
                    session = await self._connect(nursery, reason)

    async def _connect(self, nursery: trio.Nursery, reason: GapReason) -> StreamSession:
        """Opens a socket, however long it takes, one attempt a back-off step."""
        if reason is not GapReason.START:
            # A server that accepts and drops at once must not be hammered, not even when it replays a burst before it
            # drops: data makes the pause short again, but never none.
            await trio.sleep(self._backoff.next_s())
        # Before the new socket can deliver anything, which must not hide what lies before it.
        last_data_s = self.last_data_s
        while True:
            try:
                session = await self._open(nursery)
            except TransientError as error:
                self._warn("connect", "stream not reached", error=str(error))
                await trio.sleep(self._backoff.next_s())
                continue
            self.connected = True
            self.reconnects[reason.value] += 1
            self._want_gap(self._gap_since(last_data_s, reason))
            return session

    async def _open(self, nursery: trio.Nursery) -> StreamSession:
        with trio.move_on_after(self.config.connect_timeout_s) as scope:
            socket = await self.dialer.dial()
        if scope.cancelled_caught:
            raise TransientError(f"no handshake within {self.config.connect_timeout_s:g} s")
        self._connections += 1
        now_s = trio.current_time()
        session = StreamSession(
            number=self._connections,
            socket=socket,
            sink=self,
            config=self.config,
            opened_s=now_s,
            # Half of the interval is jittered, so that engines started together do not recycle together.
            recycle_at_s=now_s + self.config.recycle_interval_s * (1 + self.rng.random()) / 2,
        )
        await nursery.start(session.serve)
        return session

    async def _until_replaced(self, session: StreamSession) -> GapReason:
        """Waits until the session is lost, silent for too long, or old, and says which."""
        while True:
            now_s = trio.current_time()
            silent_at_s = session.last_data_s + self._stall.current_s
            # Data may bring the time-out back at any time, so nothing longer than that is slept at a stretch.
            with trio.move_on_at(min(silent_at_s, session.recycle_at_s, now_s + self._stall.timeout_s)):
                await session.ended.wait()
                self._warn("lost", "stream lost", error=session.end_reason)
                return GapReason.RECONNECT
            now_s = trio.current_time()
            if now_s >= session.last_data_s + self._stall.current_s:
                self._warn("stall", "stream silent, replacing the socket", silence_s=round(self._stall.current_s, 1))
                self._stall.stalled()
                return GapReason.STALL
            if now_s >= session.recycle_at_s:
                return GapReason.RECYCLE

    async def _recycle(self, nursery: trio.Nursery, old: StreamSession) -> StreamSession:
        """Replaces a healthy socket: the new one first, the old one closed as soon as the new one delivers."""
        last_data_s = old.last_data_s
        was_silent = trio.current_time() - last_data_s > self.config.recycle_overlap_s
        try:
            new = await self._open(nursery)
        except TransientError as error:
            self._warn("recycle", "no new socket for recycling, the old one stays", error=str(error))
            old.recycle_at_s = trio.current_time() + self.config.recycle_interval_s / 4
            return old
        with trio.move_on_after(self.config.recycle_overlap_s):
            await new.first_data.wait()
        old.close()
        self.reconnects[GapReason.RECYCLE.value] += 1
        # A socket that had fallen silent was no healthy one: what it missed is more than a recycling reads.
        self._want_gap(self._gap_since(last_data_s, GapReason.STALL if was_silent else GapReason.RECYCLE))
        return new

    def keep(self, trades: Sequence[RawTrade]) -> None:
        """Takes decoded trades from a session; drops what nobody can take, counted and to be read again."""
        self._newest_trade_ms = _trade_ms(trades[-1], self._newest_trade_ms or 0) or None
        kept = self.trades.send_many_nowait(trades)
        if kept < len(trades):
            self.overflowed += len(trades) - kept
            now_ms = self.clock.now_ms()
            since_ms = min(now_ms, *(_trade_ms(trade, now_ms) for trade in trades[kept:]))
            self._want_gap(GapRequest(reason=GapReason.OVERFLOW, since_ms=since_ms, until_ms=now_ms))

    def data_arrived(self, now_s: float) -> None:
        """A session delivered trades at monotonic time `now_s`: the stream is alive."""
        self.last_data_s = now_s
        self._stall.data_arrived()
        self._backoff.reset()

    def malformed(self, reason: str, detail: str) -> None:
        """Counts a frame that was not understood; one log line for many."""
        self.frames[reason] += 1
        self._warn(f"malformed {reason}", "frame not understood", reason=reason, detail=detail)

    def _gap_since(self, last_data_s: float | None, reason: GapReason) -> GapRequest:
        now_ms = self.clock.now_ms()
        since_ms = self._began_ms
        if last_data_s is not None:
            since_ms = now_ms - round((trio.current_time() - last_data_s) * 1000)
            # A delayed stream has delivered no more than the trades it was at.
            if self._newest_trade_ms is not None and 0 <= now_ms - self._newest_trade_ms < DELAY_MAX_MS:
                since_ms = min(since_ms, self._newest_trade_ms)
        if self._began_ms is None:
            self._began_ms = now_ms
        return GapRequest(reason=reason, since_ms=since_ms, until_ms=now_ms)

    def _want_gap(self, request: GapRequest) -> None:
        has_start = request.since_ms is not None
        pending = self._pending_gaps.get(has_start)
        self._pending_gaps[has_start] = request if pending is None else merged(pending, request)
        self._gap_wanted.set()

    async def _send_gaps(self) -> None:
        """Hands gaps on; waits for the gap filler so that no reading loop has to."""
        while True:
            self._gap_wanted = trio.Event()
            while self._pending_gaps:
                has_start, request = next(iter(self._pending_gaps.items()))
                await self.gaps.send(request)
                # Only now it is handed on: a crash while it waits for room must not lose it. What was merged into it
                # meanwhile is sent as well.
                if self._pending_gaps[has_start] is request:
                    del self._pending_gaps[has_start]
            await self._gap_wanted.wait()

    def _warn(self, key: str, message: str, **fields: object) -> None:
        held = self._log_limit.allows(key, trio.current_time())
        if held is not None:
            _log.warning(message, extra={**fields, "more_since_last": held})


def _trade_ms(trade: RawTrade, now_ms: int) -> int:
    """Returns the time of a trade that was seen at `now_ms`: rows arrive late, but hardly more than an hour."""
    try:
        return max(epoch_ms(trade.row.timestamp), now_ms - LATE_MAX_MS)
    except MalformedError:
        return now_ms
