"""What a set of roles starts in a process: the one place that says so.

| role | starts |
|---|---|
| ingest | under the lease `ingest`: the stream, filter, writer, and the jobs that need them in their own process |
| decide | forward testing: with ingest under its lease, or apart from it in several processes, under a lease for each shard |
| execute | live trading, under a lease for each account: with ingest and decide in one process, or apart from them in several |
| poll | the wallet pollers, on the wallets that this engine owns among all that poll: with ingest, or apart in several |
| jobs | every job that needs no ingest, and the notifier |
| api | the HTTP API and the pages, with what they read: feed, prices, sessions, tokens |

Where lanes 1 and 2 leave the process (`lane_hosting.py`), engines with ingest write them too, under the lease `lanes`, whether
they ingest or stand by. Feeds hear of commits wherever there is api, from wherever there is ingest.

`config/cluster.py` says which of them do not go together in one process.
"""

from collections.abc import Collection

import attrs

from protocols.cluster import EVERY_ROLE, ClusterView, Role


@attrs.frozen(kw_only=True)
class Parts:
    """Which parts of the graph and of the services run in a process."""

    ingest: bool
    """The graph, under its lease; a standby without it."""
    decides_within: bool
    """Strategies are decided in that graph; else whoever holds their shards reads the trades that it has stored."""
    decides_apart: bool
    """Shards of strategies are decided by a graph of their own (`deciding.py`)."""
    trades_within: bool
    """Accounts are traded in that graph; else what it decides is claimed for others to trade."""
    trades_apart: bool
    """Accounts are traded by a graph of their own (`executing.py`)."""
    polls_within: bool
    """The hot tier of the pollers, and cold-poll, within the graph of the ingest."""
    polls_apart: bool
    """The same by a graph of their own (`polling.py`), which hands what it finds to whoever ingests."""
    jobs_that_need_ingest: bool
    """Or something else that runs under a lease."""
    jobs: bool
    """All others."""
    notices: bool
    api: bool
    lanes: bool
    """What writes trades of the edge `lanes`, should it leave the process; under a lease of its own."""
    tells_feeds: bool
    """It commits trades, and says so to the feeds of other processes."""
    hears_commits: bool
    """It shows feeds, to which others tell what they committed."""

    @property
    def any_job(self) -> bool:
        """Whether there is a scheduler."""
        return self.jobs or self.jobs_that_need_ingest


def parts_of(roles: frozenset[Role]) -> Parts:
    """Returns what an engine with these roles runs."""
    return Parts(
        ingest=Role.INGEST in roles,
        decides_within={Role.INGEST, Role.DECIDE} <= roles,
        decides_apart=Role.DECIDE in roles and Role.INGEST not in roles,
        trades_within={Role.INGEST, Role.EXECUTE} <= roles,
        trades_apart=Role.EXECUTE in roles and Role.INGEST not in roles,
        polls_within={Role.INGEST, Role.POLL} <= roles,
        polls_apart=Role.POLL in roles and Role.INGEST not in roles,
        jobs_that_need_ingest=bool(roles & {Role.INGEST, Role.DECIDE, Role.POLL}),
        jobs=Role.JOBS in roles,
        notices=Role.JOBS in roles,
        api=Role.API in roles,
        lanes=Role.INGEST in roles,
        tells_feeds=Role.INGEST in roles,
        hears_commits=Role.API in roles,
    )


EVERY_PART = parts_of(EVERY_ROLE)


def working(
    roles: frozenset[Role],
    *,
    ingests: bool,
    serves: bool,
    apart: Collection[Role] = (),
) -> frozenset[Role]:
    """Returns which of its roles an engine does now.

    With the lease of the ingest or without, with its services up or not yet; `apart`: what it does apart from the ingest, or
    would if it had a share.
    """
    under_lease = {Role.INGEST, Role.DECIDE, Role.EXECUTE, Role.POLL}
    now = (under_lease if ingests else set()) | ({Role.JOBS, Role.API} if serves else set())
    return roles & (now | set(apart))


def share_of(leases: int, role: Role, view: ClusterView) -> int:
    """Returns how many of so many accounts or shards a member may hold, that does the role apart from the ingest.

    An equal part, rounded up. Leases see to it that nobody works on what another holds; this is about who takes how many.
    """
    sharers = [one for one in view.members if role in one.report.working and Role.INGEST not in one.report.roles]
    return -(-leases // max(1, len(sharers)))


def share_of_accounts(accounts: int, view: ClusterView) -> int:
    """Returns how many accounts a member may hold that trades apart from the ingest."""
    return share_of(accounts, Role.EXECUTE, view)


def share_of_shards(shards: int, view: ClusterView) -> int:
    """Returns how many shards of strategies a member may hold: none while a member that ingests decides for all of them."""
    whole = {Role.INGEST, Role.DECIDE}
    if any(whole <= one.report.working for one in view.members):
        return 0
    return share_of(shards, Role.DECIDE, view)
