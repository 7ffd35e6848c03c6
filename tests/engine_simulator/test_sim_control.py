import json

import pytest
import trio
from simulator_clients import TRADES, WALLET, row, running


async def test_the_state_tells_what_is_going_on():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.emit(row())
        await client.row()
        await venue.gamma("/markets")
        state = await venue.state()
        assert state["uptime_s"] > 0
        assert state["rows_emitted"] == {"trades": 1, "orders_matched": 1}
        assert state["connections"] == {"now": 1, "total": 1}
        assert state["subscriptions"] == {"activity/trades": 1}
        assert state["http"]["gamma"] == {"/markets": 1}
        assert state["markets"] == {"total": 20, "open": 20, "closed": 0, "resolved": 0}
        assert state["fills"] == {"total": 1, "kept": 1, "evicted": 0}
        assert state["tape"]["playing"] is False
        assert state["finished"] is False


async def test_playing_can_be_started_and_paused():
    async with running(rate_scale=20) as venue:
        assert (await venue.control("/play", {"action": "start"}))["playing"] is True
        await venue.until(lambda state: state["fills"]["total"] > 100)
        await venue.control("/play", {"action": "pause"})
        total = (await venue.state())["fills"]["total"]
        await trio.sleep(0.1)
        assert (await venue.state())["fills"]["total"] == total
        assert (await venue.control("/play", {"action": "resume"}))["playing"] is True


async def test_a_tape_is_loaded_while_it_runs(tmp_path):
    path = tmp_path / "tape.jsonl"
    rows = [
        row(
            transactionHash=f"0x{number:064x}",
            asset="77",
            conditionId="0x" + "7" * 64,
            timestamp=1_777_605_000 + number,
        )
        for number in range(50)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    async with running() as venue:
        loaded = await venue.control("/play", {"action": "load", "tape": str(path), "speed": "max", "keep_time": True})
        assert loaded["playing"] is False
        assert loaded["source"]["rows"] == 50
        await venue.control("/play", {"action": "start"})
        state = await venue.until(lambda state: state["finished"])
        assert state["tape"]["source"]["position"] == 50
        truth = (await venue.control("/ledger", {"wallets": [WALLET]}))["fills"]
        assert sorted(fill["timestamp"] for fill in truth) == list(range(1_777_605_000, 1_777_605_050))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/play", {"action": "rewind"}),
        ("/play", {"action": "load"}),
        ("/play", {"tape": "/nowhere.jsonl"}),
        ("/play", {"tape": __file__}),
        ("/play", {"speed": 0, "tape": __file__}),
        ("/play", {"volume": 11}),
        ("/emit", {"trades": {}}),
        ("/emit", {"trades": [{"side": "BUY"}]}),
        ("/emit", {"trades": [row(size=-1)]}),
        ("/emit", {"raw": [1]}),
        ("/emit", {"raw_base64": ["?"]}),
        ("/ledger", {"wallets": "all"}),
        ("/ledger", {"since": "yesterday"}),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_reason(path, body):
    async with running() as venue:
        response = await venue.http.post(venue.urls.control_url + path, json=body)
        assert response.status_code == 400
        assert response.json()["error"]


async def test_bodies_that_are_no_json_objects_are_refused():
    async with running() as venue:
        for content in (b"[]", b"nonsense", b"\xff"):
            response = await venue.http.post(venue.urls.control_url + "/play", content=content)
            assert response.status_code == 400


async def test_emitted_rows_make_their_own_market():
    async with running() as venue:
        condition = "0x" + "5" * 64
        await venue.emit(row(asset="555", conditionId=condition, outcome="Yes", title="New?", slug="new"))
        (market,) = (await venue.gamma(f"/markets?condition_ids={condition}")).json()
        assert market["question"] == "New?"
        assert json.loads(market["clobTokenIds"])[0] == "555"
        wrong = [row(asset="556", conditionId=condition, transactionHash="0x1")]
        response = await venue.http.post(venue.urls.control_url + "/emit", json={"trades": wrong})
        assert response.status_code == 400


async def test_stopping_by_request_ends_the_server():
    async with running() as venue:
        assert await venue.control("/stop") == {"stopping": True}
        with trio.fail_after(5):
            while True:
                try:
                    stream = await trio.open_tcp_stream("127.0.0.1", int(venue.urls.rtds_url.rpartition(":")[2]))
                except OSError:
                    break
                await stream.aclose()
                await trio.sleep(0.01)


@pytest.mark.parametrize("path", ["/ws/market", "/ws/user"])
async def test_the_clob_sockets_accept_and_answer_pings(path):
    from trio_websocket import open_websocket_url

    async with running() as venue, open_websocket_url(venue.urls.clob_ws_url + path) as socket:
        await socket.send_message(json.dumps({"type": "market", "assets_ids": []}))
        await socket.send_message("PING")
        with trio.fail_after(10):
            assert await socket.get_message() == "PONG"


async def test_other_paths_of_the_clob_sockets_are_rejected():
    async with running() as venue:
        stream = await trio.open_tcp_stream("127.0.0.1", int(venue.urls.clob_ws_url.rpartition(":")[2]))
        async with stream:
            key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
            upgrade = "Upgrade: websocket\r\nConnection: Upgrade"
            await stream.send_all(f"GET /ws/other HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n{key}\r\n\r\n".encode())
            with trio.fail_after(10):
                assert b" 404 " in await stream.receive_some()


@pytest.mark.parametrize("request_text", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b""])
async def test_clients_that_speak_no_websocket_do_no_harm(request_text):
    async with running() as venue:
        stream = await trio.open_tcp_stream("127.0.0.1", int(venue.urls.rtds_url.rpartition(":")[2]))
        async with stream:
            await stream.send_all(request_text)
        async with venue.rtds() as client:
            await client.subscribe(TRADES)
