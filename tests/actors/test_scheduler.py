import trio
from property.job_world import START_MS, TTL_S, FakeJob, JobWorld

from config.jobs import JobConfig
from protocols.errors import FencedError
from protocols.jobs import JobStatus

HOUR_MS = 3_600_000
HOURLY = JobConfig(cron="0 * * * *", timeout_s=2_000)


def world_of(*jobs, poll_s=2.0, **settings):
    chosen = {job.name: settings.get(job.name, HOURLY) for job in jobs}
    return JobWorld(jobs=jobs, settings=chosen, options={"poll_s": poll_s})


def statuses(world, name):
    return [
        (row.slot_ms and (row.slot_ms - START_MS) // 60_000, row.status.value)
        for row in world.store.rows
        if row.job == name
    ]


def test_a_new_job_has_missed_nothing_and_then_runs_at_its_slots():
    job = FakeJob(name="work")

    async def story(world):
        engine = world.start_engine()
        await trio.sleep(2.5 * 3600)
        assert engine.scheduler.last_success_age_s()["work"] < 3600

    world = world_of(job).play(story)
    assert statuses(world, "work") == [(0, "skipped"), (60, "succeeded"), (120, "succeeded")]
    assert [round(at_s - n * 3600) in (0, 1, 2) for n, (at_s, _) in enumerate(job.works, 1)] == [True, True]


def test_a_request_runs_at_once_and_an_unscheduled_job_only_then():
    job = FakeJob(name="work")

    async def story(world):
        world.start_engine()
        await trio.sleep(7200)
        await world.store.request("work", "ann")
        await trio.sleep(60)

    world = world_of(job, work=JobConfig(enabled=False)).play(story)
    assert [(slot, status) for slot, status in statuses(world, "work")] == [(None, "succeeded")]
    assert 7200 <= job.works[0][0] <= 7203


def test_a_failing_or_crashing_job_is_recorded_and_disturbs_no_other():
    bad = FakeJob(name="bad", script=["fail", "crash"])
    good = FakeJob(name="good")

    async def story(world):
        world.start_engine()
        await trio.sleep(3.5 * 3600)

    world = world_of(bad, good).play(story)
    assert [status for _, status in statuses(world, "bad")] == ["skipped", "failed", "failed", "succeeded"]
    errors = [row.error for row in world.store.rows if row.status is JobStatus.FAILED]
    assert errors == ["TransientError: upstream is down", "CrashError: a bug of ours"]
    assert [status for _, status in statuses(world, "good")] == ["skipped", "succeeded", "succeeded", "succeeded"]


def test_a_run_that_takes_too_long_is_ended_as_failed():
    job = FakeJob(name="work", takes_s=1000)

    async def story(world):
        world.start_engine()
        await trio.sleep(3600 + 200)

    world = world_of(job, work=JobConfig(cron="0 * * * *", timeout_s=100)).play(story)
    assert statuses(world, "work")[1:] == [(60, "failed")]
    assert world.store.rows[-1].error == "it took longer than 100 s and was ended"


def test_only_so_many_run_at_once():
    counted = []

    class Counting(FakeJob):
        async def run(self, running):
            counted.append(sum(job.at_work for job in jobs) + 1)
            await super().run(running)

    jobs = [Counting(name=f"job{n}", takes_s=100) for n in range(5)]

    async def story(world):
        world.start_engine()
        await trio.sleep(3600 + 1000)

    world = world_of(*jobs)
    world.options["concurrent_max"] = 2
    world.play(story)
    assert max(counted) == 2
    assert all(statuses(world, job.name)[-1] == (60, "succeeded") for job in jobs)


def test_a_job_waits_for_those_it_comes_after():
    first = FakeJob(name="first", takes_s=900)
    second = FakeJob(name="second", after=("first",))

    async def story(world):
        world.start_engine()
        await trio.sleep(3600 + 3000)

    world = world_of(first, second, second=JobConfig(cron="5 * * * *")).play(story)
    assert statuses(world, "second")[-1] == (65, "succeeded")
    assert second.works[0][0] >= first.works[0][0] + 900


def test_waiting_for_others_ends_in_a_skipped_slot():
    first = FakeJob(name="first", script=["fail"])
    second = FakeJob(name="second", after=("first",))

    async def story(world):
        world.start_engine()
        await trio.sleep(3600 + 2900)

    world = world_of(first, second, second=JobConfig(cron="5 * * * *"))
    world.options["dependency_wait_s"] = 600
    world.play(story)
    assert statuses(world, "second")[-1] == (65, "skipped")
    assert world.store.rows[-1].error == "first did not succeed within 600 s"
    assert second.works == []


def test_a_slot_that_waits_until_the_next_one_is_skipped_and_the_next_one_runs():
    first = FakeJob(name="first", script=["fail", "fail"])
    second = FakeJob(name="second", after=("first",))

    async def story(world):
        world.start_engine()
        await trio.sleep(3.2 * 3600)

    world = world_of(first, second, second=JobConfig(cron="5 * * * *")).play(story)
    assert statuses(world, "second")[2:4] == [(65, "skipped"), (125, "succeeded")]


def test_jitter_delays_but_not_beyond_half_the_way_to_the_next_slot():
    job = FakeJob(name="work", takes_s=1)

    async def story(world):
        world.start_engine()
        await trio.sleep(24 * 3600)

    world_of(job, poll_s=30.0, work=JobConfig(cron="0 * * * *", jitter_s=3_600)).play(story)
    delays = [at_s % 3600 for at_s, _ in job.works]
    assert len(delays) == 23
    assert max(delays) <= 1800 + 31
    assert max(delays) > 600


def test_a_killed_engines_run_is_abandoned_and_repeated_by_the_other():
    job = FakeJob(name="work", takes_s=60)

    async def story(world):
        first = world.start_engine()
        await trio.sleep(3600 + 20)
        first.kill()
        world.start_engine()
        await trio.sleep(TTL_S + 100)

    world = world_of(job).play(story)
    assert statuses(world, "work")[1:] == [(60, "abandoned"), (60, "succeeded")]


def test_an_engine_that_stops_gives_its_run_back_at_once():
    job = FakeJob(name="work", takes_s=60)

    async def story(world):
        first = world.start_engine()
        await trio.sleep(3600 + 20)
        first.stop()
        await trio.sleep(0.5)
        assert statuses(world, "work")[1:] == [(60, "abandoned")]
        assert world.store.announced == {}
        world.start_engine()
        await trio.sleep(5)
        assert job.at_work == 1

    world_of(job).play(story)


def test_whoever_is_robbed_of_the_lease_stops_and_records_no_success():
    job = FakeJob(name="work", takes_s=30)

    async def story(world):
        engine = world.start_engine()
        await trio.sleep(3600 + 10)
        engine.line.cut = True
        world.store.steal("work")
        engine.line.cut = False
        world.settings.clear()
        await trio.sleep(TTL_S / 3 + 1)
        assert (job.at_work, engine.scheduler.running) == (0, {})

    world = world_of(job).play(story)
    assert statuses(world, "work")[1:] == [(60, "abandoned")]


def test_a_run_whose_lease_cannot_be_extended_ends_before_the_lease_does():
    job = FakeJob(name="work", takes_s=300)

    async def story(world):
        engine = world.start_engine()
        await trio.sleep(3600 + 20)
        held_until_s = world.store.leases["work"][3]
        engine.line.cut = True
        await trio.sleep_until(held_until_s - 0.5)
        assert job.at_work == 0

    world_of(job).play(story)


def test_two_engines_share_the_work_and_never_overlap():
    job = FakeJob(name="work", takes_s=30)

    async def story(world):
        world.start_engine()
        world.start_engine(step_ms=-45_000)
        await trio.sleep(5.5 * 3600)
        assert len(world.store.announced) == 2

    world = world_of(job, poll_s=10.0).play(story)
    assert job.most_at_work == 1
    assert [status for _, status in statuses(world, "work")].count("succeeded") == 5


def test_a_slot_that_kills_its_engine_is_tried_three_times_and_the_next_one_again():
    job = FakeJob(name="work", takes_s=60)

    async def story(world):
        for n in range(4):
            engine = world.start_engine()
            await trio.sleep_until(3600 + 40 * n + 30)
            engine.kill()
        world.start_engine()
        await trio.sleep_until(7200 + 100)

    world = world_of(job).play(story)
    assert statuses(world, "work")[1:] == [*[(60, "abandoned")] * 3, (120, "succeeded")]


def test_a_reloaded_expression_counts_from_the_next_look():
    job = FakeJob(name="work")

    async def story(world):
        world.start_engine()
        await trio.sleep(1.5 * 3600)
        world.settings["work"] = JobConfig(cron="45 * * * *")
        await trio.sleep(1800)

    world = world_of(job).play(story)
    assert statuses(world, "work")[1:] == [(60, "succeeded"), (105, "succeeded")]


class TornJob(FakeJob):
    """Fails in one of its tasks at the moment at which it is stopped: what a statement answers that was on its way."""

    async def run(self, running):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(self.fail_late)

    async def fail_late(self):
        try:
            await trio.sleep_forever()
        finally:
            raise FencedError("somebody else has it")


def test_a_job_that_fails_while_its_engine_stops_does_not_tear_the_engine_down():
    async def story(world):
        engine = world.start_engine()
        await trio.sleep(10)
        await world.store.request("work", "ann")
        await trio.sleep(10)
        assert list(engine.scheduler.running) == ["work"]
        engine.stop()
        await trio.sleep(10)

    world = world_of(TornJob(name="work"), work=JobConfig(enabled=False)).play(story)
    assert [status for _, status in statuses(world, "work")] == ["abandoned"]
