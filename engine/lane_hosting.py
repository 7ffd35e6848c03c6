"""Writes the trades of the edge `lanes` while this process holds the lease for it, and stands by while another one does."""

import logging
from collections.abc import Callable

import attrs
import trio

from actors.rules.backoff import Backoff
from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.trade_store import PostgresTradeStore
from engine.edges import Edges, told_by_readiness
from engine.lane_edge import LANES
from engine.lane_wiring import LanePorts, LaneReading, lane_reading
from engine.lease_keeping import extend_forever, give_back
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.host import run_graph
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor, is_fenced
from protocols.clock import Random
from protocols.edges import EdgeCodec, EdgeStore
from protocols.errors import TransientError
from protocols.instruments import Observer
from protocols.trades import LanedTrade

_log = logging.getLogger(__name__)
GOODBYE_S = 2.0
LOOK_S = 1.0


@attrs.define(eq=False, kw_only=True)
class LaneHost:
    """The reading end of one process: one lease after another until `stop` is set.

    The consumer is named after the lease, so that whoever has it next finds at once what the one before had in hand. One that
    the store does not answer for a lease's time leaves the lease to others, and asks for it again when the store answers.
    """

    config: EngineConfig
    options: DatabaseOptions
    office: LeaseOffice
    edge: EdgeStore
    codec: EdgeCodec[LanedTrade]
    edges: Edges
    readiness: Readiness
    supervisor: Supervisor
    stop: trio.Event
    rng: Random
    latency: Observer
    committed: Callable[[], None]
    """Wakes the feed of this process."""
    ended: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def run(self) -> None:
        """Writes until `stop` is set and the stream was empty once, or the drain deadline has passed."""
        try:
            await self._run()
        finally:
            self.ended.set()

    async def _run(self) -> None:
        while not self.stop.is_set():
            hold = await self._lease()
            if hold is None:
                return
            is_cut = False
            try:
                is_cut = await self._read(hold)
            except Exception as error:
                if not is_fenced(error):
                    raise
                _log.error("another engine took over, standing by", extra={"lease": LANES, "error": str(error)})
            finally:
                self.edges.lanes = None
                await give_back(self.office, (hold,))
            if is_cut:
                _log.warning("the store does not answer, another engine may read", extra={"lease": LANES})
                await self._until_answered()

    async def _until_answered(self) -> None:
        """Returns when the store answers, or when stopping."""
        while not self.stop.is_set():
            try:
                await self.edge.figures()
                return
            except TransientError:
                with trio.move_on_after(LOOK_S):
                    await self.stop.wait()

    async def _lease(self) -> LeaseHold | None:
        """Returns the lease as soon as it is ours, or None when stopping."""
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.rng)
        while True:
            try:
                answer = await self.office.acquire(LANES)
                if isinstance(answer, LeaseHold):
                    _log.info("lease held", extra={"lease": LANES, "epoch": answer.epoch})
                    return answer
                pause_s = min(answer.left_s + 0.05, self.office.ttl_s / 3)
            except TransientError as error:
                _log.warning("lease not asked for", extra={"lease": LANES, "error": str(error)})
                pause_s = backoff.next_s()
            with trio.move_on_after(pause_s):
                await self.stop.wait()
                return None

    async def _read(self, hold: LeaseHold) -> bool:
        """Reads until `stop` is set and all is written; True: until the store had not answered for too long."""
        async with open_connection(self.options, "lanes") as connection, trio.open_nursery() as nursery:
            reading = lane_reading(self.config, self._ports(PostgresTradeStore(connection, Leases((hold,)))))
            self.edges.lanes = reading
            nursery.start_soon(extend_forever, self.office, (hold,))
            with trio.CancelScope() as answered:
                nursery.start_soon(self._cancel_when_cut, reading.inbox, answered)
                await run_graph(reading.graph, self.supervisor, self.stop, drain_s=self.config.limits.drain_s)
                await self._say_goodbye(reading)
            nursery.cancel_scope.cancel()
        return answered.cancelled_caught

    async def _cancel_when_cut(self, inbox: EdgeInbox[LanedTrade], answered: trio.CancelScope) -> None:
        answered_s = trio.current_time()
        while (now_s := trio.current_time()) - answered_s < self.office.ttl_s:
            if inbox.answers:
                answered_s = now_s
            await trio.sleep(self.office.ttl_s / 20)
        answered.cancel()

    def _ports(self, trades: PostgresTradeStore) -> LanePorts:
        return LanePorts(
            edge=self.edge,
            codec=self.codec,
            trades=trades,
            rng=self.rng,
            latency=self.latency,
            committed=self._committed,
            is_open=told_by_readiness(self.readiness, f"{LANES} (reading)"),
        )

    def _committed(self, rows: int) -> None:
        self.committed()
        self.edges.committed(rows)

    async def _say_goodbye(self, reading: LaneReading) -> None:
        try:
            with trio.move_on_after(GOODBYE_S):
                await reading.inbox.leave()
        except TransientError as error:
            _log.warning("items in hand not given back, they will be taken over", extra={"error": str(error)})
