"""The safety net of forward testing: the pass that settles paper positions, made again by the clock."""

from collections.abc import Callable, Sequence

import attrs

from protocols.errors import FencedError, TransientError
from protocols.jobs import RunningJob
from protocols.paper import SettlePass


@attrs.define(eq=False, kw_only=True)
class FtResolve:
    """Resolved markets → settled paper positions, where the settler of this process runs. Markets without any are not asked."""

    settle: Callable[[], SettlePass | None]
    name: str = "ft-resolve"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Settles what can be settled now, once. Raises `TransientError`."""
        settle = self.settle()
        running.report(ingesting=settle is not None)
        if settle is None:
            return
        try:
            running.report(**await settle())
        except FencedError as error:
            # The ingest's lease, not this run's.
            raise TransientError(f"this engine has stopped ingesting: {error}") from None
