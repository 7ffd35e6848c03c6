"""kill -9, SIGSTOP and take-over in the middle of a job, with real processes on a real database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from engine_postgres.server_fixtures import fetch

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.system_clock import SystemClock
from protocols.clock import Random

PROGRAM = Path(__file__).with_name("job_engine.py")
ROOT = Path(__file__).parents[2]
MARKS = "CREATE TABLE job_marks (run_id bigint PRIMARY KEY, pid int, began timestamptz, ended timestamptz)"
RUNS = "SELECT run_id, slot, attempt, status, error, figures FROM job_runs WHERE status <> 'skipped' ORDER BY run_id"
OVERLAPS = """
SELECT one.run_id, other.run_id FROM job_marks one JOIN job_marks other ON one.run_id < other.run_id
WHERE one.ended IS NOT NULL AND other.began < one.ended
"""


@contextmanager
def scheduler_process(database, takes_s: float) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, PROGRAM, database.dsn, str(takes_s)], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def runs_where(database, condition, timeout_s=20.0):
    """Waits until the runs satisfy a condition and returns them."""
    with trio.fail_after(timeout_s):
        while True:
            rows = await trio.to_thread.run_sync(fetch, database.dsn, RUNS)
            if condition(rows):
                return rows
            await trio.sleep(0.05)


async def owe_a_slot(database):
    """The job is known since long ago, so that its latest slot is owed at once."""
    connection = Connection(database, "test")
    await connection.run(lambda raw: raw.execute(MARKS))
    store = PostgresJobStore(connection)
    await store.skip("slow", SystemClock().now_ms() // 60_000 * 60_000 - 3_600_000, "known since", holder="test")
    await connection.aclose()


def statuses(rows):
    return [row[3] for row in rows]


async def test_a_killed_run_is_abandoned_and_its_slot_run_again(database, aio):
    await owe_a_slot(database)
    with scheduler_process(database, takes_s=3) as first:
        [row] = await runs_where(database, lambda rows: rows and '"steps"' in rows[0][5])
        assert statuses([row]) == ["running"]
        first.kill()
        first.wait()
        with scheduler_process(database, takes_s=0.2):
            rows = await runs_where(database, lambda rows: statuses(rows)[:2] == ["abandoned", "succeeded"])
    assert (rows[0][1], rows[0][2], rows[1][2]) == (rows[1][1], 1, 2)
    assert rows[0][4] == "its engine died or lost the lease"
    assert '"steps": 10' in rows[1][5]


async def test_a_frozen_engine_loses_its_lease_and_records_no_success_when_it_wakes(database, aio):
    await owe_a_slot(database)
    with scheduler_process(database, takes_s=4) as first:
        await runs_where(database, lambda rows: rows and '"steps"' in rows[0][5])
        first.send_signal(signal.SIGSTOP)
        with scheduler_process(database, takes_s=0.2):
            await runs_where(database, lambda rows: statuses(rows)[:2] == ["abandoned", "succeeded"])
            first.send_signal(signal.SIGCONT)
            # Long enough for the sleeper to have finished, had nobody stopped it.
            await trio.sleep(5)
    rows = fetch(database.dsn, RUNS)
    assert statuses(rows)[:2] == ["abandoned", "succeeded"]
    assert fetch(database.dsn, "SELECT ended FROM job_marks WHERE run_id = $1", rows[0][0]) == [(None,)]


async def kills(database, count: int, seed: int) -> None:
    """Two engines; one after another is killed at a random moment of a job and replaced."""
    rng = Random(seed)
    await owe_a_slot(database)
    for _ in range(count):
        with scheduler_process(database, takes_s=0.5) as first, scheduler_process(database, takes_s=0.5):
            known = len(fetch(database.dsn, RUNS))
            connection = Connection(database, "test")
            await PostgresJobStore(connection).request("slow", "test")
            await connection.aclose()
            await runs_where(database, lambda rows, known=known: len(rows) > known)
            await trio.sleep(rng.uniform(0, 0.6))
            first.kill()
    with scheduler_process(database, takes_s=0.1):
        rows = await runs_where(
            database, lambda rows: "running" not in statuses(rows) and rows[-1][3] in ("succeeded", "abandoned")
        )
        await runs_where(database, lambda _: not fetch(database.dsn, "SELECT 1 FROM job_requests WHERE run_id IS NULL"))
    assert fetch(database.dsn, OVERLAPS) == []
    done = [row[1] for row in rows if row[3] == "succeeded" and row[1] is not None]
    assert len(done) == len(set(done))
    assert max(row[2] for row in rows) <= 3


async def test_kills_neither_overlap_nor_double_nor_lose(database, aio):
    await kills(database, 3, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(3))
async def test_many_kills_neither_overlap_nor_double_nor_lose(database, aio, seed):
    await kills(database, 40, seed=seed)
