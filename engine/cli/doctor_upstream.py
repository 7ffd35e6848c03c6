"""The checks of `polycopy doctor` that talk to the venue: each asks for a little of what the engine will ask for."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from config.schema import EngineConfig, VenueConfig
from engine.adapters.rtds_socket import RtdsDialer
from engine.adapters.upstream import Params, open_upstream
from engine.cli.doctor_report import Check, CheckFailedError
from engine.runtime.traffic import Traffic
from protocols.clock import WallClock
from protocols.errors import MalformedError, RejectedError, TransientError
from protocols.ingest import WebSocketLike
from protocols.venue.data_api import decode_trades_v1, decode_trades_v2
from protocols.venue.gamma import decode_markets
from protocols.venue.rtds import FrameKind, TradeFrame, decode_frame, subscribe_frame

CLOCK_SKEW_MAX_S = 5.0
MESSAGES_MAX = 64
NETWORK_HINT = "is the address right, and does a firewall, proxy or DNS of this machine stand between?"
STREAM_HINT = "the engine needs this stream; without it every trade comes late, from the Data API"


@attrs.define(eq=False, kw_only=True)
class UpstreamChecks:
    """One check for each of the venue's surfaces."""

    config: EngineConfig
    clock: WallClock
    timeout_s: float

    def checks(self) -> list[Check]:
        """Returns the checks in the order in which they are shown."""
        works: tuple[tuple[str, Callable[[], Awaitable[str]], str], ...] = (
            ("stream", self._stream, STREAM_HINT),
            ("clob sockets", self._clob_sockets, NETWORK_HINT),
            ("clob", self._clob, NETWORK_HINT),
            ("gamma", self._gamma, NETWORK_HINT),
            ("data api", self._data, NETWORK_HINT),
        )
        return [Check(name=name, work=work, hint=hint, timeout_s=self.timeout_s) for name, work, hint in works]

    async def _stream(self) -> str:
        """Connects, subscribes and waits for the first trade."""

        async def first_trade(socket: WebSocketLike) -> str:
            await socket.send(subscribe_frame(self.config.stream.topics.split("+")))
            subscribed_s = trio.current_time()
            # A little sooner than the check's own end, to be able to say how far it came.
            with trio.move_on_after(self.timeout_s * 0.9):
                await _until_trade(socket)
                return f"{venue.rtds_url}: first trade {trio.current_time() - subscribed_s:.1f} s after subscribing"
            raise CheckFailedError(f"{venue.rtds_url} accepted the subscription but sent no trade", STREAM_HINT)

        venue = self.config.venue
        return await self._with_socket(venue.rtds_url, first_trade)

    async def _clob_sockets(self) -> str:
        async def connected(_: WebSocketLike) -> str:
            return f"{url}: connected"

        url = self.config.venue.clob_ws_url.rstrip("/") + "/ws/market"
        return await self._with_socket(url, connected)

    async def _clob(self) -> str:
        body = await _get(self.config.venue, "clob", self.config.venue.clob_url, "/time", self.timeout_s)
        try:
            skew_s = int(body) - self.clock.now_ms() / 1000
        except ValueError:
            raise CheckFailedError(f"{self.config.venue.clob_url}/time answers no time") from None
        if abs(skew_s) > CLOCK_SKEW_MAX_S:
            hint = "set the clock of this machine (NTP); trades and signatures carry times"
            raise CheckFailedError(f"the clock of this machine differs by {skew_s:+.0f} s from the venue's", hint)
        return f"{self.config.venue.clob_url}: answers; clocks differ by less than {abs(skew_s) + 1:.0f} s"

    async def _gamma(self) -> str:
        venue = self.config.venue
        params = [("limit", 1)]
        markets, malformed = decode_markets(
            await _get(venue, "gamma", venue.gamma_url, "/markets", self.timeout_s, params)
        )
        if not markets:
            reason = f"a market is not understood: {malformed[0]}" if malformed else "answers without any market"
            raise CheckFailedError(f"{venue.gamma_url}: {reason}")
        return f"{venue.gamma_url}: answers"

    async def _data(self) -> str:
        venue = self.config.venue
        try:
            params: Params = [("limit", 1), ("taker_only", "false")]
            page = decode_trades_v2(await _get(venue, "data", venue.data_url, "/v2/trades", self.timeout_s, params))
            version = "v2"
        except RejectedError:
            params = [("limit", 1), ("takerOnly", "false")]
            page = decode_trades_v1(await _get(venue, "data", venue.data_url, "/trades", self.timeout_s, params))
            version = "v1 only"
        if page.rows_sent and not page.rows:
            raise CheckFailedError(f"{venue.data_url}: a row is not understood: {', '.join(page.malformed)}")
        return f"{venue.data_url}: answers ({version}){'' if page.rows else ', without any trade'}"

    async def _with_socket(self, url: str, talk: Callable[[WebSocketLike], Awaitable[str]]) -> str:
        """Runs `talk` over a new socket and returns what it found; what either raises comes in a group."""
        async with trio.open_nursery() as nursery:
            dialer = RtdsDialer(
                url=url,
                user_agent=self.config.venue.user_agent,
                frame_bytes_max=self.config.stream.frame_bytes_max,
                nursery=nursery,
            )
            socket = await dialer.dial()
            try:
                return await talk(socket)
            finally:
                with trio.CancelScope(shield=True):
                    await socket.aclose()
                nursery.cancel_scope.cancel()
        raise AssertionError("unreachable")


async def _until_trade(socket: WebSocketLike) -> None:
    while True:
        for text in await socket.receive_many(MESSAGES_MAX):
            try:
                frame = decode_frame(text)
            except MalformedError:
                continue
            if frame is FrameKind.REFUSED:
                raise CheckFailedError(f"the stream refused the subscription: {text[:120]!r}", "update Polycopy")
            if isinstance(frame, TradeFrame):
                return


async def _get(venue: VenueConfig, name: str, base_url: str, path: str, timeout_s: float, params: Params = ()) -> bytes:
    """One GET. Raises `CheckFailedError`, or `RejectedError` where the path may be unknown."""
    patient = attrs.evolve(venue, request_timeout_s=timeout_s)
    async with open_upstream(name, base_url, patient, rate_per_s=10, traffic=Traffic()) as api:
        try:
            return await api.get(path, params)
        except TransientError as error:
            if "answered 403" in str(error):
                hint = "the venue refuses this machine's region or network, or venue.user_agent"
                raise CheckFailedError(f"{base_url}: {error}", hint) from None
            raise CheckFailedError(f"{base_url}{path}: {str(error).removeprefix(f'{name}: ')}") from None
