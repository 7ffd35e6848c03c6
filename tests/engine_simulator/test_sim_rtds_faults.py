import json

import pytest
import trio
from simulator_clients import MATCHED, TRADES, row, running

from engine.simulator.garbage import GARBAGE


def sizes(frames):
    return [frame["payload"]["size"] for frame in frames]


def numbered(count, **changed):
    return [row(size=number, **changed) for number in range(1, count + 1)]


async def test_silence_keeps_the_socket_open_and_the_truth_complete():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("silence")
        await venue.emit(*numbered(3))
        await venue.until(lambda state: state["rows_withheld"].get("silence") == 6)
        for _ in range(20):
            await client.send("PING")
        assert await client.message() == ""
        await venue.fault("clear")
        await venue.emit(row(size=77))
        assert (await client.row())["payload"]["size"] == 77
        truth = await venue.control("/ledger", {"wallets": None})
        assert len(truth["fills"]) == 4


async def test_a_fault_ends_by_itself_after_its_duration():
    async with running() as venue:
        await venue.fault("silence", duration_s=0.15)
        (fault,) = (await venue.state())["faults"]
        assert 0 < fault["remaining_s"] <= 0.15
        await venue.until(lambda state: not state["faults"])


async def test_pings_go_unanswered():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("no_pong", control_frames=True)
        for _ in range(20):
            await client.send("PING")
        assert await client.nothing_for()
        with trio.move_on_after(0.2) as patience:
            await client.socket.ping()
        assert patience.cancelled_caught
        await venue.fault("clear")
        with trio.fail_after(10):
            await client.socket.ping()


@pytest.mark.parametrize(("kind", "code"), [("close", 1013), ("reset", 1006)])
async def test_every_connection_is_closed_or_cut(kind, code):
    async with running() as venue, venue.rtds() as client, venue.rtds() as other:
        await client.subscribe(TRADES)
        await other.subscribe(TRADES)
        await venue.fault(kind)
        assert await client.close_code() == code
        assert await other.close_code() == code
        await venue.until(lambda state: state["connections"] == {"now": 0, "total": 2})


async def test_a_refused_port_comes_back_and_open_connections_live_on():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("refuse", duration_s=0.3)
        port = int(venue.urls.rtds_url.rpartition(":")[2])
        await trio.sleep(0.05)
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", port)
        await venue.emit(row())
        assert (await client.row())["type"] == "trades"
        await venue.until(lambda state: not state["faults"])
        with trio.fail_after(5):
            while True:
                try:
                    stream = await trio.open_tcp_stream("127.0.0.1", port)
                    break
                except OSError:
                    await trio.sleep(0.01)
        await stream.aclose()


async def test_an_http_api_can_refuse_too():
    async with running() as venue:
        await venue.fault("refuse", surface="gamma", duration_s=0.3)
        await trio.sleep(0.05)
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream("127.0.0.1", int(venue.urls.gamma_url.rpartition(":")[2]))
        await venue.until(lambda state: not state["faults"])
        await trio.sleep(0.1)
        assert (await venue.gamma("/markets")).status_code == 200


async def test_new_connections_get_the_last_frames_again():
    async with running() as venue:
        await venue.fault("replay", frames=6)
        await venue.emit(*numbered(5))
        await venue.until(lambda state: state["rows_emitted"].get("trades") == 5)
        for _ in range(2):
            async with venue.rtds() as client:
                await client.subscribe(TRADES)
                assert sizes(await client.rows(3)) == [3, 4, 5]


async def test_rows_come_late_and_out_of_order():
    async with running(seed=3) as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("late", probability=0.5, delay_s=0.2)
        await venue.emit(*numbered(20))
        arrived = sizes(await client.rows(20))
        assert sorted(arrived) == list(range(1, 21))
        assert arrived != sorted(arrived)


async def test_a_block_can_be_shuffled():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("reorder")
        await venue.emit(*numbered(20))
        arrived = sizes(await client.rows(20))
        assert sorted(arrived) == list(range(1, 21)) != arrived


async def test_data_can_be_delayed_as_a_whole():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("delay", delay_s=0.3)
        began = trio.current_time()
        await venue.emit(row())
        await client.row()
        assert trio.current_time() - began >= 0.3


async def test_frames_of_one_type_are_dropped():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES, MATCHED)
        await venue.fault("drop", type="orders_matched", probability=1)
        await venue.emit(*numbered(3))
        assert {frame["type"] for frame in await client.rows(3)} == {"trades"}
        assert await client.nothing_for()
        assert (await venue.state())["rows_withheld"] == {"drop": 3}


async def test_garbage_arrives_as_it_is():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("garbage", count=len(GARBAGE))
        received = [await client.message() for _ in GARBAGE]
        assert received == list(GARBAGE.values())
        assert any(isinstance(message, bytes) for message in received)
        assert max(map(len, received)) > 2_000_000


async def test_garbage_can_be_mixed_into_the_rows():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.fault("garbage", names=["nan_price", "array"], probability=1.0)
        await venue.emit(*numbered(4))
        messages = [await client.message() for _ in range(12)]
        assert {GARBAGE["nan_price"], GARBAGE["array"]} >= {
            each for each in messages if "garbage" in each or each == "[]"
        }
        assert sum("garbage" in each or each == "[]" for each in messages) == 8


async def test_raw_text_is_sent_unchanged():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.emit(raw=["{", json.dumps({"a": "🐳"})], raw_base64=["AP8="])
        assert [await client.message() for _ in range(3)] == ["{", '{"a": "\\ud83d\\udc33"}', b"\x00\xff"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "earthquake"},
        {"kind": "silence", "strength": 3},
        {"kind": "drop", "probability": 2},
        {"kind": "refuse"},
        {"kind": "silence", "duration_s": -1},
        {"kind": "late", "delay_s": "long"},
        {},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(body):
    async with running() as venue:
        response = await venue.http.post(venue.urls.control_url + "/faults", json=body)
        assert response.status_code == 400
        assert response.json()["error"]
        assert (await venue.state())["faults"] == []
