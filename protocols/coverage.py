"""How much of the venue's history the stream had. Times of trades are whole seconds since the epoch, both ends included."""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from protocols.jobs import JobLease
from protocols.trades import Lane


class HistoryApi(enum.StrEnum):
    """Where the venue tells of trades. Either may lack some that the other has (D86)."""

    TRADES = "trades"
    ACTIVITY = "activity"


BOTH = "both"
"""`Miss.source` of a trade that both have."""


@attrs.frozen(kw_only=True)
class DueWallet:
    """A wallet whose turn it is."""

    wallet: str
    lane: Lane
    audited_until_s: int


@attrs.frozen(kw_only=True)
class Miss:
    """A trade that the history has and the database has not."""

    trade_id: str
    wallet: str
    source: str
    """A `HistoryApi`, or `BOTH`."""
    trade_ms: int


@attrs.frozen(kw_only=True)
class CoverageCounts:
    """Trades of the history by who brought them, and what does not fit. Counts add up to `expected` but for the last two."""

    expected: int = 0
    by_stream: int = 0
    by_gap: int = 0
    by_poller: int = 0
    by_unknown: int = 0
    """Rows from before anybody wrote down who brought them."""
    missed: int = 0
    """Nobody but the audit had them."""
    unconfirmed: int = 0
    """Trades of ours that the history does not show, or not yet."""
    malformed: int = 0

    @property
    def ratio(self) -> float | None:
        """Returns the share that the stream brought, or None when nothing was to be had."""
        known = self.expected - self.by_unknown
        return self.by_stream / known if known else None


@attrs.frozen(kw_only=True)
class AuditedWindow:
    """An interval of a wallet that was compared as a whole."""

    wallet: str
    lane: Lane
    since_s: int
    until_s: int
    counts: CoverageCounts
    skipped_s: int = 0
    """Seconds before it that were too long ago to be read."""


@attrs.frozen(kw_only=True)
class CoverageSummary:
    """The windows that were closed lately, of one lane."""

    counts: CoverageCounts
    wallets: int
    closed_ms: int
    """When the last one was."""


@attrs.frozen(kw_only=True)
class WalletCoverage:
    """How one wallet stands."""

    wallet: str
    lane: Lane
    audited_until_s: int
    tried_ms: int | None
    failures: int
    last_error: str | None
    counts: CoverageCounts
    """Of its windows of late."""


@attrs.frozen(kw_only=True)
class RecordedMiss:
    """A miss as it is kept."""

    miss_id: int
    miss: Miss
    found_ms: int
    recorded_ms: int | None
    recorded_source: str | None


class CoverageStore(Protocol):
    """Where audits are kept. All methods raise `TransientError`, those with a lease `FencedError` as well."""

    async def sync(
        self, lease: JobLease, wallets: Sequence[tuple[str, Lane]], *, after: str, at_end: bool, now_s: int
    ) -> None:
        """Makes the known wallets greater than `after` those given, in rising order, up to the last one or to the end.

        New ones begin now; whoever is left out is forgotten.
        """
        ...

    async def due(self, lane: Lane, *, until_s: int, wallets_max: int) -> list[DueWallet]:
        """Returns wallets that are audited until that second or less, those first that waited longest for a try."""
        ...

    async def sources(self, trade_ids: Sequence[str]) -> Mapping[str, str | None]:
        """Returns who brought each of these trades; those that are not there are left out."""
        ...

    async def trade_ids(self, wallet: str, since_s: int, until_s: int, *, ids_max: int) -> list[str]:
        """Returns ids of our trades of a wallet, newest first."""
        ...

    async def keep_misses(self, lease: JobLease, misses: Sequence[Miss]) -> int:
        """Keeps misses and returns how many are new; of one that is known only the source may change, to `BOTH`."""
        ...

    async def close_window(self, lease: JobLease, window: AuditedWindow, *, now_ms: int) -> None:
        """Keeps a window, and has the wallet audited until its end."""
        ...

    async def failed(self, lease: JobLease, wallet: str, error: str, *, now_ms: int) -> None:
        """Notes a try that came to nothing."""
        ...

    async def mark_recorded(self, lease: JobLease, *, rows_max: int) -> int:
        """Marks misses that are in the database now; returns how many."""
        ...

    async def unrecorded(self, *, since_ms: int, rows_max: int) -> list[Miss]:
        """Returns misses of known wallets that were found since a moment and are still missing, oldest first."""
        ...

    async def prune(self, lease: JobLease, *, before_ms: int, rows_max: int) -> int:
        """Forgets some windows and misses from before a moment; returns how many."""
        ...

    async def summary(self, *, since_ms: int) -> Mapping[Lane, CoverageSummary]:
        """Returns what the windows closed since a moment come to, by lane; a lane without any is left out."""
        ...


class CoverageReports(Protocol):
    """What people read of it. All methods raise `TransientError`."""

    async def summary(self, *, since_ms: int) -> Mapping[Lane, CoverageSummary]:
        """Returns what the windows closed since a moment come to, by lane; a lane without any is left out."""
        ...

    async def wallets(self, *, since_ms: int, after: str, rows_max: int) -> list[WalletCoverage]:
        """Returns wallets in their order, with what their windows closed since a moment come to."""
        ...

    async def misses(
        self, *, wallet: str | None, only_open: bool, before: int | None, rows_max: int
    ) -> list[RecordedMiss]:
        """Returns misses, newest found first; `before` leaves out those from that id on."""
        ...
