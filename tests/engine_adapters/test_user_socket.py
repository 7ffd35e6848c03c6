"""The user socket over a real connection: what is sent first, what comes through, and how it ends."""

import json
from functools import partial

import pytest
import trio
import trio_websocket
from engine_adapters.test_clob_account_api import CREDS, TRADE, account

from engine.adapters.rtds_socket import RtdsDialer
from engine.adapters.user_socket import ClobUserDialer
from protocols.errors import RejectedError, TransientError
from protocols.venue.clob_account import VenueFill
from protocols.venue.clob_user import OrderUpdate

UPDATE = {
    "event_type": "order",
    "type": "UPDATE",
    "id": "0xAA",
    "status": "LIVE",
    "size_matched": "2",
    "timestamp": "5",
}
FRAMES = ["", "PONG", json.dumps([UPDATE, {"event_type": "trade", **TRADE}]), "<html>", json.dumps(UPDATE)]


async def serve(got: list[str], nursery: trio.Nursery) -> str:
    """A socket that writes down what it is told and says the frames after the first; `bye` closes it."""

    async def handle(request: trio_websocket.WebSocketRequest) -> None:
        connection = await request.accept()
        got.append(request.path)
        got.append(await connection.get_message())
        for frame in FRAMES:
            await connection.send_message(frame)
        got.append(await connection.get_message())
        await connection.aclose(code=1011, reason="restarting")

    server = await nursery.start(
        partial(trio_websocket.serve_websocket, handle, "127.0.0.1", 0, None, handler_nursery=nursery)
    )
    return f"ws://127.0.0.1:{server.port}/ws/user"


def dialer(url: str, nursery: trio.Nursery) -> RtdsDialer:
    return RtdsDialer(url=url, user_agent="test", frame_bytes_max=1 << 20, nursery=nursery)


async def test_it_subscribes_with_the_credentials_and_hands_on_what_it_understands():
    got: list[str] = []
    async with account() as (_, api), trio.open_nursery() as nursery:
        dialling = ClobUserDialer(dialer=dialer(await serve(got, nursery), nursery), api=api)
        socket = await dialling.dial()
        news = []
        while len(news) < 3:
            news += await socket.receive(100)
        assert [type(one) for one in news] == [OrderUpdate, VenueFill, OrderUpdate]
        assert {one.order_hash for one in news} == {"0xaa"}
        assert dialling.malformed == 1
        assert got[0] == "/ws/user"
        auth = {"apiKey": CREDS["apiKey"], "secret": CREDS["secret"], "passphrase": CREDS["passphrase"]}
        assert json.loads(got[1]) == {"type": "user", "auth": auth}
        await socket.ping()
        with pytest.raises(TransientError, match="1011"):
            await socket.receive(100)
        assert got[2] == "PING"
        with pytest.raises(TransientError):
            await socket.ping()
        await socket.aclose()
        nursery.cancel_scope.cancel()


async def test_without_credentials_nothing_is_dialled():
    refused = [(401, {"error": "Invalid L1 Request headers"})]
    answers = {"auth__derive-api-key": refused, "auth__api-key": refused}
    async with account(**answers) as (_, api), trio.open_nursery() as nursery:
        with pytest.raises(RejectedError):
            await ClobUserDialer(dialer=dialer("ws://127.0.0.1:9", nursery), api=api).dial()


async def test_nobody_at_the_other_end_is_weather():
    async with account() as (_, api), trio.open_nursery() as nursery:
        with pytest.raises(TransientError):
            await ClobUserDialer(dialer=dialer("ws://127.0.0.1:9", nursery), api=api).dial()
