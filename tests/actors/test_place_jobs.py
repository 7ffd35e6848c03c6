"""Jobs that only some processes can run, and one that none can."""

import pytest

from actors.jobs.coverage_audit import CoverageAudit
from actors.jobs.ft_resolve import FtResolve
from engine.job_places import job_note, places_of, whereabouts
from protocols.errors import FencedError, TransientError
from protocols.jobs import JobLease, RunningJob, Scheduling


def running():
    return RunningJob(lease=JobLease(job="x", owner="me", epoch=1, run_id=1, slot_ms=None, attempt=1))


async def test_ft_resolve_makes_one_pass_and_says_what_it_came_to():
    run, passes = running(), []

    async def settle():
        passes.append(1)
        return {"markets": 3, "orders": 2}

    await FtResolve(settle=lambda: settle).run(run)
    assert passes == [1]
    assert run.figures == {"ingesting": True, "markets": 3, "orders": 2}


async def test_ft_resolve_without_a_settler_does_nothing_and_says_so():
    run = running()
    await FtResolve(settle=lambda: None).run(run)
    assert run.figures == {"ingesting": False}


async def test_an_ingest_that_lost_its_lease_is_a_failure_of_the_run_not_a_lost_run():
    async def settle():
        raise FencedError("another engine ingests")

    with pytest.raises(TransientError, match="another engine ingests"):
        await FtResolve(settle=lambda: settle).run(running())


async def test_the_audit_of_a_process_that_does_not_ingest_asks_nobody():
    run = running()
    nothing = object()
    audit = CoverageAudit(
        history=nothing,
        accounts=nothing,
        store=nothing,
        late=lambda: None,
        config=nothing,
        clock=nothing,
        board=nothing,
    )
    await audit.run(run)
    assert run.figures == {"ingesting": False}


def test_a_note_tells_what_a_job_needs_and_nobody_has():
    everywhere = Scheduling(holder="here", jobs=["retention", "alpha-agent"])
    ingesting = Scheduling(holder="there", jobs=["retention", "cold-poll", "ft-resolve"])
    assert job_note("retention", []) is None
    assert job_note("cold-poll", [everywhere]) == "needs an engine that polls, and none runs now"
    assert job_note("cold-poll", [everywhere, ingesting]) is None
    assert job_note("lt-execute", [everywhere, ingesting]) == "needs an engine that trades live, and none runs now"
    assert job_note("alpha-agent", [everywhere], installed=lambda: False) == "not installed"
    assert job_note("alpha-agent", [everywhere], installed=lambda: True) is None


def test_places_ask_the_process_each_time():
    ingests = trades = False
    places = places_of(
        ingests=lambda: ingests, settles=lambda: ingests, polls=lambda: ingests, trades_live=lambda: trades
    )
    assert {name for name, place in places.items() if place()} == set()
    ingests = True
    assert {name for name, place in places.items() if place()} == {"cold-poll", "coverage-audit", "ft-resolve"}
    trades = True
    assert all(place() for place in places.values())
    assert all(whereabouts(name) for name in places)
