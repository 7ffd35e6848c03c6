import asyncio
import gc
import logging
import warnings

import trio
import trio_asyncio

from engine.adapters.postgres.database import Connection


async def test_what_goes_wrong_in_a_callback_of_the_driver_is_logged_and_ends_nothing(database, aio, caplog):
    connection = Connection(database, "test")

    async def work(raw):
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0)
        return await raw.fetchval("SELECT 1")

    def fail():
        raise RuntimeError("below the driver")

    with caplog.at_level(logging.WARNING):
        assert await connection.run(work) == 1
        await trio_asyncio.aio_as_trio(asyncio.sleep)(0.01)
    assert any("below the driver" in getattr(record, "error", "") for record in caplog.records)
    assert await connection.run(lambda raw: raw.fetchval("SELECT 2")) == 2
    await connection.aclose()


async def test_who_is_cancelled_at_any_moment_of_connecting_leaves_no_connection_behind(database, aio):
    began_s = trio.current_time()
    connection = Connection(database, "test")
    await connection.run(lambda raw: raw.fetchval("SELECT 1"))
    await connection.aclose()
    opening_s = trio.current_time() - began_s
    with warnings.catch_warnings(record=True) as left_behind:
        warnings.simplefilter("always", ResourceWarning)
        for step in range(60):
            connection = Connection(database, "test")
            with trio.move_on_after(opening_s * step / 50):
                await connection.run(lambda raw: raw.fetchval("SELECT 1"))
            await connection.aclose()
        del connection
        gc.collect()
    assert [str(warning.message) for warning in left_behind] == []
