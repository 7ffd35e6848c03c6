import asyncio
import logging

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
