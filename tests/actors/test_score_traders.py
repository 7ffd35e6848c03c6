"""The job that scores traders: batches, what is too much tried one by one, patience while busy, and crashes in the middle."""

from datetime import UTC, datetime

import attrs
import pytest
import trio
import trio.testing
from engine_postgres.copyability_world import document
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.score_traders import AGE_MAX, BUSY_TRIES_MAX, ScoreTraders
from config.copyability import CopyabilityConfig
from protocols.copyability import DueTraders
from protocols.errors import FencedError, RejectedError, TransientError
from protocols.jobs import JobLease, RunningJob

NOW_MS = 1_800_000_000_000
LEASE = JobLease(job="score-traders", owner="me", epoch=1, run_id=1, slot_ms=0, attempt=1)


class Clock:
    def now_ms(self):
        return NOW_MS


@attrs.define
class Store:
    """Results by number of the trader, as a database would keep them."""

    traders: list
    kept: dict = attrs.field(factory=dict)
    lost: bool = False
    dies_at: int = -1
    puts: int = 0

    async def due(self, *, top, computed_before, after, wallets_max):
        await trio.lowlevel.checkpoint()
        assert computed_before == datetime.fromtimestamp(NOW_MS / 1000, UTC) - AGE_MAX
        first = -1 if after is None else int(after[1])
        left = [one for one in self.traders if one > first and one not in self.kept][:wallets_max]
        return DueTraders(
            wallets=[str(one) for one in left], after=(0, str(left[-1])) if len(left) == wallets_max else None
        )

    async def put(self, lease, results):
        assert lease is LEASE
        if self.lost:
            raise FencedError("lost")
        self.puts += 1
        if self.puts == self.dies_at:
            raise TransientError("the database went away")
        self.kept |= {int(one.wallet, 16): one for one in results}
        return len(results)

    async def drop_stale(self, lease, computed_before, rows_max):
        return 3


@attrs.define
class Scoring:
    """Scores that cost too much for some traders, and are busy for a while."""

    heavy: frozenset = frozenset()
    busy: int = 0
    asked: list = attrs.field(factory=list)
    takes_s: float = 1.0

    async def __call__(self, wallets):
        if self.busy:
            self.busy -= 1
            raise TransientError("busy")
        self.asked.append([int(one) for one in wallets])
        await trio.sleep(self.takes_s)
        if self.heavy & set(self.asked[-1]):
            raise RejectedError("it took too much memory")
        return [document(int(one), **({} if int(one) % 2 else {"net_return": None})) for one in wallets]


def ran(store, scoring, **config):
    running = RunningJob(lease=LEASE)
    job = ScoreTraders(store=store, score=scoring, config=CopyabilityConfig(**config), clock=Clock())
    trio.run(job.run, running, clock=trio.testing.MockClock(autojump_threshold=0))
    return running.figures


def test_everybody_who_is_due_is_scored_in_batches():
    store, scoring = Store(list(range(1, 8))), Scoring()
    figures = ran(store, scoring, batch=3)
    assert scoring.asked == [[1, 2, 3], [4, 5, 6], [7]]
    assert sorted(store.kept) == list(range(1, 8))
    assert figures == {"scored": 7, "enough": 4, "failed": 0, "time_is_up": False, "dropped": 3}


def test_one_trader_who_is_too_much_does_not_cost_the_others_their_result():
    store, scoring = Store([1, 2, 3, 4]), Scoring(heavy=frozenset({2}))
    figures = ran(store, scoring, batch=3)
    assert sorted(store.kept) == [1, 3, 4]
    assert (figures["scored"], figures["failed"], figures["last_error"]) == (3, 1, "it took too much memory")


def test_it_waits_while_another_computation_runs_and_gives_up_in_the_end():
    store = Store([1])
    assert ran(store, Scoring(busy=BUSY_TRIES_MAX))["scored"] == 1
    with pytest.raises(TransientError):
        ran(Store([1]), Scoring(busy=BUSY_TRIES_MAX + 1))


def test_it_ends_when_its_time_is_up_and_goes_on_next_time():
    store = Store(list(range(1, 10)))
    figures = ran(store, Scoring(takes_s=4), batch=2, run_max_s=10)
    assert (figures["time_is_up"], sorted(store.kept)) == (True, [1, 2, 3, 4])
    assert ran(store, Scoring(), batch=2)["scored"] == 5


def test_who_lost_the_lease_stops():
    with pytest.raises(FencedError):
        ran(Store([1, 2], lost=True), Scoring())


@settings(max_examples=60, deadline=None)
@given(
    traders=st.lists(st.integers(1, 60), unique=True, max_size=20).map(sorted),
    heavy=st.frozensets(st.integers(1, 60), max_size=3),
    batch=st.integers(1, 7),
    dies_at=st.lists(st.integers(1, 6), max_size=3),
)
def test_runs_that_die_anywhere_end_with_everybody_scored_once(traders, heavy, batch, dies_at):
    store = Store(traders)
    for at in dies_at:
        store.puts, store.dies_at = 0, at
        try:
            ran(store, Scoring(heavy=heavy), batch=batch)
        except TransientError:
            continue
    store.dies_at = -1
    last = Scoring(heavy=heavy)
    missing = len(traders) - len(store.kept)
    figures = ran(store, last, batch=batch)
    assert sorted(store.kept) == [one for one in traders if one not in heavy]
    assert figures["scored"] + figures["failed"] == missing
