"""Counts what strategies decided, by day and reason."""

from collections.abc import Sequence

import attrs

from protocols.ft_statistics import ReasonCountStore
from protocols.jobs import RunningJob

ROWS_MAX = 5_000


@attrs.define(eq=False, kw_only=True)
class ReasonCounts:
    """New decisions → counts. A job of its own: a backlog of trades or a failure there must not hold it up."""

    store: ReasonCountStore
    rows_max: int = ROWS_MAX
    name: str = "ft-statistics"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Counts what there is now. Raises `TransientError` and `FencedError`."""
        decisions, at_end = 0, False
        running.report(decisions=0)
        while not at_end:
            counted = await self.store.count_reasons(running.lease, rows_max=self.rows_max)
            at_end = counted.at_end
            decisions += counted.rows
            running.report(decisions=decisions)
