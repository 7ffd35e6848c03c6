from datetime import UTC, datetime

import asyncpg
import attrs
import pytest
import trio

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from protocols.errors import FencedError
from protocols.jobs import ATTEMPTS_MAX, ClaimRefused, JobLease, JobOutcome, JobStatus

SLOT_MS = round(datetime(2026, 11, 21, 4, tzinfo=UTC).timestamp()) * 1000
DAY_MS = 86_400_000
DONE = JobOutcome(status=JobStatus.SUCCEEDED, figures={"deleted": 7})
EXPIRE = "UPDATE engine_leases SET expires_at = now() - interval '1 second' WHERE name = 'job:retention'"
OWNERS = iter(range(1, 10**9))


@pytest.fixture
async def store(database, aio):
    connection = Connection(database, "jobs")
    yield PostgresJobStore(connection)
    await connection.aclose()


async def claim(store, slot_ms=SLOT_MS, holder="here"):
    return await store.claim("retention", slot_ms=slot_ms, owner=f"owner {next(OWNERS)}", holder=holder, ttl_s=30)


async def claimed(store, slot_ms=SLOT_MS):
    lease = await claim(store, slot_ms)
    assert isinstance(lease, JobLease)
    return lease


async def state(store, until_ms=SLOT_MS + 10 * DAY_MS):
    return (await store.states(["retention"], slots_until_ms=until_ms))["retention"]


async def expire(store):
    await store.connection.run(lambda raw: raw.execute(EXPIRE))


async def history(store):
    return [
        (run.slot_ms, run.attempt, run.status.value) for run in await store.runs(None, before_run_id=None, runs_max=99)
    ]


async def test_a_run_from_claim_to_history(store):
    assert (await state(store)).last_slot is None
    lease = await claimed(store)
    assert (lease.attempt, lease.slot_ms, lease.name) == (1, SLOT_MS, "job:retention")
    running = await state(store)
    assert (running.held_by, running.orphaned, running.succeeded_ms) == ("here", False, None)
    await store.extend(lease, ttl_s=30, figures={"deleted": 3})
    [run] = await store.runs("retention", before_run_id=None, runs_max=5)
    assert (run.status, run.figures, run.duration_s) == (JobStatus.RUNNING, {"deleted": 3}, None)
    await store.finish(lease, DONE)
    [run] = await store.runs("retention", before_run_id=None, runs_max=5)
    assert (run.status, run.figures, run.error, run.holder) == (JobStatus.SUCCEEDED, {"deleted": 7}, None, "here")
    assert run.duration_s is not None
    after = await state(store)
    assert after.held_by is None
    assert (after.last_slot.slot_ms, after.last_slot.status) == (SLOT_MS, JobStatus.SUCCEEDED)
    assert (after.succeeded_slot_ms, after.succeeded_ms) == (SLOT_MS, run.ended_ms)


async def test_a_slot_is_run_once(store):
    await store.finish(await claimed(store), DONE)
    assert await claim(store) is ClaimRefused.DECIDED
    assert await claim(store, None) is ClaimRefused.NOT_REQUESTED
    assert (await state(store)).held_by is None
    assert isinstance(await claim(store, SLOT_MS + DAY_MS), JobLease)
    assert await claim(store, SLOT_MS + 2 * DAY_MS) is ClaimRefused.HELD


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.SKIPPED, JobStatus.SUCCEEDED])
async def test_an_end_is_an_end(store, status):
    await store.finish(await claimed(store), JobOutcome(status=status, error="x\x00" * 5_000))
    assert await claim(store) is ClaimRefused.DECIDED


async def test_a_dead_holders_run_is_abandoned_by_who_takes_over_at_most_three_times(store):
    for attempt in range(1, ATTEMPTS_MAX + 1):
        assert (await claimed(store)).attempt == attempt
        assert await claim(store) is ClaimRefused.HELD
        await expire(store)
        assert (await state(store)).orphaned
    assert await claim(store) is ClaimRefused.SPENT
    assert await history(store) == [(SLOT_MS, attempt, "abandoned") for attempt in (3, 2, 1)]
    assert not (await state(store)).orphaned


async def test_the_loser_of_a_lease_can_neither_extend_nor_end_nor_release(store):
    lost = await claimed(store)
    await expire(store)
    taken = await claimed(store)
    for call in (
        lambda: store.extend(lost, ttl_s=30, figures={}),
        lambda: store.finish(lost, DONE),
    ):
        with pytest.raises(FencedError):
            await call()
    assert (await state(store)).held_by == "here"
    await store.extend(taken, ttl_s=30, figures={})
    await store.finish(taken, DONE)
    assert await history(store) == [(SLOT_MS, 2, "succeeded"), (SLOT_MS, 1, "abandoned")]


async def test_a_lease_with_another_owner_or_epoch_is_refused(store):
    lease = await claimed(store)
    for stranger in (attrs.evolve(lease, owner="stranger"), attrs.evolve(lease, epoch=lease.epoch + 1)):
        with pytest.raises(FencedError):
            await store.finish(stranger, DONE)
        with pytest.raises(FencedError):
            await store.extend(stranger, ttl_s=30, figures={})
    assert (await state(store)).held_by == "here"


async def test_a_run_from_before_a_failover_neither_goes_on_nor_succeeds_and_is_made_again(store):
    lease = await claimed(store)
    await store.connection.run(lambda raw: raw.execute("UPDATE engine_leases SET timeline = timeline - 1"))
    with pytest.raises(FencedError):
        await store.extend(lease, ttl_s=30, figures={})
    with pytest.raises(FencedError):
        await store.finish(lease, DONE)
    assert await claim(store) is ClaimRefused.HELD
    await expire(store)
    await store.finish(await claimed(store), DONE)
    assert await history(store) == [(SLOT_MS, 2, "succeeded"), (SLOT_MS, 1, "abandoned")]


async def test_an_expired_lease_that_nobody_took_is_still_ours(store):
    lease = await claimed(store)
    await expire(store)
    await store.extend(lease, ttl_s=30, figures={})
    assert (await state(store)).held_by == "here"


async def test_an_end_whose_answer_was_lost_may_be_told_again_and_nothing_else(store):
    lease = await claimed(store)
    await store.finish(lease, DONE)
    await store.finish(lease, DONE)
    with pytest.raises(FencedError):
        await store.finish(lease, JobOutcome(status=JobStatus.FAILED))
    with pytest.raises(FencedError):
        await store.extend(lease, ttl_s=30, figures={})
    assert (await state(store)).held_by is None


async def test_two_connections_race_for_a_slot_and_one_wins(database, aio, store):
    other = Connection(database, "other")
    results = []

    async def race(contender, slot_ms):
        results.append(await claim(contender, slot_ms))

    for day in range(15):
        async with trio.open_nursery() as nursery:
            for contender in (store, PostgresJobStore(other)):
                nursery.start_soon(race, contender, SLOT_MS + day * DAY_MS)
        winners = [result for result in results if isinstance(result, JobLease)]
        assert len(winners) == 1
        assert set(results) - set(winners) <= {ClaimRefused.HELD, ClaimRefused.DECIDED}
        await store.finish(winners[0], DONE)
        results.clear()
    assert len(await history(store)) == 15
    await other.aclose()


async def test_a_request_is_answered_by_the_next_run_whatever_started_it(store):
    first = await store.request("retention", "ann")
    again = await store.request("retention", "bob")
    assert (first.is_new, again.is_new, again.request_id) == (True, False, first.request_id)
    assert (await state(store)).requested_by == "ann"
    assert await store.run_of_request(first.request_id) is None
    lease = await claimed(store)
    run = await store.run_of_request(first.request_id)
    assert (run.run_id, run.requested_by, run.slot_ms) == (lease.run_id, "ann", SLOT_MS)
    later = await store.request("retention", "bob")
    assert later.is_new
    await store.finish(lease, DONE)
    wanted = await claimed(store, None)
    assert (await store.run_of_request(later.request_id)).run_id == wanted.run_id
    await store.finish(wanted, DONE)
    assert await claim(store, None) is ClaimRefused.NOT_REQUESTED
    with pytest.raises(LookupError):
        await store.run_of_request(later.request_id + 1)


async def test_a_requested_run_whose_engine_died_is_repeated_at_most_three_times(store):
    request = await store.request("retention", "ann")
    for attempt in range(1, ATTEMPTS_MAX + 1):
        lease = await claimed(store, None)
        assert lease.attempt == attempt
        if attempt == 2:
            await store.finish(lease, JobOutcome(status=JobStatus.ABANDONED))
        else:
            await expire(store)
    assert await claim(store, None) is ClaimRefused.NOT_REQUESTED
    assert (await store.run_of_request(request.request_id)).status is JobStatus.ABANDONED


async def test_a_skipped_slot_is_decided_and_a_decided_one_is_not_skipped(store):
    await store.skip("retention", SLOT_MS, "new", holder="here")
    await store.skip("retention", SLOT_MS, "again", holder="here")
    assert await claim(store) is ClaimRefused.DECIDED
    lease = await claimed(store, SLOT_MS + DAY_MS)
    await store.skip("retention", SLOT_MS + DAY_MS, "late", holder="there")
    await store.finish(lease, DONE)
    await store.skip("retention", SLOT_MS + DAY_MS, "late", holder="there")
    assert [status for _, _, status in await history(store)] == ["succeeded", "skipped"]


async def test_slots_of_a_wrong_clock_are_left_out(store):
    await store.finish(await claimed(store, SLOT_MS), DONE)
    await store.finish(await claimed(store, SLOT_MS + 1000 * DAY_MS), DONE)
    seen = await state(store, SLOT_MS + DAY_MS)
    assert (seen.last_slot.slot_ms, seen.succeeded_slot_ms) == (SLOT_MS, SLOT_MS)


async def test_history_is_bounded_and_the_last_success_stays(store):
    store.runs_kept = 10
    await store.request("retention", "ann")
    await store.finish(await claimed(store, SLOT_MS), DONE)
    for day in range(1, 30):
        await store.finish(await claimed(store, SLOT_MS + day * DAY_MS), JobOutcome(status=JobStatus.FAILED, error="x"))
    kept = await history(store)
    assert [slot_ms for slot_ms, _, _ in kept] == [SLOT_MS + day * DAY_MS for day in [*range(29, 19, -1), 0]]
    assert (await state(store, SLOT_MS + 90 * DAY_MS)).succeeded_slot_ms == SLOT_MS


async def test_history_comes_in_pages(store):
    for day in range(5):
        await store.finish(await claimed(store, SLOT_MS + day * DAY_MS), DONE)
    first = await store.runs("retention", before_run_id=None, runs_max=2)
    rest = await store.runs("retention", before_run_id=first[-1].run_id, runs_max=9)
    assert [run.slot_ms for run in [*first, *rest]] == [SLOT_MS + day * DAY_MS for day in (4, 3, 2, 1, 0)]
    assert await store.runs("other", before_run_id=None, runs_max=9) == []


async def test_unlocking_takes_only_a_dead_holders_lease_unless_forced(store):
    assert await store.unlock("retention", "ann", force=False) is None
    lease = await claimed(store)
    assert await store.unlock("retention", "ann", force=False) == "here"
    await store.extend(lease, ttl_s=30, figures={})
    assert await store.unlock("retention", "ann", force=True) is None
    with pytest.raises(FencedError):
        await store.extend(lease, ttl_s=30, figures={})
    with pytest.raises(FencedError):
        await store.finish(lease, DONE)
    [run] = await store.runs("retention", before_run_id=None, runs_max=9)
    assert (run.status, run.error) == (JobStatus.ABANDONED, "unlocked by ann")
    await claimed(store)
    await expire(store)
    assert await store.unlock("retention", "ann", force=False) is None
    assert not (await state(store)).orphaned


async def test_schedulers_are_known_while_they_announce_themselves(store):
    await store.announce("a", "host process 1", ["retention"])
    await store.announce("b", "host process 2", ["retention", "other"])
    await store.announce("a", "host process 1", ["retention"])
    assert [(one.holder, one.jobs) for one in await store.schedulers()] == [
        ("host process 1", ["retention"]),
        ("host process 2", ["retention", "other"]),
    ]
    await store.withdraw("a")
    old = "UPDATE job_schedulers SET seen_at = now() - interval '1 minute'"
    await store.connection.run(lambda raw: raw.execute(old))
    assert await store.schedulers() == []


async def test_the_database_itself_refuses_a_second_run_of_a_slot(store):
    await claimed(store)
    again = (
        "INSERT INTO job_runs (job, slot, attempt, status, owner, holder) "
        "SELECT job, slot, 2, 'running', '', '' FROM job_runs"
    )

    async def work(raw):
        with pytest.raises(asyncpg.UniqueViolationError):
            await raw.execute(again)

    await store.connection.run(work)
