"""The order of the tuner's steps, and how long it goes on searching, without a database."""

import attrs
import pytest
import trio

from actors.jobs.alpha_agent import AlphaAgent
from protocols.jobs import JobLease, RunningJob
from protocols.tuner import ProposalStatus, TunerCounts
from protocols.tuner_search import Finding, SearchOrder, Subject


@attrs.define(eq=False)
class ListedStore:
    """`TunerJobStore` that notes what it is asked."""

    subjects_: list[str]
    said: list[str] = attrs.field(factory=list)
    waiting: list[int] = attrs.field(factory=list)
    old: int = 0

    async def expire(self, lease):
        self.said.append("expire")
        return 2

    async def due_evaluations(self):
        return [1, 2, 3]

    async def evaluate(self, lease, proposal_id):
        self.said.append(f"evaluate {proposal_id}")
        return {1: ProposalStatus.ROLLED_BACK, 2: ProposalStatus.IMPROVED, 3: None}[proposal_id]

    async def self_applicable(self):
        return list(self.waiting)

    async def apply(self, lease, proposal_id):
        self.said.append(f"apply {proposal_id}")
        self.waiting.remove(proposal_id)
        return ProposalStatus.APPLIED

    async def subjects(self):
        return SearchOrder(subjects=[Subject(wallet_id=one, version=1, looks=0) for one in self.subjects_], now_ms=5)

    async def record(self, lease, finding):
        self.said.append(f"record {finding.wallet_id}")
        self.waiting.append(100)
        return 100

    async def prune(self, lease, *, rows_max):
        found, self.old = min(self.old, rows_max), max(0, self.old - rows_max)
        return found

    async def counts(self):
        return TunerCounts(waiting=4, evaluating=1, managed=9)


@attrs.define(eq=False)
class SlowSearch:
    """`TunerSearch` that takes its time."""

    takes_s: float
    asked: list[list[str]] = attrs.field(factory=list)
    there: bool = True

    def installed(self):
        return self.there

    async def search(self, order):
        self.asked.append([one.wallet_id for one in order.subjects])
        await trio.sleep(self.takes_s)
        return [
            Finding(wallet_id=one.wallet_id, version=1, text="", before={}, after={}, evidence=None)
            for one in order.subjects
        ]


async def ran(store, search, **options):
    running = RunningJob(lease=JobLease(job="x", owner="me", epoch=1, run_id=1, slot_ms=None, attempt=1))
    agent = AlphaAgent(store=store, search=search, **options)
    await agent.run(running)
    return running.figures, agent.board


async def test_it_judges_first_then_applies_what_was_left_then_searches():
    store = ListedStore(["A"], waiting=[7], old=2_500)
    figures, board = await ran(store, SlowSearch(0))
    assert store.said == ["expire", "evaluate 1", "evaluate 2", "evaluate 3", "apply 7", "record A", "apply 100"]
    assert {
        "expired": 2,
        "evaluated": 2,
        "rolled_back": 1,
        "applied": 2,
        "searched": 1,
        "proposed": 1,
    }.items() <= figures.items()
    assert (figures["pruned"], figures["waiting"], figures["managed"]) == (2_500, 4, 9)
    assert (board.searched, board.proposed, board.ended[ProposalStatus.ROLLED_BACK]) == (1, 1, 1)


@pytest.mark.parametrize(("budget_s", "groups"), [(50, 1), (199, 1), (200, 2), (250, 2), (10_000, 3)])
async def test_no_search_is_begun_that_would_end_too_late(autojump_clock, budget_s, groups):
    names = [f"S{number}" for number in range(8)]
    search = SlowSearch(100)
    figures, _ = await ran(ListedStore(names), search, budget_s=budget_s)
    assert search.asked == [names[:3], names[3:6], names[6:]][:groups]
    assert figures["left"] == max(0, 8 - 3 * groups)


async def test_without_the_libraries_it_judges_and_says_so():
    search = SlowSearch(0, there=False)
    figures, _ = await ran(ListedStore(["A"]), search)
    assert (figures["installed"], figures["note"], figures["evaluated"], search.asked) == (
        False,
        "not installed",
        2,
        [],
    )
