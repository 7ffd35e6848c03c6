"""kill -9 of engines and of the process that sends: every notice arrives by real mail, again only where it must be."""

import os
import signal

import pytest
import trio
from crash.engine_process import engine_process
from crash.notify_engines import PASSWORD, is_alive, notify_world, sending_processes

from protocols.clock import Random

EVERYTHING = """
SELECT (SELECT json_agg(one)::text FROM notifications AS one) AS a,
    (SELECT json_agg(one)::text FROM notification_deliveries AS one) AS b
"""


async def test_two_engines_send_each_notice_once(database, tmp_path):
    async with notify_world(database, tmp_path) as world:
        async with engine_process(world.settings) as first, engine_process(world.settings) as second:
            # Which of them ingests does not matter here.
            await world.note(30)
            await world.until_all_sent(hurry=False)
            logs = first.log_text() + second.log_text()
        assert set(world.arrived().values()) == {1}
        assert all(len(mail.recipients) == 1 for mail in world.mails.mails)
        [row] = await world.world.fetch(EVERYTHING)
        for text in (logs, row["a"], row["b"]):
            assert PASSWORD not in text


async def test_a_mail_server_that_is_down_gets_everything_later(database, tmp_path):
    async with notify_world(database, tmp_path, refuse="451 later") as world, engine_process(world.settings) as engine:
        await engine.until_ready()
        await world.note(8)
        with trio.fail_after(60):
            while world.mails.connections < 4:
                await trio.sleep(0.1)
        rows = await world.world.fetch("SELECT status, attempts, last_error FROM notification_deliveries")
        assert {row["status"] for row in rows} == {"pending"}
        world.mails.refuse = None
        await world.until_all_sent()
        assert set(world.arrived().values()) == {1}
        assert PASSWORD not in engine.log_text()


async def test_a_killed_sender_loses_nothing_and_repeats_only_what_it_had_in_hand(database, tmp_path):
    async with notify_world(database, tmp_path, delay_s=1.0) as world, engine_process(world.settings) as engine:
        await engine.until_ready()
        await world.note(4)
        with trio.fail_after(60):
            while not (pids := sending_processes(engine.process.pid)) or not world.mails.mails:
                await trio.sleep(0.01)
        os.kill(pids[0], signal.SIGKILL)
        world.mails.delay_s = 0
        await world.until_all_sent()
        # Each was in its hand once: taken by the server, and nobody heard of it.
        assert all(1 <= count <= 2 for count in world.arrived().values())
        assert engine.process.poll() is None


async def test_a_killed_engine_leaves_nothing_unsent_and_no_process_behind(database, tmp_path):
    async with notify_world(database, tmp_path, delay_s=1.0) as world:
        async with engine_process(world.settings) as engine:
            await engine.until_ready()
            await world.note(4)
            with trio.fail_after(60):
                while not (pids := sending_processes(engine.process.pid)) or not world.mails.mails:
                    await trio.sleep(0.01)
            engine.send(signal.SIGKILL)
            await engine.wait()
        world.mails.delay_s = 0
        async with engine_process(world.settings):
            await world.until_all_sent()
        assert all(1 <= count <= 2 for count in world.arrived().values())
        with trio.fail_after(60):
            while any(is_alive(pid) for pid in pids):
                await trio.sleep(0.1)


async def kills(database, tmp_path, count, seed):
    """An engine is killed at random moments while things go on happening; what it had in hand may come twice."""
    rng = Random(seed)
    async with notify_world(database, tmp_path, delay_s=0.05) as world:
        for _ in range(count):
            async with engine_process(world.settings) as engine:
                with trio.fail_after(60):
                    while (answer := await engine.readyz()) is None or answer[0] not in (200, 503):
                        await trio.sleep(0.05)
                await world.note(rng.randint(1, 6))
                await trio.sleep(rng.uniform(0, 3))
                engine.send(signal.SIGKILL)
                await engine.wait()
        async with engine_process(world.settings):
            await world.until_all_sent()
        assert min(world.arrived().values()) >= 1
        return world.arrived()


async def test_kills_at_random_moments_lose_nothing(database, tmp_path):
    await kills(database, tmp_path, 3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 4))
async def test_many_kills_at_random_moments_lose_nothing(database, tmp_path, seed):
    await kills(database, tmp_path, 25, seed=seed)
