"""Strategies and how they did. Looking changes nothing (D21)."""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import attrs

from actors.rules.paper.niches import by_niche
from engine.api.ft_access import (
    REFUSALS,
    is_admin,
    limit_param,
    name_cursor,
    own_standing,
    wallet_id_param,
)
from engine.api.ft_bodies import (
    DayPage,
    PublicPage,
    RankPage,
    WalletDetail,
    WalletPage,
    settings_document,
    wallet_figures,
)
from engine.api.params import Param, choice, day
from engine.api.route import ApiRoute, Call
from protocols.clock import WallClock
from protocols.ft_reports import FtReports, OrderQuery
from protocols.strategies import WALLET_ID_PATTERN
from protocols.timestamps import utc_datetime
from protocols.users import Scope

PAGE_DEFAULT, PAGE_MAX = 50, 200
OPEN_MAX, RECENT_MAX, DAYS_SHOWN, ENDED_MAX = 200, 50, 90, 1_000
EARLIEST_DAY = date(2019, 1, 1)
_RANK = re.compile(rf"(-?[0-9]{{1,20}}(?:\.[0-9]{{1,12}})?)~({WALLET_ID_PATTERN})", re.ASCII)


@attrs.define(eq=False)
class _Handlers:
    reports: FtReports
    clock: WallClock

    async def wallets(self, call: Call) -> WalletPage:
        limit, now_ms = call.params["limit"], self.clock.now_ms()
        owner_id = None if is_admin(call) else call.principal.user_id
        rows = await self.reports.standings(after=call.params["cursor"] or "", owner_id=owner_id, rows_max=limit + 1)
        page = [wallet_figures(row, now_ms) for row in rows[:limit]]
        return WalletPage(wallets=page, next_cursor=page[-1].wallet_id if len(rows) > limit else None)

    async def detail(self, call: Call) -> WalletDetail:
        wallet_id, now_ms = call.params["walletId"], self.clock.now_ms()
        standing = await own_standing(self.reports, call, wallet_id)
        from_day = utc_datetime(now_ms).date() - timedelta(days=DAYS_SHOWN)
        return WalletDetail(
            wallet=wallet_figures(standing, now_ms),
            settings=settings_document(standing),
            open_positions=await self.reports.orders(
                OrderQuery(wallet_id=wallet_id, outcome="OPEN", rows_max=OPEN_MAX)
            ),
            recent_trades=await self.reports.orders(OrderQuery(wallet_id=wallet_id, ended=True, rows_max=RECENT_MAX)),
            daily=await self.reports.days(wallet_id, from_day=from_day, after=EARLIEST_DAY, rows_max=DAYS_SHOWN + 1),
            by_niche=by_niche(await self.reports.ended_by_market(wallet_id, ENDED_MAX)),
        )

    async def public(self, call: Call) -> PublicPage:
        limit = call.params["limit"]
        rows = await self.reports.public(after=call.params["cursor"] or "", rows_max=limit + 1)
        return PublicPage(wallets=rows[:limit], next_cursor=rows[limit - 1].wallet_id if len(rows) > limit else None)

    async def days(self, call: Call) -> DayPage:
        wallet_id, limit = call.params["walletId"], call.params["limit"]
        await own_standing(self.reports, call, wallet_id)
        rows = await self.reports.days(
            wallet_id,
            from_day=call.params["from"] or EARLIEST_DAY,
            after=call.params["cursor"] or EARLIEST_DAY,
            rows_max=limit + 1,
        )
        return DayPage(days=rows[:limit], next_cursor=rows[limit - 1].day.isoformat() if len(rows) > limit else None)

    async def ranks(self, call: Call) -> RankPage:
        limit = call.params["limit"]
        rows = await self.reports.ranks(call.params["by"], after=call.params["cursor"], rows_max=limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return RankPage(ranks=rows[:limit], next_cursor=None if last is None else f"{last.value:f}~{last.wallet_id}")


def ft_wallet_routes(reports: FtReports, clock: WallClock) -> list[ApiRoute]:
    """Returns the routes."""
    handlers = _Handlers(reports, clock)
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ}
    return [
        ApiRoute(
            **read,
            path="/api/ft/wallets",
            handler=handlers.wallets,
            summary="My strategies and how they did; with the scope admin those of everybody",
            answer=WalletPage,
            params=(limit_param(PAGE_DEFAULT, PAGE_MAX, "strategies"), name_cursor()),
        ),
        ApiRoute(
            **read,
            path="/api/ft/wallets/public",
            handler=handlers.public,
            summary="All strategies with their counts of orders",
            answer=PublicPage,
            params=(limit_param(PAGE_DEFAULT, 1_000, "strategies"), name_cursor()),
        ),
        ApiRoute(
            **read,
            path="/api/ft/wallets/{walletId}",
            handler=handlers.detail,
            summary="One strategy: settings, figures, open positions, recent trades, days, kinds of markets",
            answer=WalletDetail,
            params=(wallet_id_param(required=True, in_path=True),),
            refusals=REFUSALS,
        ),
        ApiRoute(
            **read,
            path="/api/ft/daily-stats",
            handler=handlers.days,
            summary="What ended on each UTC day, by settlement or sale, and the profit so far",
            answer=DayPage,
            params=(
                wallet_id_param(required=True),
                limit_param(100, 1_000, "days"),
                day("from", "first day"),
                day("cursor", "nextCursor of the page before"),
            ),
            refusals=REFUSALS,
        ),
        ApiRoute(
            **read,
            path="/api/ft/leaderboard",
            handler=handlers.ranks,
            summary="Strategies of everybody by one figure, the highest first; those that have none yet are left out",
            answer=RankPage,
            params=(
                choice("by", "figure", "return", "winRate", "pnl", "sharpe", default="return"),
                limit_param(PAGE_DEFAULT, PAGE_MAX, "places"),
                Param(name="cursor", doc="nextCursor of the page before", parse=_rank, schema={"type": "string"}),
            ),
        ),
    ]


def _rank(text: str) -> tuple[Decimal, str]:
    match = _RANK.fullmatch(text)
    if match is None:
        raise ValueError("is not a cursor of this list")
    return Decimal(match[1]), match[2]
