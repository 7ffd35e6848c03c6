from collections import Counter
from decimal import Decimal as D

import attrs
import pytest

from actors.jobs.live_backup import COMPARED_S, LtExecute, LtResolve, LtSyncOrderStatus
from protocols.errors import TransientError
from protocols.finder import Finder
from protocols.jobs import JobLease, RunningJob
from protocols.live.passes import LivePasses
from protocols.live.watching import ReconciliationReport

JOBS = (LtExecute, LtSyncOrderStatus, LtResolve)


REPORT = ReconciliationReport(
    at_ms=0, collateral_usd=D(9), cash_short_usd=D(0), working=2, open_orders=2, asked=4, not_found=0, unsettled=0
)


@attrs.define
class Desk:
    """What a running engine lends, counted."""

    ages_s: dict = attrs.field(factory=dict)
    calls: Counter = attrs.field(factory=Counter)
    fails: bool = False

    def passes(self):
        return LivePasses(
            waiting=lambda: 3,
            working=lambda: 2,
            held=lambda: 1,
            look=lambda: self.calls.update(["look"]),
            compared_ages_s=lambda: self.ages_s,
            compare=self.compare,
            settle=self.settle,
        )

    async def compare(self):
        self.calls["compare"] += 1
        if self.fails:
            raise TransientError("the venue does not answer")
        return dict.fromkeys(self.ages_s, REPORT)

    async def settle(self):
        self.calls["settle"] += 1
        return {"markets": 5, "settled": 2}


async def run(job, find):
    lease = JobLease(job=job.name, owner="me", epoch=1, run_id=1, slot_ms=0, attempt=1)
    running = RunningJob(lease=lease)
    await job(live=find).run(running)
    return dict(running.figures)


@pytest.mark.parametrize("job", JOBS)
async def test_where_nobody_trades_nothing_is_done_and_the_figures_say_so(job):
    figures = await run(job, Finder().current)
    assert figures.pop("trading") is False
    assert not any(figures.values())


@pytest.mark.parametrize("job", JOBS)
async def test_the_port_is_asked_at_each_run(job):
    port, desk = Finder(), Desk(ages_s={"main": None})
    trades = False
    port.install(lambda: desk.passes() if trades else None)
    assert (await run(job, port.current))["trading"] is False
    trades = True
    assert (await run(job, port.current))["trading"] is True
    assert desk.calls.total() == 1


async def test_claims_and_obligations_are_read_again():
    desk = Desk()
    assert await run(LtExecute, desk.passes) == {"trading": True, "waiting": 3, "working": 2}
    assert desk.calls == {"look": 1}


@pytest.mark.parametrize(
    ("ages_s", "compares"),
    [
        ({}, 0), ({"main": 0.0}, 0), ({"main": COMPARED_S - 0.1}, 0), ({"main": COMPARED_S}, 1), ({"main": None}, 1),
        ({"main": 1.0, "other": COMPARED_S + 1}, 1), ({"main": 1.0, "other": 2.0}, 0),
    ],
)  # fmt: skip
async def test_accounts_are_compared_when_one_of_them_was_not_lately(ages_s, compares):
    desk = Desk(ages_s=ages_s)
    figures = await run(LtSyncOrderStatus, desk.passes)
    assert desk.calls["compare"] == compares
    assert figures["compared"] == compares * len(ages_s)
    assert figures.get("asked", 0) == compares * len(ages_s) * 4


async def test_a_venue_that_does_not_answer_fails_the_run():
    with pytest.raises(TransientError):
        await run(LtSyncOrderStatus, Desk(ages_s={"main": None}, fails=True).passes)


async def test_resolving_says_what_it_came_to():
    assert await run(LtResolve, Desk().passes) == {"trading": True, "held": 1, "markets": 5, "settled": 2}
