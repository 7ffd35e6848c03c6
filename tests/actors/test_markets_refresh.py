from collections import deque
from itertools import pairwise

import attrs
import pytest
import trio
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.made_trades import condition

from actors.jobs.markets_refresh import MarketsRefresh
from actors.market_asking import CALL_VALUES_MAX
from protocols.errors import RejectedError, TransientError
from protocols.jobs import JobLease, RunningJob

LEASE = JobLease(job="markets-refresh", owner="me", epoch=1, run_id=1, slot_ms=None, attempt=1)


@attrs.define(eq=False)
class FakeDue:
    """Unresolved markets, those first that waited longest."""

    waiting: deque[str] = attrs.field(converter=deque)

    async def due(self, *, traded_days, markets_max):
        await trio.lowlevel.checkpoint()
        return list(self.waiting)[:markets_max]

    async def asked(self, condition_ids):
        await trio.lowlevel.checkpoint()
        for id_ in condition_ids:
            self.waiting.remove(id_)
            self.waiting.append(id_)


class PoisonCatalog(FakeCatalog):
    async def markets(self, condition_ids, *, closed):
        if condition(7) in condition_ids:
            raise RejectedError("one of these ids is wrong")
        return await super().markets(condition_ids, closed=closed)


def ids(*numbers):
    return [condition(number) for number in numbers]


def job(due, catalog, store=None, **options):
    return MarketsRefresh(due=due, markets=store or FakeMarketStore(), catalog=catalog, **options)


async def test_runs_take_turns_so_that_every_market_is_asked_equally_often(autojump_clock):
    due, catalog = FakeDue(ids(*range(1, 251))), FakeCatalog(set(ids(*range(1, 251))))
    refresh = job(due, catalog, markets_max=100)
    for _ in range(5):
        running = RunningJob(lease=LEASE)
        await refresh.run(running)
        assert running.figures == {"asked": 100, "refreshed": 100, "absent": 0, "refused": 0}
    asked = [id_ for _, batch, _ in catalog.calls for id_ in batch]
    assert all(len(batch) == CALL_VALUES_MAX for _, batch, _ in catalog.calls)
    assert {asked.count(id_) for id_ in ids(*range(1, 251))} == {2}


async def test_calls_keep_their_distance(autojump_clock):
    due, catalog = (
        FakeDue(ids(*range(1, 201), *range(300, 500))),
        FakeCatalog(set(ids(*range(1, 201), *range(300, 500)))),
    )
    await job(due, catalog, pause_s=0.25).run(RunningJob(lease=LEASE))
    times = [at_s for at_s, _, _ in catalog.calls]
    assert [later - at_s for at_s, later in pairwise(times)] == pytest.approx([0.25] * 3)


async def test_a_market_that_has_closed_is_found_and_one_that_is_gone_waits_its_turn(autojump_clock):
    store = FakeMarketStore()
    due, catalog = FakeDue(ids(1, 2, 3)), FakeCatalog(set(ids(1)), set(ids(2)))
    running = RunningJob(lease=LEASE)
    await job(due, catalog, store).run(running)
    assert set(store.stored) == set(ids(1, 2))
    assert running.figures == {"asked": 3, "refreshed": 2, "absent": 1, "refused": 0}
    assert [(batch, closed) for _, batch, closed in catalog.calls] == [
        (tuple(ids(1, 2, 3)), None),
        (tuple(ids(2, 3)), True),
    ]


async def test_an_id_or_row_that_is_refused_costs_no_other(autojump_clock):
    store = FakeMarketStore(refused=frozenset(ids(30)))
    due, catalog = FakeDue(ids(*range(50))), PoisonCatalog(set(ids(*range(50))))
    running = RunningJob(lease=LEASE)
    await job(due, catalog, store).run(running)
    assert set(store.stored) == set(ids(*range(50))) - set(ids(7, 30))
    assert (running.figures["refused"], running.figures["asked"]) == (2, 50)


async def test_what_failed_for_the_weather_is_first_next_time(autojump_clock):
    due, catalog = FakeDue(ids(*range(1, 201))), FakeCatalog(set(ids(*range(1, 201))), script=["ok", "transient"])
    running = RunningJob(lease=LEASE)
    with pytest.raises(TransientError):
        await job(due, catalog).run(running)
    assert running.figures["asked"] == 100
    assert next(iter(due.waiting)) == condition(101)
