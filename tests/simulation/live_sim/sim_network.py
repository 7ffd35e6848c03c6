"""What the engine's own clients of the venue stand on: requests, answers and socket frames that fly on virtual time."""

from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs
import trio
from simulation.live_sim.sim_venue import SimVenue

from engine.simulator.clob_reads import compact_market
from engine.simulator.exchange.admission import Attempt, read_entries
from engine.simulator.exchange.api_keys import SignedRequest
from engine.simulator.wire_numbers import encode_json
from protocols.errors import RejectedError, TransientError
from protocols.venue.clob_orders import Answered, Lost, PostReply, Unsent
from protocols.venue.strict_json import read_array, read_object

PAGE = b"<html><body>502 Bad Gateway</body></html>"


@attrs.define(eq=False)
class SimLanes:
    """`ClobLanes` to the simulated venue. What is on its way goes on when the caller dies."""

    venue: SimVenue
    timeout_s: float

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", query: str = ""
    ) -> PostReply:
        venue = self.venue
        weather, rng = venue.weather, venue.rng
        is_post = (method, path) == ("POST", "/order")
        if weather.down or rng.random() < weather.refused:
            await trio.sleep(0.01)
            return Unsent("no connection")
        flight = _Flight()
        request = SignedRequest(
            method=method,
            path=path,
            headers={name.lower(): value for name, value in headers.items()},
            query=dict(parse_qsl(query)),
            body=body,
        )
        venue.note(f"{method} {path}")
        venue.nursery.start_soon(self._fly, flight, request, is_post)
        order_id = ""
        if is_post:
            order_id = str(hash_in(venue, request))
            if order_id in venue.doubtful:
                venue.violations.append(f"{order_id} was sent again though its fate was not known")
            venue.doubtful.add(order_id)
        reply: PostReply = Lost("no answer in time")
        with trio.move_on_after(self.timeout_s):
            await flight.landed.wait()
            reply = flight.reply
        if is_post and isinstance(reply, Answered) and reply.body != PAGE and reply.status < 500:
            venue.doubtful.discard(order_id)
        return reply

    async def _fly(self, flight: "_Flight", request: SignedRequest, is_post: bool) -> None:
        venue = self.venue
        weather, rng = venue.weather, venue.rng
        await trio.sleep(venue.delay_s())
        fate = rng.random() / weather.lost if weather.lost else 2.0
        if fate < 0.5:
            flight.land(Lost("connection reset on the way"))
            return
        if request.path == "/time":
            reply: PostReply = Answered(status=200, body=str(venue.clock.now_ms() // 1000).encode())
        else:
            reply = await self._answer(request)
        await trio.sleep(venue.delay_s())
        flight.land(Lost("connection reset on the way back") if fate < 1 else reply)

    async def _answer(self, request: SignedRequest) -> PostReply:
        venue = self.venue
        delivery = venue.desk.send(request, venue.clock.now_ms())
        await trio.sleep(delivery.delay_ms / 1000)
        if delivery.lost is not None:
            if delivery.lost == "hang":
                await trio.sleep(60)
            return Lost("closed without an answer")
        reply = None
        if delivery.handling is not None:
            while (due_ms := delivery.handling.due_ms) is not None:
                await trio.sleep(max(0, due_ms - venue.clock.now_ms()) / 1000)
                venue.api.tick(venue.clock.now_ms())
            reply = delivery.handling.reply()
        if delivery.error_status is not None or reply is None:
            body = PAGE if delivery.html else b'{"error":"could not insert order"}'
            return Answered(status=delivery.error_status or 502, body=body)
        retry = reply.headers.get("Retry-After")
        return Answered(
            status=reply.status,
            body=encode_json(reply.body),
            retry_after_s=float(retry) if retry is not None else None,
        )


def hash_in(venue: SimVenue, request: SignedRequest) -> str:
    """The hash of the order in a request, found as the venue finds it."""
    entries = read_entries([read_object(request.body)])
    attempt = Attempt(request=request, entries=entries, payload=entries[0], now_ms=venue.clock.now_ms())
    venue.exchange.desk.find_market(attempt)
    return attempt.order_id


@attrs.define(eq=False)
class _Flight:
    landed: trio.Event = attrs.field(factory=trio.Event)
    reply: PostReply = attrs.field(factory=lambda: Lost("nothing came"))

    def land(self, reply: PostReply) -> None:
        self.reply = reply
        self.landed.set()


@attrs.define(eq=False)
class SimUpstream:
    """`Upstream` of books and terms."""

    venue: SimVenue

    async def get(self, path: str, params: Any = ()) -> bytes:
        await self._travel()
        if path == "/book":
            book = self.venue.book(dict(params)["token_id"])
            if book is None:
                raise RejectedError("No orderbook exists for the requested token id")
            return encode_json(book)
        market = self.venue.markets.with_condition(path.rsplit("/", 1)[-1])
        if market is None:
            raise RejectedError("market not found")
        return encode_json(compact_market(market))

    async def post(self, path: str, body: bytes) -> bytes:
        await self._travel()
        assert path == "/books"
        books = [self.venue.book(one["token_id"]) for one in read_array(body)]
        return encode_json([one for one in books if one is not None])

    async def _travel(self) -> None:
        weather = self.venue.weather
        await trio.sleep(self.venue.delay_s())
        if weather.down or self.venue.rng.random() < weather.refused + weather.lost:
            raise TransientError("no answer of the CLOB")


@attrs.define(eq=False)
class SimDialer:
    """`StreamDialer` to the user channel."""

    venue: SimVenue

    async def dial(self) -> "SimSocket":
        weather = self.venue.weather
        await trio.sleep(self.venue.delay_s())
        if weather.down or self.venue.rng.random() < weather.dial:
            raise TransientError("user channel not reached")
        return SimSocket(self.venue, mute=self.venue.rng.random() < weather.socket_mute)


@attrs.define(eq=False)
class SimSocket:
    """One connection, as both ends see it."""

    venue: SimVenue
    mute: bool
    lost_frames: int = 0
    is_open: bool = attrs.field(init=False, default=True)
    _frames: deque[tuple[float, str]] = attrs.field(init=False, factory=deque)
    _lot: Any = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)

    def __attrs_post_init__(self) -> None:
        self.venue.users.join(self)
        self.venue.note("socket opened")

    def tell(self, event: object) -> None:
        if self.venue.rng.random() < self.venue.weather.socket_dies:
            self.close(1006, "reset")
            return
        self._offer(encode_json(event).decode())

    def close(self, _code: int, _reason: str) -> None:
        if self.is_open:
            self.is_open = False
            self.venue.note("socket closed")
        self._lot.unpark_all()

    async def receive_many(self, messages_max: int) -> list[str | bytes]:
        while True:
            if self.venue.weather.down:
                self.close(1006, "down")
            if not self.is_open:
                self.venue.users.leave(self)
                await trio.lowlevel.checkpoint()
                raise TransientError("the socket was closed")
            if self._frames:
                due_s = self._frames[0][0]
                if due_s <= trio.current_time():
                    break
                await trio.sleep_until(due_s)
                continue
            await self._lot.park()
        now_s = trio.current_time()
        taken: list[str | bytes] = []
        while self._frames and self._frames[0][0] <= now_s and len(taken) < messages_max:
            taken.append(self._frames.popleft()[1])
        await trio.lowlevel.checkpoint()
        return taken

    async def send(self, message: str) -> None:
        await trio.lowlevel.checkpoint()
        if not self.is_open:
            raise TransientError("the socket was closed")
        if message == "PING":
            self._offer("PONG")
        else:
            self.venue.users.answer(self, read_object(message))

    async def aclose(self) -> None:
        self.close(1000, "bye")
        self.venue.users.leave(self)
        await trio.lowlevel.checkpoint()

    def _offer(self, text: str) -> None:
        if self.mute or not self.is_open:
            self.lost_frames += 1
            return
        due_s = trio.current_time() + self.venue.delay_s() / 2
        if self._frames:
            due_s = max(due_s, self._frames[-1][0])
        self._frames.append((due_s, text))
        self._lot.unpark_all()
