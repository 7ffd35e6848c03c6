"""What a set of roles starts in a process: the one place that says so.

| role | starts |
|---|---|
| ingest | under the lease `ingest`: the stream, filter, writer, and the jobs that need them in their own process |
| decide, execute | forward testing and live trading; they ride along with ingest, in its process and under its lease |
| poll | the wallet pollers, on the wallets that this engine owns among all that poll; with ingest so far |
| jobs | every job that needs no ingest, and the notifier |
| api | the HTTP API and the pages, with what they read: feed, prices, sessions, tokens |

To run decide and execute apart, `parts_of` is told of them, `config/cluster.py` stops refusing them, and `wiring.build` takes
the `Parts` to leave out what another process does.
"""

import attrs

from protocols.cluster import EVERY_ROLE, Role


@attrs.frozen(kw_only=True)
class Parts:
    """Which parts of the graph and of the services run in a process."""

    ingest: bool
    """The graph, under its lease; a standby without it."""
    poll: bool
    """The hot tier of the pollers, and cold-poll; within the graph."""
    jobs_that_need_ingest: bool
    jobs: bool
    """All others."""
    notices: bool
    api: bool

    @property
    def any_job(self) -> bool:
        """Whether there is a scheduler."""
        return self.jobs or self.jobs_that_need_ingest


def parts_of(roles: frozenset[Role]) -> Parts:
    """Returns what an engine with these roles runs."""
    return Parts(
        ingest=Role.INGEST in roles,
        poll=Role.POLL in roles,
        jobs_that_need_ingest=Role.INGEST in roles,
        jobs=Role.JOBS in roles,
        notices=Role.JOBS in roles,
        api=Role.API in roles,
    )


EVERY_PART = parts_of(EVERY_ROLE)


def working(roles: frozenset[Role], *, ingests: bool, serves: bool) -> frozenset[Role]:
    """Returns which of its roles an engine does now: with the lease or without, with its services up or not yet."""
    under_lease = {Role.INGEST, Role.DECIDE, Role.EXECUTE, Role.POLL}
    now = (under_lease if ingests else set()) | ({Role.JOBS, Role.API} if serves else set())
    return roles & now
