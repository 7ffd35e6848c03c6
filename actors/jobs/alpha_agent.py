"""The tuner: judges what it changed, and proposes changes to strategies under its care (domain.md §7.7, D84)."""

from collections.abc import Sequence

import attrs
import trio

from actors.tuner_board import TunerBoard
from protocols.jobs import RunningJob
from protocols.tuner import ProposalStatus, TunerJobStore
from protocols.tuner_search import SearchOrder, TunerSearch

NOT_INSTALLED = "not installed"
PRUNE_ROWS = 1_000
SEARCHED_TOGETHER = 3
"""Strategies of one search, which share its passes over the trades: more need more memory at once."""


@attrs.define(eq=False, kw_only=True)
class AlphaAgent:
    """expired → evaluated, and rolled back → applied where that was left → searched → recorded → applied → pruned.

    Every step finds what it has to do in the database, and does it in one transaction under the fence: a run that died
    is taken up by the next one, and one that is repeated finds nothing. Without the libraries that search it still
    judges and rolls back.
    """

    store: TunerJobStore
    search: TunerSearch
    budget_s: float = 10_000
    """No further search is begun when it would probably end later than this after the first."""
    board: TunerBoard = attrs.field(factory=TunerBoard)
    name: str = "alpha-agent"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Does what is due. Raises `TransientError` and `FencedError`."""
        running.report(searched=0, proposed=0, applied=0, refused=0, evaluated=0, rolled_back=0, expired=0)
        expired = await self.store.expire(running.lease)
        running.report(expired=expired)
        self.board.ended[ProposalStatus.EXPIRED] += expired
        for proposal_id in await self.store.due_evaluations():
            status = await self.store.evaluate(running.lease, proposal_id)
            if status is not None:
                self._ended(running, status, evaluated=1, rolled_back=status is ProposalStatus.ROLLED_BACK)
        await self._apply(running)
        await self._search(running)
        await self._apply(running)
        running.report(pruned=await self._prune(running))
        self.board.counts = counts = await self.store.counts()
        running.report(managed=counts.managed, waiting=counts.waiting, evaluating=counts.evaluating)

    async def _apply(self, running: RunningJob) -> None:
        for proposal_id in await self.store.self_applicable():
            status = await self.store.apply(running.lease, proposal_id)
            if status is not None:
                refused = status is ProposalStatus.REFUSED
                self._ended(running, status, applied=not refused, refused=refused)

    async def _search(self, running: RunningJob) -> None:
        installed = self.search.installed()
        running.report(installed=installed)
        if not installed:
            running.report(note=NOT_INSTALLED)
            return
        order = await self.store.subjects()
        left, longest_s, began_s = list(order.subjects), 0.0, trio.current_time()
        # What a few came to is kept before the next few are begun; who is left is the first to be searched tomorrow.
        while left and trio.current_time() - began_s + longest_s <= self.budget_s:
            group, left = left[:SEARCHED_TOGETHER], left[SEARCHED_TOGETHER:]
            group_s = trio.current_time()
            await self._search_group(running, attrs.evolve(order, subjects=group))
            longest_s = max(longest_s, trio.current_time() - group_s)
        running.report(left=len(left))

    async def _search_group(self, running: RunningJob, order: SearchOrder) -> None:
        for finding in await self.search.search(order):
            proposal_id = await self.store.record(running.lease, finding)
            self.board.searched += 1
            self.board.proposed += proposal_id is not None
            _add(running, searched=1, proposed=proposal_id is not None)

    async def _prune(self, running: RunningJob) -> int:
        deleted = 0
        while (rows := await self.store.prune(running.lease, rows_max=PRUNE_ROWS)) > 0:
            deleted += rows
        return deleted

    def _ended(self, running: RunningJob, status: ProposalStatus, **figures: int) -> None:
        self.board.ended[status] += 1
        _add(running, **figures)


def _add(running: RunningJob, **figures: int) -> None:
    running.report(**{name: int(running.figures[name] or 0) + by for name, by in figures.items()})
