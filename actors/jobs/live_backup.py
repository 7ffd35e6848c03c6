"""The safety net of live trading: the passes that its events make needless, made again by the clock.

Each of the three jobs does nothing where this process does not trade, and says so (`trading = false`): whoever holds the lease
has the accounts, and no other process may speak for them.
"""

from collections.abc import Callable, Sequence

import attrs

from protocols.jobs import RunningJob
from protocols.live.passes import LivePasses

COMPARED_S = 90.0
"""An account that was compared this lately needs no other comparison: its own ones come every minute."""
Find = Callable[[], LivePasses | None]


@attrs.define(eq=False, kw_only=True)
class LtExecute:
    """Claims and obligations that no event brought → executor and exits, read from the database."""

    live: Find
    name: str = "lt-execute"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Has the tables read again; what is known already is not taken twice (D88, I7)."""
        passes = self.live()
        running.report(trading=passes is not None)
        if passes is not None:
            passes.look()
            running.report(waiting=passes.waiting(), working=passes.working())


@attrs.define(eq=False, kw_only=True)
class LtSyncOrderStatus:
    """Accounts that were not compared with the venue lately → news of their orders."""

    live: Find
    name: str = "lt-sync-order-status"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Compares when one is overdue. Raises `TransientError` and `RejectedError`."""
        passes = self.live()
        running.report(trading=passes is not None, compared=0)
        if passes is None:
            return
        ages_s = passes.compared_ages_s().values()
        if all(age_s is not None and age_s < COMPARED_S for age_s in ages_s):
            running.report(working=passes.working())
            return
        reports = (await passes.compare()).values()
        running.report(
            compared=len(reports),
            working=passes.working(),
            asked=sum(one.asked for one in reports),
            foreign_orders=sum(len(one.foreign_orders) for one in reports),
            drifts=sum(len(one.drifts) for one in reports),
        )


@attrs.define(eq=False, kw_only=True)
class LtResolve:
    """Resolved markets → settled positions; cooled-down proceeds → spendable cash."""

    live: Find
    name: str = "lt-resolve"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Settles what can be settled now, once. Raises `TransientError`."""
        passes = self.live()
        running.report(trading=passes is not None)
        if passes is not None:
            running.report(held=passes.held(), **await passes.settle())
