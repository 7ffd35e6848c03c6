"""The least that stores trades: receive, decode, one look-up, one channel, one upsert a batch. The reference of throughput.

`python -m tests.bench.bare_pipeline URL DSN`: no identity, no ordinals, no lanes, no journal, no lease, no metrics, no
supervision, twelve columns, one index besides the key. Runs until it is ended.
"""

import sys
from decimal import Decimal

import asyncpg
import msgspec
import trio
import trio_asyncio
import trio_websocket

from engine.adapters.rtds_socket import QUEUE_MESSAGES, RECEIVE_BUFFER_BYTES
from protocols.venue.rtds import subscribe_frame

from .frames import TARGET, wallets

BATCH_ROWS = 500
TIMER_S = 0.02
CREATE = """
CREATE TABLE bare_trades (
    transaction_hash text, wallet text, token_id text, side text, size numeric, price numeric, trade_s bigint,
    condition_id text, outcome text, slug text, title text, bio text, seq bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (transaction_hash, wallet, token_id)
)
"""
INDEX = "CREATE INDEX bare_trades_by_wallet ON bare_trades (wallet, trade_s)"
WRITE = """
INSERT INTO bare_trades AS old (
    transaction_hash, wallet, token_id, side, size, price, trade_s, condition_id, outcome, slug, title, bio
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::bigint[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[]
)
ON CONFLICT (transaction_hash, wallet, token_id) DO UPDATE SET title = excluded.title
"""
NEWEST = "SELECT coalesce(max(seq), 0) FROM bare_trades"


class Payload(msgspec.Struct, rename="camel", gc=False):
    """Twelve fields of a row."""

    transaction_hash: str
    proxy_wallet: str
    asset: str
    side: str
    size: Decimal
    price: Decimal
    timestamp: int
    condition_id: str
    outcome: str
    slug: str
    title: str
    bio: str


class Frame(msgspec.Struct, gc=False):
    """The envelope."""

    topic: str
    type: str
    payload: Payload


async def receive(url: str, rows: trio.MemorySendChannel[Payload]) -> None:
    """Decodes every frame and hands on those of followed wallets."""
    followed = set(wallets(TARGET, 1_000))
    decode = msgspec.json.Decoder(Frame).decode
    async with trio_websocket.open_websocket_url(
        url, message_queue_size=QUEUE_MESSAGES, receive_buffer_size=RECEIVE_BUFFER_BYTES
    ) as socket:
        await socket.send_message(subscribe_frame(["trades"]))
        while True:
            text = await socket.get_message()
            if text:
                row = decode(text).payload
                if row.proxy_wallet.lower() in followed:
                    await rows.send(row)


async def write(dsn: str, rows: trio.MemoryReceiveChannel[Payload]) -> None:
    """Commits what came in 20 ms, at most 500 rows at once."""
    connection = await trio_asyncio.aio_as_trio(asyncpg.connect)(dsn)
    while True:
        batch = [await rows.receive()]
        with trio.move_on_after(TIMER_S):
            while len(batch) < BATCH_ROWS:
                batch.append(await rows.receive())
        columns = [list(column) for column in zip(*map(msgspec.structs.astuple, batch), strict=True)]
        await trio_asyncio.aio_as_trio(connection.execute)(WRITE, *columns)


async def main(url: str, dsn: str) -> None:
    """Runs both ends."""
    sender, receiver = trio.open_memory_channel[Payload](10_000)
    async with trio_asyncio.open_loop(), trio.open_nursery() as nursery:
        nursery.start_soon(write, dsn, receiver)
        nursery.start_soon(receive, url, sender)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
