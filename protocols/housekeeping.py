"""Ports of the jobs that keep tables small and markets fresh."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from protocols.jobs import JobLease
from protocols.trades import Lane


@attrs.frozen(kw_only=True)
class Batch:
    """What one short transaction deleted."""

    deleted: int
    market_after: str | None = None
    """Where the next batch of `delete_resolved` goes on; None at the end."""


class RetentionStore(Protocol):
    """Where trades are deleted. All methods raise `TransientError`, and `FencedError` without deleting when the lease is
    lost. A day has 24 hours, `now_ms` later than the database's own clock counts as that."""

    async def delete_old(self, lease: JobLease, lane: Lane, *, now_ms: int, days: int, rows_max: int) -> Batch:
        """Deletes trades of a lane that are older than some days, oldest first."""
        ...

    async def delete_resolved(
        self, lease: JobLease, *, now_ms: int, days: int, market_after: str, rows_max: int
    ) -> Batch:
        """Deletes trades of lanes 1 and 2 older than some days in resolved markets, in the order of markets."""
        ...

    async def drop_decisions(self, lease: JobLease, *, now_ms: int, days: int) -> Batch:
        """Drops the oldest day of decisions if all of it is older than some days: 1 deleted, or 0 when there is none."""
        ...

    async def delete_decisions(self, lease: JobLease, *, now_ms: int, days: int, rows_max: int) -> Batch:
        """Deletes old members of aggregates, and old decisions that have no day of their own, up to `rows_max` of each.

        `deleted` is the greater of both counts, so that less than `rows_max` means that nothing is left.
        """
        ...

    async def drop_logs(self, lease: JobLease, *, now_ms: int, days: int, rows_max: int) -> Batch:
        """Drops the oldest day of logs of live trading if all of it is older than some days, and up to `rows_max` lines
        without a day of their own: 0 deleted when nothing is left."""
        ...


class MarketRefreshStore(Protocol):
    """Which markets are to be asked for anew. All methods raise `TransientError`."""

    async def due(self, *, traded_days: int, markets_max: int) -> list[str]:
        """Returns unresolved markets with a trade in the last days, those first that were asked for longest ago."""
        ...

    async def asked(self, condition_ids: Sequence[str]) -> None:
        """Says that these markets were asked for now, whatever the answer."""
        ...
