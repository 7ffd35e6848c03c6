"""Strategies as bots: a list with filters, and one with its equity, trades and signals."""

from decimal import Decimal

import attrs

from actors.rules.strategy.risk_level import BotFilter, RiskLevel, passes, risk_level
from engine.api.ft_access import (
    UNKNOWN,
    is_admin,
    limit_param,
    moment_param,
    name_cursor,
    own_standing,
    wallet_id_param,
)
from engine.api.ft_bodies import SnapshotAnswer, snapshot_answer, wallet_figures
from engine.api.params import choice, whole
from engine.api.route import ApiRoute, Call, Struct
from protocols.clock import WallClock
from protocols.ft_reports import FtReports, OrderQuery, OrderRow, SignalRow, StrategyStanding
from protocols.ft_statistics import SnapshotReports
from protocols.timestamps import LATEST_MS
from protocols.users import Scope

CATEGORIES = (BotFilter.SPORTS, BotFilter.CRYPTO, BotFilter.POLITICS, BotFilter.FINANCE, BotFilter.LIVE)
SCAN_ROWS = 200
DAY_MS = 86_400_000
CURVE_DAYS, CURVE_MAX = 30, 1_000
TRADES_MAX, SIGNALS_MAX = 50, 50
DECISIONS_LOOKED_AT = 2_000


class BotCard(Struct):
    """A bot in a list."""

    wallet_id: str
    display_name: str
    description: str
    owner: str
    status: str
    """PAUSED, SCHEDULED, ENDED or ACTIVE."""
    risk_level: str
    """CONSERVATIVE, MODERATE or AGGRESSIVE, by its settings: AGGRESSIVE with a stake of more than 5 % of the starting balance,
    long shots only or bold Kelly; CONSERVATIVE with stakes of at most 1 % on likely outcomes or good traders only."""
    return_pct: Decimal | None
    win_rate: Decimal | None
    trades: int
    open_trades: int
    max_drawdown_pct: Decimal
    market_categories: list[str]
    live_only: bool


class BotPage(Struct):
    """Bots in the order of their names."""

    bots: list[BotCard]
    next_cursor: str | None


class BotAnswer(Struct):
    """One bot."""

    bot: BotCard
    equity: list[SnapshotAnswer]
    """The oldest first; at most 1,000 from `since` on."""
    trades: list[OrderRow]
    """The newest 50."""
    signals: list[SignalRow]
    """What it decided, newest first: at most 50 among the last 2,000 decisions of all bots."""


class SignalPage(Struct):
    """What a bot decided, newest first."""

    signals: list[SignalRow]
    next_cursor: str | None
    """A page may be short or empty and have a next one: each looks at 2,000 decisions of all bots."""


@attrs.define(eq=False)
class _Handlers:
    reports: FtReports
    snapshots: SnapshotReports
    clock: WallClock

    async def bots(self, call: Call) -> BotPage:
        limit, after = call.params["limit"], call.params["cursor"] or ""
        wanted = [BotFilter(call.params[name]) for name in ("risk", "category") if call.params[name] is not None]
        owner_id = None if is_admin(call) else call.principal.user_id
        found: list[StrategyStanding] = []
        while len(found) <= limit:
            rows = await self.reports.standings(after=after, owner_id=owner_id, rows_max=SCAN_ROWS)
            found += [row for row in rows if all(passes(row.strategy.settings, one) for one in wanted)]
            if len(rows) < SCAN_ROWS:
                break
            after = rows[-1].strategy.wallet_id
        page = [self._card(row) for row in found[:limit]]
        return BotPage(bots=page, next_cursor=page[-1].wallet_id if len(found) > limit else None)

    async def bot(self, call: Call) -> BotAnswer:
        wallet_id = call.params["walletId"]
        standing = await own_standing(self.reports, call, wallet_id)
        since_ms = call.params["since"]
        if since_ms is None:
            since_ms = self.clock.now_ms() - CURVE_DAYS * DAY_MS
        equity = await self.snapshots.page(wallet_id, from_ms=since_ms, to_ms=LATEST_MS, after_us=0, rows_max=CURVE_MAX)
        return BotAnswer(
            bot=self._card(standing),
            equity=[snapshot_answer(row) for row in equity],
            trades=await self.reports.orders(OrderQuery(wallet_id=wallet_id, rows_max=TRADES_MAX)),
            signals=await self.reports.signals(standing.strategy.number, DECISIONS_LOOKED_AT, SIGNALS_MAX),
        )

    async def signals(self, call: Call) -> SignalPage:
        standing = await own_standing(self.reports, call, call.params["walletId"])
        rows, after = await self.reports.signal_page(
            standing.strategy.number, call.params["cursor"], DECISIONS_LOOKED_AT, call.params["limit"]
        )
        return SignalPage(signals=rows, next_cursor=None if after is None else str(after))

    def _card(self, standing: StrategyStanding) -> BotCard:
        settings, figures = standing.strategy.settings, wallet_figures(standing, self.clock.now_ms())
        return BotCard(
            wallet_id=figures.wallet_id,
            display_name=settings.display_name,
            description=settings.description,
            owner=standing.owner_name,
            status=figures.status,
            risk_level=risk_level(settings).value,
            return_pct=figures.return_pct,
            win_rate=figures.win_rate,
            trades=figures.orders,
            open_trades=figures.open_orders,
            max_drawdown_pct=figures.max_drawdown_pct,
            market_categories=list(settings.market_categories),
            live_only=settings.trade_live_only,
        )


def bots_read_routes(reports: FtReports, snapshots: SnapshotReports, clock: WallClock) -> list[ApiRoute]:
    """Returns the routes that look at bots."""
    handlers = _Handlers(reports, snapshots, clock)
    return [
        ApiRoute(
            method="GET",
            path="/api/v2/bots",
            handler=handlers.bots,
            scope=Scope.READ,
            summary="My strategies as bots: return, win rate, trades, risk level; with the scope admin those of everybody",
            answer=BotPage,
            params=(
                choice("risk", "only bots of this risk level", *RiskLevel),
                choice("category", "only bots that copy such markets alone; LIVE: only during games", *CATEGORIES),
                limit_param(50, 200, "bots"),
                name_cursor(),
            ),
        ),
        ApiRoute(
            method="GET",
            path="/api/v2/bots/{walletId}",
            handler=handlers.bot,
            scope=Scope.READ,
            summary="One bot: equity curve, trades, signal log",
            answer=BotAnswer,
            params=(
                wallet_id_param(required=True, in_path=True),
                moment_param("since", "beginning of the curve; without it 30 days ago"),
            ),
            refusals=UNKNOWN,
        ),
        ApiRoute(
            method="GET",
            path="/api/v2/bots/{walletId}/signals",
            handler=handlers.signals,
            scope=Scope.READ,
            summary="What one bot decided, newest first: taken or why not",
            answer=SignalPage,
            params=(
                wallet_id_param(required=True, in_path=True),
                limit_param(50, 200, "signals"),
                whole("cursor", "nextCursor of the page before", at_least=1, at_most=2**63 - 1),
            ),
            refusals=UNKNOWN,
        ),
    ]
