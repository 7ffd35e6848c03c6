"""Coverage for administrators: how much of the venue's history the stream had, wallet by wallet, and what it missed."""

from collections.abc import Sequence
from datetime import datetime

import attrs

from engine.api.params import choice, wallet, whole
from engine.api.route import ApiRoute, Call, Rate, Struct
from protocols.clock import WallClock
from protocols.coverage import CoverageCounts, CoverageReports, RecordedMiss, WalletCoverage
from protocols.timestamps import utc_datetime
from protocols.users import Scope

PAGE_MAX = 1_000
DAY_MS = 86_400_000


class CoverageFigures(Struct):
    """Trades of the history by who brought them; `ratio` is the stream's share of those whose bringer is known."""

    ratio: float | None
    """None when nothing was to be had."""
    expected: int
    by_stream: int
    by_gap: int
    by_poller: int
    by_unknown: int
    missed: int
    """Nobody but the audit had them."""
    unconfirmed: int
    """Trades of ours that the history does not show; no error."""
    malformed: int


class LaneCoverage(Struct):
    """One lane over the last 24 hours."""

    lane: int
    wallets: int
    last_audit_at: datetime
    figures: CoverageFigures


class WalletAnswer(Struct):
    """One wallet over the last 24 hours."""

    wallet: str
    lane: int
    audited_until: datetime
    """All trades until then have been compared."""
    tried_at: datetime | None
    failures: int
    """Tries in a row that came to nothing."""
    last_error: str | None
    figures: CoverageFigures


class CoveragePage(Struct):
    """The lanes, and a page of wallets in their order."""

    lanes: list[LaneCoverage]
    wallets: list[WalletAnswer]
    next_cursor: str | None


class MissAnswer(Struct):
    """A trade that neither stream nor gap filler nor poller had."""

    id: int
    trade_id: str
    wallet: str
    source: str
    """Which history has it: trades, activity or both."""
    trade_at: datetime
    found_at: datetime
    recorded_at: datetime | None
    """None while it is missing still."""
    recorded_source: str | None


class MissPage(Struct):
    """A page of misses, newest found first."""

    misses: list[MissAnswer]
    next_before: int | None
    """`before` of the next page."""


@attrs.define(eq=False)
class _Handlers:
    reports: CoverageReports
    clock: WallClock

    async def wallets(self, call: Call) -> CoveragePage:
        limit, since_ms = call.params["limit"], self.clock.now_ms() - DAY_MS
        rows = await self.reports.wallets(since_ms=since_ms, after=call.params["cursor"] or "", rows_max=limit + 1)
        lanes = await self.reports.summary(since_ms=since_ms)
        return CoveragePage(
            lanes=[
                LaneCoverage(
                    lane=lane.value,
                    wallets=one.wallets,
                    last_audit_at=utc_datetime(one.closed_ms),
                    figures=_figures(one.counts),
                )
                for lane, one in sorted(lanes.items())
            ],
            wallets=[_wallet(row) for row in rows[:limit]],
            next_cursor=rows[limit - 1].wallet if len(rows) > limit else None,
        )

    async def misses(self, call: Call) -> MissPage:
        limit = call.params["limit"]
        rows: Sequence[RecordedMiss] = await self.reports.misses(
            wallet=call.params["wallet"],
            only_open=call.params["which"] == "open",
            before=call.params["before"],
            rows_max=limit + 1,
        )
        return MissPage(
            misses=[_miss(row) for row in rows[:limit]],
            next_before=rows[limit - 1].miss_id if len(rows) > limit else None,
        )


def coverage_routes(reports: CoverageReports, clock: WallClock) -> list[ApiRoute]:
    """Returns the routes of coverage."""
    handlers = _Handlers(reports, clock)
    return [
        ApiRoute(
            method="GET",
            path="/api/admin/coverage",
            handler=handlers.wallets,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="How much of the venue's history the stream had within 24 hours, by lane and wallet",
            answer=CoveragePage,
            params=(whole("limit", "wallets on a page", at_least=1, at_most=PAGE_MAX, default=100), wallet("cursor")),
        ),
        ApiRoute(
            method="GET",
            path="/api/admin/coverage/misses",
            handler=handlers.misses,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="Trades that nobody but the audit had, newest found first",
            answer=MissPage,
            params=(
                whole("limit", "misses on a page", at_least=1, at_most=PAGE_MAX, default=100),
                whole("before", "only misses with a smaller id", at_least=1, at_most=10**18 - 1),
                wallet("wallet"),
                choice("which", "all, or those that are not recorded yet", "all", "open", default="all"),
            ),
        ),
    ]


def _figures(counts: CoverageCounts) -> CoverageFigures:
    return CoverageFigures(ratio=counts.ratio, **attrs.asdict(counts))


def _wallet(row: WalletCoverage) -> WalletAnswer:
    return WalletAnswer(
        wallet=row.wallet,
        lane=row.lane.value,
        audited_until=utc_datetime(row.audited_until_s * 1000),
        tried_at=None if row.tried_ms is None else utc_datetime(row.tried_ms),
        failures=row.failures,
        last_error=row.last_error,
        figures=_figures(row.counts),
    )


def _miss(row: RecordedMiss) -> MissAnswer:
    return MissAnswer(
        id=row.miss_id,
        trade_id=row.miss.trade_id,
        wallet=row.miss.wallet,
        source=row.miss.source,
        trade_at=utc_datetime(row.miss.trade_ms),
        found_at=utc_datetime(row.found_ms),
        recorded_at=None if row.recorded_ms is None else utc_datetime(row.recorded_ms),
        recorded_source=row.recorded_source,
    )
