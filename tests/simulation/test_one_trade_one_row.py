"""One fill by every path is one row; two equal fills are two."""

from typing import Any

from simulation.ingest_world import eventually, ingest_world

from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.trade_store import PostgresTradeStore
from protocols.trades import Lane, RawTrade
from protocols.venue.data_api import decode_trades_v1, decode_trades_v2
from protocols.venue.rtds import TradeFrame, decode_frame

WALLET = "0x00000000000000000000000000000000000000aB"
TOKEN = "1" * 77
CONDITION = "0x" + "c" * 64
TRANSACTION = "0x" + "D" * 64
# One second before and after midnight, UTC.
BEFORE, AFTER = 1_777_679_999, 1_777_680_000


def frame(kind: str, size: str, price: str, timestamp: int, title: str = "Will it rain?") -> str:
    return (
        f'{{"connection_id":"x=","topic":"activity","type":"{kind}","timestamp":{timestamp}123,"payload":{{'
        f'"asset":"{TOKEN}","conditionId":"{CONDITION}","eventSlug":"rain","outcome":"Yes","outcomeIndex":0,'
        f'"price":{price},"proxyWallet":"{WALLET}","side":"BUY","size":{size},"slug":"rain","timestamp":{timestamp},'
        f'"title":"{title}","transactionHash":"{TRANSACTION}","name":"Ann \\u00e9"}}}}'
    )


def v2_page(size: str, price: str, timestamp: int) -> bytes:
    return (
        f'{{"data":[{{"proxy_wallet":"{WALLET.lower()}","side":"BUY","token_id":"{TOKEN}","condition_id":"{CONDITION}",'
        f'"size":{size},"price":{price},"timestamp":{timestamp},"title":"Will it rain?","slug":"rain","icon":"",'
        f'"event_slug":"","outcome":"Yes","outcome_index":999,"name":"","transaction_hash":"{TRANSACTION.lower()}"}}],'
        f'"pagination":{{"limit":1000,"offset":0,"has_more":false,"next_cursor":null}}}}'
    ).encode()


def v1_page(size: str, price: str, timestamp: int) -> bytes:
    return (
        f'[{{"proxyWallet":"{WALLET.lower()}","side":"buy","asset":"{TOKEN}","conditionId":"{CONDITION}",'
        f'"size":{size},"price":{price},"timestamp":{timestamp},"title":"Will it rain?","slug":"rain",'
        f'"eventSlug":"rain","outcome":"Yes","outcomeIndex":0,"transactionHash":"{TRANSACTION.lower()}"}}]'
    ).encode()


def from_frame(text: str, scope: str) -> RawTrade:
    decoded = decode_frame(text)
    assert isinstance(decoded, TradeFrame)
    assert decoded.payload is not None
    return RawTrade(row=decoded.payload, scope=scope, text=text, seen_s=0.0)


def every_path() -> list[RawTrade]:
    return [
        from_frame(frame("trades", "12.3456789", "0.6889999998935867", BEFORE), "rtds:1:trades"),
        from_frame(frame("orders_matched", "12.345679", "0.689", AFTER), "rtds:1:orders_matched"),
        from_frame(frame("trades", '"12.3456790"', '"0.68899999989"', BEFORE), "rtds:2:trades"),
        *decode_trades_v2(v2_page("12.345679", "0.6889999999", AFTER)).raw_trades("gap:1", 0.0),
        *decode_trades_v1(v1_page("12.345679000000001", "0.6889999998935867123", BEFORE)).raw_trades("gap:2", 0.0),
    ]


async def write_all(database: Any, batches: list[list[RawTrade]], *, remembering: bool) -> list[Any]:
    connection = Connection(database, "test")
    office = LeaseOffice(connection=connection, owner="me", holder="test", ttl_s=60)
    hold = await office.acquire("ingest")
    assert isinstance(hold, LeaseHold)
    store = PostgresTradeStore(connection, Leases((hold,)))
    memory = Memory(RecentSet(100))
    for batch in batches:
        admission = admit(batch, {WALLET.lower(): Lane.TARGET}, memory)
        assert not admission.malformed
        if admission.kept:
            await store.write(admission.kept)
        memory.commit(admission)
        if not remembering:
            memory = Memory(RecentSet(100))
    rows: list[Any] = await connection.run(lambda raw: raw.fetch("SELECT * FROM trades_public ORDER BY trade_id"))
    await connection.aclose()
    return rows


async def test_one_fill_by_every_path_is_one_row(database, aio):
    rows = await write_all(database, [[raw] for raw in every_path()], remembering=True)
    assert len(rows) == 1


async def test_the_database_alone_tells_repeats_apart_after_restarts(database, aio):
    rows = await write_all(database, [[raw] for raw in every_path()], remembering=False)
    assert len(rows) == 1
    assert rows[0]["size"] * 1_000_000 == 12_345_679
    assert rows[0]["trader_name"] == "Ann é"
    assert rows[0]["event_slug"] == "rain"


async def test_identical_fills_of_one_transaction_are_two_on_every_path(database, aio):
    paths = every_path()
    twice = [[raw, raw] for raw in paths]
    assert len(await write_all(database, twice, remembering=False)) == 2


async def test_a_newer_observation_replaces_what_describes_and_nothing_else(database, aio):
    old = from_frame(frame("trades", "1", "0.5", BEFORE, title="old"), "rtds:1:trades")
    new = from_frame(frame("trades", "1", "0.75", AFTER, title="new"), "rtds:2:trades")
    [row] = await write_all(database, [[old], [new]], remembering=False)
    assert row["market_title"] == "new"
    assert row["price"] * 100 == 50
    assert row["trade_timestamp"].timestamp() == BEFORE


async def test_identical_fills_through_the_running_engine(database, tmp_path):
    row = {"proxyWallet": WALLET, "side": "BUY", "asset": TOKEN, "conditionId": CONDITION, "size": 7.5, "price": 0.41,
           "timestamp": BEFORE, "title": "t", "slug": "s", "outcome": "Yes", "outcomeIndex": 0,
           "transactionHash": TRANSACTION.lower()}  # fmt: skip
    async with ingest_world(database, tmp_path / "spill", lag_scale=0, cache_scale=0, start_paused=True) as world:
        await world.follow([WALLET])
        async with world.engine() as running:
            await eventually(lambda: world.knows(1))
            actors = running.engine.actors
            assert actors is not None
            await eventually(lambda: actors.stream_reader.connected)
            await world.post("/emit", trades=[row, row])
            await eventually(lambda: actors.sync_writer.inserted == 2)
            # The same history again, by reconnecting: gap filler and replay find nothing new.
            await world.fault("replay", frames=50)
            await world.fault("close", code=1001, reason="again")
            await eventually(lambda: actors.gap_filler.readings["reconnect"] >= 2)
            assert actors.gap_filler.rows_found >= 4
            await eventually(lambda: actors.trade_filter.repeated >= 4)
        assert (await world.stored()).total() == 2
