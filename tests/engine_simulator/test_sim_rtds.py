import json

import trio
from simulator_clients import MATCHED, TRADES, WALLET, SetClock, payload, row, running


async def test_first_frame_after_subscribe_is_empty_and_rows_follow_in_an_envelope():
    async with running() as venue, venue.rtds() as client:
        await client.send({"action": "subscribe", "subscriptions": [TRADES]})
        assert await client.message() == ""
        await venue.emit(row())
        frame = await client.row()
        assert frame["topic"] == "activity"
        assert frame["type"] == "trades"
        assert len(frame["connection_id"]) == 20
        assert frame["payload"]["proxyWallet"].lower() == WALLET
        assert frame["payload"]["proxyWallet"] != WALLET
        assert frame["payload"]["size"] == 12.5
        assert frame["payload"]["price"] == 0.31


async def test_frames_have_the_fields_and_types_of_recorded_ones():
    recorded = payload("rtds.activity-trades.real.2026-08-19.json")
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await venue.emit(row(name="PPMT", pseudonym="Rowdy-Tenement", outcomeIndex=1))
        frame = await client.row()
    assert frame.keys() == recorded.keys()
    assert {type(frame[name]) for name in ("topic", "type", "connection_id")} == {str}
    fields = frame["payload"]
    assert fields.keys() - {"fee"} == recorded["payload"].keys()
    for name, value in recorded["payload"].items():
        assert type(fields[name]) is type(value) or isinstance(value, float), name
    assert list(fields) == sorted(fields)
    assert 0 <= frame["timestamp"] - fields["timestamp"] * 1000 < 2_100


async def test_trades_has_all_rows_and_orders_matched_the_takers_alone():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES, MATCHED)
        taker = row(transactionHash="0x01")
        maker = row(transactionHash="0x01", proxyWallet="0x" + "cd" * 20, side="SELL", size=5)
        await venue.emit(taker, maker, maker)
        frames = await client.rows(4)
        assert [frame["type"] for frame in frames].count("trades") == 3
        (matched,) = [frame for frame in frames if frame["type"] == "orders_matched"]
        assert matched["payload"]["proxyWallet"].lower() == WALLET
        makers = [frame["payload"] for frame in frames if frame["payload"]["side"] == "SELL"]
        assert makers[0] == makers[1]


async def test_any_type_is_asked_for_by_a_star_and_unsubscribing_ends_it():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe({"topic": "activity", "type": "*"})
        await venue.emit(row())
        assert {frame["type"] for frame in await client.rows(2)} == {"trades", "orders_matched"}
        await client.send({"action": "unsubscribe", "subscriptions": [{"topic": "activity", "type": "*"}]})
        await venue.until(lambda state: not state["subscriptions"])
        await venue.emit(row())
        assert await client.nothing_for()


async def test_an_unknown_topic_refuses_the_whole_frame():
    async with running() as venue, venue.rtds() as client:
        await client.send({"action": "subscribe", "subscriptions": [TRADES, {"topic": "weather", "type": "*"}]})
        refusal = json.loads(await client.message())
        assert refusal == {"body": {"message": "leger GetTopics error: weather not found"}, "statusCode": 401}
        assert (await venue.state())["subscriptions"] == {}


async def test_filters_are_accepted_and_then_nothing_comes():
    async with running() as venue, venue.rtds() as client:
        await client.subscribe(TRADES | {"filters": json.dumps({"proxyWallet": WALLET})})
        await venue.emit(row())
        assert await client.nothing_for()


async def test_a_frame_without_action_or_without_json_is_ignored():
    async with running() as venue, venue.rtds() as client:
        await client.send({"subscriptions": [TRADES]})
        await client.send("[[[")
        await client.subscribe(MATCHED)
        assert (await venue.state())["subscriptions"] == {"activity/orders_matched": 1}


async def test_pings_are_mostly_answered_by_an_empty_frame():
    async with running() as venue, venue.rtds() as client:
        for _ in range(40):
            await client.send("PING")
        await client.send("ping")
        await client.subscribe(TRADES)
        await venue.emit(row())
        answers = 0
        while (message := await client.message()) == "":
            answers += 1
        assert 25 <= answers <= 41
        assert message


async def test_activity_stops_for_a_client_that_does_not_ping():
    async with running(ping_timeout_s=0.2) as venue, venue.rtds() as client:
        await client.subscribe(TRADES)
        await trio.sleep(0.3)
        await venue.emit(row())
        assert await client.nothing_for()
        await client.send("PING")
        await venue.until(lambda state: state["rows_withheld"].get("no_client_ping"))
        for _ in range(10):
            await client.send("PING")
        await trio.sleep(0.02)
        await venue.emit(row())
        assert (await client.row())["type"] == "trades"


async def test_a_client_that_does_not_read_is_closed_with_1013():
    async with running(send_buffer_bytes_max=40_000) as venue:
        async with venue.rtds(message_queue_size=1, receive_buffer_size=1024) as client:
            await client.subscribe(TRADES)
            for _ in range(8):
                await venue.emit(raw=["x" * 200_000])
            await venue.emit(*[row() for _ in range(400)])
            assert await client.close_code() == 1013
        await venue.until(lambda state: state["connections"]["now"] == 0)


async def test_lag_delays_rows_and_scales(autojump_clock):
    from engine.simulator.delay_line import DelayLine
    from engine.simulator.faults import FaultBoard
    from engine.simulator.rtds_frames import ActivityFrame, ActivityType
    from engine.simulator.seeds import generator

    seen = []
    rng = generator(1, "lag")
    faults = FaultBoard(clock=SetClock(), rng=rng)

    def deliver(frames):
        seen.extend((trio.current_time(), frame.type) for frame in frames)

    line = DelayLine(deliver, faults, rng=rng, lag_scale=1.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.run)
        began = trio.current_time()
        for _ in range(100):
            line.put([ActivityFrame(type=kind, tail=b"") for kind in ActivityType])
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    trades = sorted(at - began for at, kind in seen if kind is ActivityType.TRADES)
    matched = sorted(at - began for at, kind in seen if kind is ActivityType.ORDERS_MATCHED)
    assert len(trades) == len(matched) == 100
    assert 2.0 <= trades[0] <= trades[90] <= 2.6
    assert 1.7 <= matched[0] <= matched[90] <= 2.2
    assert trades[-1] <= 3.6
