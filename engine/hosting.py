"""What an engine does beside serving, by its roles: it ingests, or does parts of the rest apart from who does, or nothing."""

import logging

import attrs
import trio

from engine.apart import HostContext
from engine.deciding import DecideHost
from engine.executing import ExecuteHost
from engine.ingesting import IngestHost
from engine.polling import PollHost
from engine.roles import Parts
from engine.runtime.host import DrainReport
from protocols.cluster import Role

_log = logging.getLogger(__name__)
WAITS_FOR = {
    Role.DECIDE: ("decide", "no shard is ours yet"),
    Role.EXECUTE: ("live", "no account is ours yet"),
    Role.POLL: ("poll", "not started"),
}


@attrs.define(eq=False)
class Hosts:
    """The hosts of one process: that of the ingest, or those of what is done apart from it, side by side."""

    context: HostContext
    parts: Parts
    ingest: IngestHost | None = attrs.field(init=False, default=None)
    apart: dict[Role, DecideHost | ExecuteHost | PollHost] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        context, parts = self.context, self.parts
        if parts.ingest:
            self.ingest = IngestHost(context=context, decides=parts.decides_within, executes=parts.trades_within)
        if parts.decides_apart:
            self.apart[Role.DECIDE] = DecideHost(context=context)
        if parts.trades_apart and context.trades_live:
            self.apart[Role.EXECUTE] = ExecuteHost(context=context)
        if parts.polls_apart:
            self.apart[Role.POLL] = PollHost(context=context)

    @property
    def report(self) -> DrainReport | None:
        """Returns what stopping left behind, or None when nothing had started."""
        hosts = (*((self.ingest,) if self.ingest else ()), *self.apart.values())
        return together([host.report for host in hosts if host.report is not None])

    async def run(self) -> None:
        """Does what this engine is for, beside serving, until it shall stop."""
        readiness = self.context.engine.readiness
        if self.ingest is not None:
            readiness.wait_for("lease", "not asked for yet")
        for role in self.apart:
            readiness.wait_for(*WAITS_FOR[role])
        readiness.reached("services")
        if self.ingest is not None:
            await self.ingest.run()
            return
        if not self.apart:
            _log.info("ready", extra={"roles": ", ".join(sorted(self.context.engine.roles))})
            await self.context.stop.wait()
        async with trio.open_nursery() as nursery:
            for host in self.apart.values():
                nursery.start_soon(host.run)


def together(reports: list[DrainReport]) -> DrainReport | None:
    """Returns one report of several graphs; None of none."""
    if len(reports) < 2:
        return reports[0] if reports else None
    return DrainReport(
        drain_s=max(one.drain_s for one in reports),
        finished=all(one.finished for one in reports),
        left_behind={name: count for one in reports for name, count in one.left_behind.items()},
        dropped={name: count for one in reports for name, count in one.dropped.items()},
    )
