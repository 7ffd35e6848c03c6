"""The trading endpoints of the CLOB over HTTP, and the clock of the exchange."""

from collections.abc import Mapping

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive

from engine.simulator.data_requests import json_response
from engine.simulator.exchange.api_keys import SignedRequest
from engine.simulator.exchange.deliveries import Delivery, DeliveryDesk
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.replies import Handling, Reply
from engine.simulator.exchange.trading_api import TradingApi
from engine.simulator.http_faults import html_error_page
from engine.web.http_error import ConnectionAbandoned
from protocols.clock import WallClock

_TICK_S = 0.02


class ClobTrading:
    """Answers what the exchange says, or what becomes of it on the way."""

    def __init__(self, exchange: Exchange, *, clock: WallClock) -> None:
        self._api = TradingApi(exchange)
        self._desk = DeliveryDesk(self._api, exchange.faults)
        self._clock = clock

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        methods: dict[str, list[str]] = {}
        for method, path in self._api.paths():
            methods.setdefault(path, []).append(method)
        return [Route(path, self._endpoint, methods=each) for path, each in methods.items()]

    async def run(self) -> None:
        """Lets the exchange go on as time passes; runs for ever."""
        while True:
            self._api.tick(self._clock.now_ms())
            await trio.sleep(_TICK_S)

    async def _endpoint(self, request: Request) -> Response:
        signed = SignedRequest(
            method=request.method,
            path=request.url.path,
            headers=_plain(request.headers),
            query=dict(request.query_params),
            body=await request.body(),
        )
        delivery = self._desk.send(signed, self._clock.now_ms())
        if delivery.delay_ms:
            await trio.sleep(delivery.delay_ms / 1000)
        if delivery.lost is not None:
            await _lose(delivery, request.receive)
        reply = await self._reply(delivery.handling) if delivery.handling is not None else None
        if delivery.error_status is not None or reply is None:
            return _error_page(delivery)
        headers = dict(reply.headers)
        return json_response(reply.body, status=reply.status, headers=headers)

    async def _reply(self, handling: Handling) -> Reply:
        while (due_ms := handling.due_ms) is not None:
            await trio.sleep(max(0, due_ms - self._clock.now_ms()) / 1000)
            self._api.tick(self._clock.now_ms())
        return handling.reply()


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    # Some clients write POLY-ADDRESS, others POLY_ADDRESS.
    return {name.lower().replace("-", "_"): value for name, value in headers.items()}


async def _lose(delivery: Delivery, receive: Receive) -> None:
    if delivery.lost == "hang":
        while (await receive())["type"] != "http.disconnect":
            pass
    raise ConnectionAbandoned


def _error_page(delivery: Delivery) -> Response:
    status = delivery.error_status or 502
    if delivery.html:
        return Response(html_error_page(), status, media_type="text/html")
    return json_response({"error": "could not insert order"}, status=status)
