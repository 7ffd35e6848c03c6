"""The agent that tunes three bots: a name in the schedule until it is built."""

from collections.abc import Sequence

import attrs

from protocols.jobs import RunningJob

NOT_INSTALLED = "not installed"


@attrs.define(eq=False, kw_only=True)
class AlphaAgent:
    """Says that it is not installed. A run that says so is no failure, and changes nothing."""

    name: str = "alpha-agent"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Does nothing."""
        running.report(installed=False, note=NOT_INSTALLED)
