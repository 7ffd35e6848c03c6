"""The asyncio loop below the driver: order, cancellation, errors and the end, with callbacks that run where they arise."""

import asyncio
import logging

import pytest
import trio
import trio_asyncio

from engine.adapters.postgres.database import database_loop
from engine.adapters.postgres.eager_loop import AT_ONCE, run_in_loop


async def test_the_names_of_the_library_that_this_leans_on_are_there():
    async with trio_asyncio.open_loop() as loop:
        assert callable(loop._queue_handle)
        assert callable(loop._add_reader)
        assert asyncio.iscoroutinefunction(loop.synchronize)


async def test_a_coroutine_begins_at_once_in_the_task_that_calls():
    seen = []

    async def work():
        seen.append("begun")
        await asyncio.sleep(0)
        seen.append("resumed")
        return 7

    async with database_loop(), trio.open_nursery() as nursery:
        nursery.start_soon(_note, seen, "another task")
        assert await run_in_loop(work()) == 7
    assert seen[:2] == ["begun", "resumed"]


async def _note(seen, what):
    seen.append(what)


async def test_callbacks_run_in_the_order_in_which_they_were_queued_whoever_queues_them():
    seen = []

    async def work(name):
        loop = asyncio.get_running_loop()
        for number in range(50):
            loop.call_soon(seen.append, (name, number))
            loop.call_soon(lambda number=number: loop.call_soon(seen.append, (f"{name} nested", number)))
        await asyncio.sleep(0.01)

    async with database_loop() as _, trio.open_nursery() as nursery:
        nursery.start_soon(run_in_loop, work("a"))
        nursery.start_soon(run_in_loop, work("b"))
    for name in ("a", "b", "a nested", "b nested"):
        assert [number for who, number in seen if who == name] == list(range(50))


async def test_what_other_threads_queue_runs_too():
    async def work():
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        await loop.run_in_executor(None, lambda: loop.call_soon_threadsafe(done.set))
        await asyncio.wait_for(done.wait(), 5)

    async with database_loop():
        with trio.fail_after(10):
            await run_in_loop(work())


async def test_cancelling_reaches_the_coroutine_and_waits_for_its_end():
    seen = []

    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            seen.append("cleaned up")
            raise

    async with database_loop():
        with trio.move_on_after(0.05) as scope:
            await run_in_loop(work())
    assert scope.cancelled_caught
    assert seen == ["cleaned up"]


async def test_an_error_is_raised_to_the_caller_and_one_of_a_callback_is_logged(caplog):
    async def fails():
        await asyncio.sleep(0)
        raise ValueError("no such table")

    async def schedules():
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)

    async with database_loop():
        with pytest.raises(ValueError, match="no such table"):
            await run_in_loop(fails())
        with caplog.at_level(logging.WARNING):
            await run_in_loop(schedules())
    assert "below the database driver" in caplog.text


async def test_callbacks_without_end_let_others_have_their_turn():
    ticks = 0

    async def ticking():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async with database_loop():
        with trio.move_on_after(0.2):
            await run_in_loop(ticking())
    assert ticks > AT_ONCE


async def test_what_is_under_way_when_the_loop_ends_is_cancelled_and_nothing_hangs():
    seen, kept = [], []

    async def background():
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    async def starts():
        kept.append(asyncio.get_running_loop().create_task(background()))
        await asyncio.sleep(0)

    with trio.fail_after(5):
        async with database_loop():
            await run_in_loop(starts())
    assert seen == ["ended"]
    assert kept[0].cancelled()


async def test_outside_of_a_loop_it_says_so():
    async def work():
        raise AssertionError

    with pytest.raises(RuntimeError, match="database_loop"):
        await run_in_loop(work())
