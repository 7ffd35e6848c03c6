"""What lies between one node and the venue: connections that take long to be made, ways that are cut, silent sockets."""

from collections.abc import Callable, Mapping

import attrs
import trio
from simulation.live_sim.sim_network import SimDialer, SimLanes, SimSocket, SimUpstream
from simulation.live_sim.sim_venue import SimVenue

from protocols.errors import TransientError
from protocols.venue.clob_orders import Lost, PostReply, Unsent


@attrs.define(eq=False, kw_only=True)
class VenueWay:
    """Between a node and the venue."""

    venue: SimVenue
    is_cut: bool = False
    is_dead: bool = False
    slow_dial: float = 0.0
    """How often a connection has to be made anew and takes its time."""
    sockets: list[SimSocket] = attrs.field(factory=list)

    def cut(self) -> None:
        self.is_cut = True
        for one in self.sockets:
            # Neither side is told.
            one.mute = True

    def join(self) -> None:
        self.is_cut = False

    def die(self) -> None:
        self.is_dead = True
        for one in self.sockets:
            one.close(1006, "the process is gone")
            self.venue.users.leave(one)
        self.sockets.clear()


@attrs.define(eq=False)
class NodeLanes(SimLanes):
    """Requests of one account from one node."""

    way: VenueWay
    sends: Callable[[], None]
    """Told when the first byte of an order leaves."""
    may_send: Callable[[], bool]

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", query: str = ""
    ) -> PostReply:
        way, rng = self.way, self.venue.rng
        if way.is_dead:
            await trio.lowlevel.checkpoint()
            return Unsent("nobody sends")
        if rng.random() < way.slow_dial:
            dial_s = rng.uniform(0.1, 1.5 * self.timeout_s)
            with trio.move_on_after(self.timeout_s) as dialling:
                await trio.sleep(dial_s)
                # Who was stopped meanwhile finds his time over before he sends, as `HttpLine` does.
                await trio.lowlevel.checkpoint_if_cancelled()
            if dialling.cancelled_caught:
                return Unsent("no connection in time")
        is_order = (method, path) == ("POST", "/order")
        if way.is_cut and rng.random() < 0.5:
            await trio.sleep(self.timeout_s)
            return Unsent("no connection in time")
        if is_order and not self.may_send():
            return Unsent("not any more")
        if is_order and not way.is_dead:
            self.sends()
        if way.is_cut:
            # Over a connection that was there: it goes nowhere.
            await trio.sleep(self.timeout_s)
            return Lost("no answer in time")
        reply = await SimLanes.send(self, method, path, headers=headers, body=body, query=query)
        return Lost("no answer in time") if way.is_cut and not isinstance(reply, Unsent) else reply


@attrs.define(eq=False)
class NodeUpstream(SimUpstream):
    """Reads of books from one node."""

    way: VenueWay

    async def _travel(self) -> None:
        await SimUpstream._travel(self)
        if self.way.is_cut:
            raise TransientError("no way to the venue")


@attrs.define(eq=False)
class NodeDialer(SimDialer):
    """User sockets of one node."""

    way: VenueWay

    async def dial(self) -> SimSocket:
        if self.way.is_cut or self.way.is_dead:
            await trio.sleep(0.1)
            raise TransientError("user channel not reached")
        socket = await SimDialer.dial(self)
        if self.way.is_dead:
            await socket.aclose()
            raise TransientError("user channel not reached")
        self.way.sockets.append(socket)
        return socket
