"""What a poller has seen of a trader need not be asked for again."""

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.paper_store import PostgresPaperStore
from protocols.paper import Holding

WALLET, OTHER, OLD = ("0x" + digit * 40 for digit in "abc")
POLLED = """
INSERT INTO wallet_poll_state (wallet_address, last_position_check_at)
VALUES ($1, now() - interval '30 seconds'), ($2, now() - interval '11 minutes')
RETURNING (extract(epoch FROM last_position_check_at) * 1000)::bigint AS checked_ms
"""
HELD = """
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, opened_at, last_seen_at, opened_snapshot)
SELECT wallet, '7', '0x1', 12.5, now(), now(), 1 FROM unnest($1::text[]) AS wallet
"""


async def test_a_complete_snapshot_tells_what_is_held_and_that_the_rest_is_not(database, aio):
    async with open_connection(database, "test") as connection:
        rows = await connection.run(lambda raw: raw.fetch(POLLED, WALLET, OLD))
        await connection.run(lambda raw: raw.execute(HELD, [WALLET, OLD]))
        store = PostgresPaperStore(connection)
        await store.keep_holding(Holding(wallet=WALLET, token_id="7", micro=1, as_of_ms=1_700_000_000_000))
        pairs = [(WALLET, "7"), (WALLET, "8"), (OTHER, "7"), (OLD, "7")]
        held, fills = await store.holdings(pairs)
    as_of_ms = rows[0]["checked_ms"] - 10_000
    assert sorted(held, key=lambda one: (one.token_id, one.as_of_ms)) == [
        Holding(wallet=WALLET, token_id="7", micro=1, as_of_ms=1_700_000_000_000),
        Holding(wallet=WALLET, token_id="7", micro=12_500_000, as_of_ms=as_of_ms),
        Holding(wallet=WALLET, token_id="8", micro=0, as_of_ms=as_of_ms),
    ]
    assert fills == []


async def test_a_position_that_the_latest_snapshot_lacks_is_told_by_nobody_until_its_end_is_known(database, aio):
    async with open_connection(database, "test") as connection:
        await connection.run(lambda raw: raw.fetch(POLLED, WALLET, OLD))
        await connection.run(lambda raw: raw.execute(HELD, [WALLET]))
        await connection.run(lambda raw: raw.execute("UPDATE positions_current SET missing_since = now()"))
        held, _ = await PostgresPaperStore(connection).holdings([(WALLET, "7")])
    assert held == []
