import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import examples
from property.job_world import START_MS, TTL_S, FakeJob, JobWorld

from actors.rules.cron_times import CronTimes
from config.jobs import JobConfig
from protocols.jobs import ATTEMPTS_MAX, JobStatus

CRON = "*/2 * * * *"
FAULTS = st.sampled_from(["kill", "stop", "cut", "mend", "start", "steal", "ask", "forward", "back"])
STEPS_MS = st.integers(-6 * 3_600_000, 6 * 3_600_000)
HOUR_S = 3_600
STORY_S = 600


def breaking(world, fault, number, step_ms):
    engine = world.engines[number % len(world.engines)]
    if fault == "kill":
        engine.kill()
    elif fault == "stop":
        engine.stop()
    elif fault in ("cut", "mend"):
        engine.line.cut = fault == "cut"
    elif fault == "start" and len(world.engines) < 4:
        world.start_engine()
    elif fault == "steal":
        world.store.steal("work")
    elif fault == "ask":
        world.store.requests.setdefault("work", 0)
    elif fault in ("forward", "back"):
        engine.clock.step_ms = abs(step_ms) if fault == "forward" else -abs(step_ms)


@examples(30)
@given(
    faults=st.lists(st.tuples(st.floats(0, STORY_S), FAULTS, st.integers(0, 5), STEPS_MS), max_size=20),
    takes_s=st.floats(0.1, 80),
)
def test_no_job_runs_beside_itself_no_slot_twice_and_none_is_lost_for_good(faults, takes_s):
    job = FakeJob(name="work", takes_s=takes_s)
    world = JobWorld(
        jobs=[job], settings={"work": JobConfig(cron=CRON, jitter_s=5, timeout_s=100)}, options={"poll_s": 5.0}
    )

    async def story(world):
        world.start_engine()
        world.start_engine()
        for at_s, fault, number, step_ms in sorted(faults):
            await trio.sleep_until(at_s)
            breaking(world, fault, number, step_ms)
        await trio.sleep_until(STORY_S)
        # Everybody is well again: what is owed is caught up with.
        for engine in world.engines:
            engine.line.cut, engine.clock.step_ms = False, 0
        world.start_engine()
        await trio.sleep(STORY_S)

    world.play(story)
    if not any(fault == "steal" for _, fault, _, _ in faults):
        # Whoever is robbed notices at its next extension; until then the epoch keeps its writes out.
        assert job.most_at_work <= 1
    succeeded = world.store.slots("work", JobStatus.SUCCEEDED)
    assert len(succeeded) == len(set(succeeded))
    for slot_ms in set(world.store.slots("work", *JobStatus)):
        attempts = [row.attempt for row in world.store.rows if row.slot_ms == slot_ms]
        assert attempts == list(range(1, len(attempts) + 1))
        assert len(attempts) <= ATTEMPTS_MAX
    # Well again for some time: every slot has its run, by then or by a clock that was ahead.
    recovered = range(START_MS + (STORY_S + 240) * 1000, START_MS + (2 * STORY_S - 120) * 1000, 120_000)
    assert set(recovered) <= set(world.store.slots("work", *JobStatus))
    assert "work" not in world.store.requests


@examples(30)
@given(step_ms=STEPS_MS, at_s=st.floats(600, 2 * HOUR_S), back_after_s=st.floats(1, HOUR_S), minute=st.integers(0, 59))
def test_a_clock_that_steps_by_hours_neither_loses_nor_doubles_a_daily_run(step_ms, at_s, back_after_s, minute):
    """The clock is wrong for a while within a day; by the day's end each of its slots was run exactly once."""
    job = FakeJob(name="daily", takes_s=10)
    world = JobWorld(
        jobs=[job], settings={"daily": JobConfig(cron=f"{minute} 1,7,13 * * *")}, options={"poll_s": 240.0}
    )

    async def story(world):
        engine = world.start_engine()
        await trio.sleep_until(at_s)
        engine.clock.step_ms = step_ms
        await trio.sleep(back_after_s)
        engine.clock.step_ms = 0
        await trio.sleep_until(22 * HOUR_S)

    world.play(story)
    today = [slot for slot in world.store.slots("daily", JobStatus.SUCCEEDED) if slot >= START_MS]
    assert sorted(today) == [START_MS + (hour * 60 + minute) * 60_000 for hour in (1, 7, 13)]


@examples(30)
@given(down_at_s=st.floats(100, 3 * HOUR_S), down_s=st.floats(1, 12 * HOUR_S), is_killed=st.booleans())
def test_after_a_time_down_the_latest_missed_slot_is_made_up_for(down_at_s, down_s, is_killed):
    job = FakeJob(name="work", takes_s=30)
    world = JobWorld(jobs=[job], settings={"work": JobConfig(cron="0 * * * *")}, options={"poll_s": 60.0})

    async def story(world):
        first = world.start_engine()
        await trio.sleep_until(down_at_s)
        first.kill() if is_killed else first.stop()
        await trio.sleep(down_s)
        world.start_engine()
        await trio.sleep(TTL_S + 200)

    world.play(story)
    up_ms = START_MS + round((down_at_s + down_s) * 1000)
    latest_ms = CronTimes("0 * * * *").latest_until(up_ms)
    if latest_ms > START_MS:
        assert latest_ms in world.store.slots("work", JobStatus.SUCCEEDED)
