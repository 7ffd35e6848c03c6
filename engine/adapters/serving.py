"""Opens what stands behind the API and the jobs, for as long as the database is there. No ingest lease is needed."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.job_adapters import JobAdapters, open_job_adapters
from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.feed_store import PostgresFeedStore
from engine.adapters.postgres.feed_stream_store import PostgresFeedStreamStore
from engine.adapters.postgres.follow_store import UserFollowStore
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.user_store import UserStore

# One connection serves about a thousand pages a second; more of them only cost the database memory.
API_CONNECTIONS = 4


@attrs.frozen(kw_only=True)
class ServingAdapters:
    """The stores of the API and the ports of its actors."""

    users: UserStore
    follows: UserFollowStore
    feed: PostgresFeedStore
    feed_stream: PostgresFeedStreamStore
    tokens: UserStore
    jobs: JobAdapters


@asynccontextmanager
async def open_serving_adapters(
    config: EngineConfig, options: DatabaseOptions, requests: Counter[tuple[str, str]]
) -> AsyncIterator[ServingAdapters]:
    """Yields the adapters; each connection is opened when it is needed first."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(options, "api", API_CONNECTIONS))
        # What actors read must not wait behind the pages of users.
        streams, tokens = Connection(options, "feed stream"), Connection(options, "tokens")
        for connection in (streams, tokens):
            stack.push_async_callback(_close_shielded, connection)
        jobs = await stack.enter_async_context(open_job_adapters(config, options, requests))
        yield ServingAdapters(
            users=UserStore(pool),
            follows=UserFollowStore(pool),
            feed=PostgresFeedStore(pool),
            feed_stream=PostgresFeedStreamStore(streams),
            tokens=UserStore(tokens),
            jobs=jobs,
        )


async def _close_shielded(connection: Connection) -> None:
    with trio.CancelScope(shield=True):
        await connection.aclose()
