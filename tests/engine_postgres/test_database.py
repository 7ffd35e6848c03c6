import asyncio
import gc
import logging
import os
import signal
import warnings
from contextlib import suppress

import attrs
import pytest
import trio
import trio_asyncio

from engine.adapters.postgres.database import Connection
from protocols.errors import TransientError


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


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "out of time"])
async def test_a_session_that_does_not_even_answer_a_rollback_holds_up_nobody(database, aio, is_cancelled):
    connection = Connection(attrs.evolve(database, statement_timeout_s=60 if is_cancelled else 0.2), "test")
    session = await connection.run(lambda raw: raw.fetchval("SELECT pg_backend_pid()"))
    try:
        os.kill(session, 0)
    except (ProcessLookupError, PermissionError):
        pytest.skip("the server is not one that this test may stop")

    async def silenced(raw):
        async with raw.transaction():
            os.kill(session, signal.SIGSTOP)
            return await raw.fetchval("SELECT 1")

    try:
        with trio.fail_after(20):
            if is_cancelled:
                with trio.move_on_after(0.2):
                    with suppress(TransientError):
                        await connection.run(silenced)
                    await trio.lowlevel.checkpoint()
            else:
                with pytest.raises(TransientError):
                    await connection.run(silenced)
            # Another session answers.
            assert await connection.run(lambda raw: raw.fetchval("SELECT 2")) == 2
    finally:
        os.kill(session, signal.SIGCONT)
    await connection.aclose()
