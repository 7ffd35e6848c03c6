"""SIGSTOP for a part of a process: tasks below a root stop where they stand, and the time of all others goes on.

What is on the wire goes on as well, since it is no task of theirs. Deadlines pass while they stand still; who is woken finds
that out at his next await, in the way of a process that gets SIGCONT.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import trio
from trio._core._run import Runner

Task = trio.lowlevel.Task


@attrs.define(eq=False)
class Freezer:
    """Holds tasks back from the scheduler."""

    parked: dict[Task, list[Task]] = attrs.field(init=False, factory=dict)
    """By root: who would run by now."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stands before the scheduler for as long as the context."""
        before: Any = Runner.reschedule

        def reschedule(runner: Any, task: Task, *outcome: Any, **named: Any) -> None:
            before(runner, task, *outcome, **named)
            if self.parked and (root := self._root(task)) is not None:
                runner.runq.pop()
                self.parked[root].append(task)

        Runner.reschedule = reschedule  # type: ignore[method-assign]
        try:
            yield
        finally:
            Runner.reschedule = before  # type: ignore[method-assign]

    def freeze(self, root: Task) -> None:
        """Stops everything below a task, itself too. Called from outside."""
        if root in self.parked:
            return
        self.parked[root] = waiting = []
        runq = root._runner.runq
        for task in list(runq):
            if self._root(task) is root:
                runq.remove(task)
                waiting.append(task)

    def thaw(self, root: Task) -> None:
        """Lets it go on."""
        root._runner.runq.extend(self.parked.pop(root, ()))

    def _root(self, task: Task) -> Task | None:
        at: Task | None = task
        while at is not None:
            if at in self.parked:
                return at
            at = at.parent_nursery.parent_task if at.parent_nursery is not None else None
        return None
