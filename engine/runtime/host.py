"""Starts and stops a graph of actors: sources first to stop, channels run dry in flow order, then a deadline."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import trio

from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child, Supervisor


@attrs.frozen(kw_only=True)
class Graph:
    """The data flow of the engine, in flow order. Services start first and stop last; they are not drained."""

    services: tuple[Child, ...] = ()
    sources: tuple[Child, ...]
    stages: tuple[Child, ...]
    channels: tuple[Channel[Any], ...]
    name: str = ""
    """Of a graph that may run beside others in one process; in front of the names of its groups."""

    def group(self, name: str) -> str:
        """Returns the name by which the supervisor knows one of its groups."""
        return f"{self.name}_{name}" if self.name else name


@attrs.frozen(kw_only=True)
class DrainReport:
    """What stopping took and what it left behind."""

    drain_s: float
    finished: bool
    left_behind: Mapping[str, int]
    """Items that nobody has dealt with, by channel: waiting, or in the hands of a reader that the deadline stopped."""
    dropped: Mapping[str, int]
    """Items dropped over the whole run, by channel."""


async def run_graph(
    graph: Graph,
    supervisor: Supervisor,
    stop: trio.Event,
    *,
    drain_s: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> DrainReport:
    """Runs the graph until `stop` is set and returns what stopping left behind.

    Three nurseries: services outermost, then stages, then sources, so that nobody talks to a deaf reader and the last to
    go are those that others lean on. Raises `RestartBudgetExceededError` when a group has spent its budget.
    """
    async with trio.open_nursery() as services:
        await services.start(supervisor.run_group, graph.group("services"), graph.services)
        with trio.CancelScope() as stages_scope:
            async with trio.open_nursery() as stages:
                await stages.start(supervisor.run_group, graph.group("stages"), graph.stages)
                async with trio.open_nursery() as sources:
                    await sources.start(supervisor.run_group, graph.group("sources"), graph.sources)
                    task_status.started()
                    await stop.wait()
                    sources.cancel_scope.cancel()
                began_s = trio.current_time()
                stages_scope.deadline = began_s + drain_s
                _close_outboxes(graph.sources)
        services.cancel_scope.cancel()
    return DrainReport(
        drain_s=trio.current_time() - began_s,
        finished=not stages_scope.cancelled_caught,
        left_behind={s.name: left for c in graph.channels if (left := (s := c.statistics()).depth + s.unacknowledged)},
        dropped={s.name: s.dropped for c in graph.channels if (s := c.statistics()).dropped},
    )


def _close_outboxes(children: Sequence[Child]) -> None:
    for child in children:
        for outbox in child.writes:
            outbox.close()
