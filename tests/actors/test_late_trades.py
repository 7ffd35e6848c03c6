"""Trades of jobs reach the ingest, and a job never waits for one that has stopped."""

import msgspec
import pytest
import trio
import trio.testing

from actors.late_trades import LateTrades
from engine.runtime.channel import Channel
from protocols.errors import TransientError
from protocols.ingest import TargetSets
from protocols.trades import Lane, RawTrade
from protocols.venue.data_api import decode_trades_v2

WALLET, STRANGER = "0x" + "ab" * 20, "0x" + "cd" * 20


class Targets:
    def current(self) -> TargetSets:
        return TargetSets(lanes={WALLET: Lane.KNOWN}, version=1)


def page(*wallets):
    rows = [
        {
            "proxy_wallet": wallet,
            "side": "BUY",
            "token_id": "12",
            "condition_id": "0x" + "1" * 64,
            "size": 5,
            "price": 0.5,
        }
        | {"timestamp": 1_788_887_014, "transaction_hash": "0x" + "2" * 64}
        for wallet in wallets
    ]
    return decode_trades_v2(msgspec.json.encode({"data": rows})).rows


async def test_rows_of_known_wallets_are_sent_each_response_counted_for_itself(nursery):
    channel = Channel[RawTrade]("raw_trades", 10)
    door = LateTrades(trades=channel.outbox(), targets=Targets())
    await nursery.start(door.run)
    assert await door.send(page(WALLET, STRANGER, WALLET.upper().replace("0X", "0x")), "audit") == 2
    assert await door.send(page(WALLET), "audit") == 1
    scopes = [raw.scope for raw in await channel.inbox.batch(10)]
    assert scopes[0] == scopes[1] != scopes[2]
    assert door.rows_sent == 3


async def test_nothing_is_sent_before_the_ingest_runs_and_after_it_has_ended():
    channel = Channel[RawTrade]("raw_trades", 10)
    door = LateTrades(trades=channel.outbox(), targets=Targets())
    with pytest.raises(TransientError):
        await door.send(page(WALLET), "audit")
    async with trio.open_nursery() as nursery:
        await nursery.start(door.run)
        nursery.cancel_scope.cancel()
    with pytest.raises(TransientError):
        await door.send(page(WALLET), "audit")
    assert channel.statistics().sent == 0


async def test_who_waits_for_room_is_told_when_the_ingest_ends(autojump_clock):
    channel = Channel[RawTrade]("raw_trades", 1)
    door = LateTrades(trades=channel.outbox(), targets=Targets())
    outcome = []

    async def send():
        try:
            await door.send(page(WALLET, WALLET, WALLET), "audit")
        except TransientError as error:
            outcome.append(str(error))

    async with trio.open_nursery() as jobs, trio.open_nursery() as ingest:
        await ingest.start(door.run)
        jobs.start_soon(send)
        await trio.sleep(1)
        assert not outcome
        ingest.cancel_scope.cancel()
    assert outcome


async def test_a_channel_that_is_closed_for_draining_is_no_crash(nursery):
    channel = Channel[RawTrade]("raw_trades", 10)
    outbox = channel.outbox()
    door = LateTrades(trades=outbox, targets=Targets())
    await nursery.start(door.run)
    outbox.close()
    with pytest.raises(TransientError):
        await door.send(page(WALLET), "audit")


async def test_pages_of_history_leave_room_for_what_the_stream_brings(nursery):
    channel = Channel[RawTrade]("raw_trades", 10)
    stream = channel.outbox()
    door = LateTrades(trades=channel.outbox(leaves_ratio=0.5), targets=Targets())
    await nursery.start(door.run)
    nursery.start_soon(door.send, page(*[WALLET] * 12), "audit")
    await trio.testing.wait_all_tasks_blocked()
    live = [RawTrade(row=item.row, scope="live", text=item.text, seen_s=0) for item in page(WALLET, WALLET)]
    assert stream.send_many_nowait(live) == 2
    taken = []
    while len(taken) < 14:
        taken += await channel.inbox.batch(100)
        await trio.testing.wait_all_tasks_blocked()
    assert [raw.scope for raw in taken].count("live") == 2
    assert door.rows_sent == 12
