"""Jobs that come after each other by what succeeded, not by the clock: leaderboard, back-fill, rotation."""

import pytest
import trio
from property.job_world import START_MS, TTL_S, FakeJob, JobWorld

from config.jobs import JobConfig

NAMES = ("sync-trader-leaderboard", "backfill-wallet-pnl", "rotate-pnl-winners")
DAY_S, HOUR_S = 86_400, 3_600


def chain(*, takes_s=(600, 600, 60), scripts=((), (), ()), **options):
    """The three of every day: 01:00, 02:00, 03:00; time begins at midnight."""
    jobs = [
        FakeJob(name=name, after=NAMES[max(0, n - 1) : n], takes_s=takes_s[n], script=list(scripts[n]))
        for n, name in enumerate(NAMES)
    ]
    settings = {name: JobConfig(cron=f"0 {n + 1} * * *", timeout_s=6 * HOUR_S) for n, name in enumerate(NAMES)}
    return JobWorld(jobs=jobs, settings=settings, options={"poll_s": 60.0, **options})


def ends(world, day):
    """How the last attempt of each at its slot of a day ended."""
    found = {}
    for n, name in enumerate(NAMES):
        slot_ms = START_MS + (day * DAY_S + (n + 1) * HOUR_S) * 1000
        rows = [row for row in world.store.rows if (row.job, row.slot_ms) == (name, slot_ms)]
        found[name] = rows[-1].status.value if rows else None
    return [found[name] for name in NAMES]


def began(world, n):
    return [at_s for at_s, _ in world.jobs[n].works]


async def known_since_yesterday(world):
    """An engine that ran before, so that nothing is new; it is gone at half past midnight of the next day."""
    engine = world.start_engine()
    await trio.sleep_until(DAY_S + HOUR_S / 2)
    engine.stop()


def test_a_day_on_time_runs_all_three_at_their_hours():
    async def story(world):
        world.start_engine()
        await trio.sleep_until(2 * DAY_S)

    world = chain().play(story)
    assert ends(world, 1) == ["succeeded"] * 3
    assert [round((began(world, n)[-1] - DAY_S) / HOUR_S, 1) for n in range(3)] == [1.0, 2.0, 3.0]


def test_a_late_day_runs_all_three_in_their_order_none_beside_the_one_before():
    async def story(world):
        await known_since_yesterday(world)
        await trio.sleep_until(DAY_S + 9 * HOUR_S)
        world.start_engine()
        await trio.sleep_until(DAY_S + 10 * HOUR_S)

    world = chain().play(story)
    assert ends(world, 1) == ["succeeded"] * 3
    starts = [began(world, n)[-1] for n in range(3)]
    assert starts[0] >= DAY_S + 9 * HOUR_S
    assert starts[1] >= starts[0] + 600
    assert starts[2] >= starts[1] + 600


def test_one_that_takes_half_the_night_is_waited_for_by_the_whole_chain():
    async def story(world):
        world.start_engine()
        await trio.sleep_until(2 * DAY_S)

    world = chain(takes_s=(4 * HOUR_S, 3 * HOUR_S, 60)).play(story)
    assert ends(world, 1) == ["succeeded"] * 3
    starts = [began(world, n)[-1] - DAY_S for n in range(3)]
    assert starts[1] >= 5 * HOUR_S, "it comes after the first, however long that takes"
    assert starts[2] >= 8 * HOUR_S, "it waits for one that has not begun either"


@pytest.mark.parametrize(
    ("broken", "expected"), [(0, ["failed", "skipped", "skipped"]), (1, ["succeeded", "failed", "skipped"])]
)
def test_after_a_failure_nothing_builds_on_it_and_the_next_day_is_whole(broken, expected):
    async def story(world):
        world.start_engine()
        await trio.sleep_until(3 * DAY_S)

    world = chain(scripts=[("well", "fail") if n == broken else () for n in range(3)]).play(story)
    assert ends(world, 1) == expected
    assert ends(world, 2) == ["succeeded"] * 3


def test_a_failed_one_that_somebody_runs_again_lets_the_others_go_on():
    async def story(world):
        world.start_engine()
        await trio.sleep_until(DAY_S + 2.5 * HOUR_S)
        assert ends(world, 1)[:2] == ["failed", None]
        await world.store.request(NAMES[0], "ann")
        await trio.sleep_until(2 * DAY_S)

    world = chain(scripts=[("well", "fail"), (), ()]).play(story)
    assert ends(world, 1) == ["failed", "succeeded", "succeeded"]


def test_two_engines_keep_the_order_while_one_dies_and_a_lease_is_stolen():
    async def story(world):
        first, _ = world.start_engine(), world.start_engine(step_ms=-90_000)
        await trio.sleep_until(DAY_S + HOUR_S + 200)
        first.kill()
        await trio.sleep_until(DAY_S + 2 * HOUR_S + 300)
        world.store.steal(NAMES[1])
        world.start_engine(step_ms=45_000)
        await trio.sleep_until(2 * DAY_S - 200)

    world = chain().play(story)
    # Who is robbed learns it with his next extension, and may write nothing until then.
    assert [world.jobs[n].most_at_work for n in (0, 2)] == [1, 1]
    assert ends(world, 1) == ["succeeded"] * 3
    assert order_of_successes(world, 1) == list(NAMES)


def order_of_successes(world, day):
    rows = [row for row in world.store.rows if row.status.value == "succeeded" and row.ended_ms]
    first_ms = START_MS + day * DAY_S * 1000
    return [row.job for row in sorted(rows, key=lambda row: row.ended_ms) if row.slot_ms and row.slot_ms >= first_ms]


@pytest.mark.parametrize("step_h", [-26, -3, 3, 26])
def test_a_clock_that_steps_in_the_night_runs_no_slot_twice_and_keeps_the_order(step_h):
    async def story(world):
        engine = world.start_engine()
        await trio.sleep_until(DAY_S + 1.5 * HOUR_S)
        engine.clock.step_ms = step_h * HOUR_S * 1000
        await trio.sleep_until(DAY_S + 2 * HOUR_S)
        engine.clock.step_ms = 0
        await trio.sleep_until(4 * DAY_S)

    world = chain().play(story)
    for name in NAMES:
        done = [row.slot_ms for row in world.store.rows if row.job == name and row.status.value == "succeeded"]
        assert len(done) == len(set(done))
    assert ends(world, 3) == ["succeeded"] * 3


def test_a_job_may_come_after_one_that_runs_elsewhere():
    ingesting = {1: False, 2: True}

    async def story(world):
        for number in (1, 2):
            world.options["places"] = {NAMES[0]: lambda number=number: ingesting[number]}
            world.start_engine()
        await trio.sleep_until(DAY_S + 2.5 * HOUR_S)

    world = chain().play(story)
    assert ends(world, 1)[:2] == ["succeeded", "succeeded"]


def test_what_can_run_here_is_announced_as_soon_as_it_changes_and_counts_for_the_metrics():
    here = False
    job = FakeJob(name="work")

    async def story(world):
        nonlocal here
        world.options["places"] = {"work": lambda: here}
        engine = world.start_engine()
        await trio.sleep(5)
        [first] = await world.store.schedulers()
        assert (list(first.jobs), engine.scheduler.interval_s) == ([], {})
        here = True
        await trio.sleep(5)
        [second] = await world.store.schedulers()
        assert list(second.jobs) == ["work"]
        assert engine.scheduler.interval_s == {"work": HOUR_S}
        here = False
        await trio.sleep(5)
        assert engine.scheduler.last_success_age_s() == {}

    JobWorld(jobs=[job], settings={"work": JobConfig(cron="0 * * * *")}, options={"poll_s": 2.0}).play(story)


def test_a_job_that_never_succeeded_is_as_old_as_its_first_record():
    job = FakeJob(name="work", script=["fail"] * 50)

    async def story(world):
        engine = world.start_engine()
        await trio.sleep(5 * HOUR_S + TTL_S)
        assert engine.scheduler.last_success_age_s()["work"] >= 5 * HOUR_S
        world.start_engine()
        await trio.sleep(HOUR_S)
        assert world.engines[1].scheduler.last_success_age_s()["work"] >= 6 * HOUR_S

    JobWorld(jobs=[job], settings={"work": JobConfig(cron="0 * * * *")}, options={"poll_s": 2.0}).play(story)
