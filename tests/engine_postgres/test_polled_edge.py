"""What pollers hand in over PostgreSQL, as the door answers for it."""

import msgspec
import pytest
from property.made_trades import transaction, wallet

from actors.polling.polled_door import PolledDoor
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from protocols.errors import TransientError
from protocols.ingest import TargetSets
from protocols.polled import POLLED, PolledPageCodec
from protocols.trades import Lane
from protocols.venue.data_api import decode_trades_v1


class Targets:
    def current(self):
        return TargetSets(lanes={wallet(1): Lane.TARGET}, version=1)


@pytest.fixture
async def connection(database, aio):
    connection = Connection(database, "polled")
    yield connection
    await connection.aclose()


def rows(*numbers, of=None):
    made = [
        {"proxyWallet": of or wallet(1), "side": "BUY", "asset": "12", "conditionId": "0x" + "1" * 64, "size": 5, "price": 0.5,
         "timestamp": 1_788_887_014, "transactionHash": transaction(number)}
        for number in numbers
    ]  # fmt: skip
    return decode_trades_v1(msgspec.json.encode(made)).rows


def door_of(connection, who, *, items_max=10):
    store = PostgresEdgeStore(connection=connection, edge=POLLED, who=who, items_max=items_max)
    return PolledDoor(store=store, codec=PolledPageCodec(), targets=Targets())


async def test_responses_of_several_pollers_arrive_whole_and_in_order(connection):
    one, two = door_of(connection, "one"), door_of(connection, "two")
    assert await one.send(rows(1, 1, 2), "hot") == 3
    assert await two.send(rows(3), "hot") == 1
    assert await one.send(rows(4), "hot") == 1
    # Nobody wants trades of strangers, and an empty page is none.
    assert await one.send(rows(5, of=wallet(9)), "hot") == 0
    reads = PostgresEdgeStore(connection=connection, edge=POLLED, who="ingest")
    pages = [PolledPageCodec().decode(taken.body) for taken in await reads.take(10, 0)]
    assert [[row.row.transaction_hash for row in page.rows] for page in pages] == [
        [transaction(1), transaction(1), transaction(2)], [transaction(3)], [transaction(4)],
    ]  # fmt: skip
    assert (one.rows_sent, two.rows_sent) == (4, 1)


async def test_a_full_edge_and_a_database_that_is_gone_are_told_to_the_poll(connection):
    door = door_of(connection, "one", items_max=2)
    assert [await door.send(rows(number), "hot") for number in (1, 2)] == [1, 1]
    with pytest.raises(TransientError, match="full"):
        await door.send(rows(3), "hot")
    assert door.rows_sent == 2
    await connection.aclose()
    with pytest.raises(TransientError):
        await door.send(rows(3), "hot")
