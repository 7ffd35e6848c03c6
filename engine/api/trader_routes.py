"""Traders: a profile, and each of its lists in pages (domain.md §9, page Trader)."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import attrs

from actors.rules.feed_cursor import TEXT_CHARS_MAX, position_in
from actors.rules.list_cursor import KeyPart
from engine.api.errors import ApiError, not_found
from engine.api.ft_access import limit_param
from engine.api.list_pages import cursor_param, next_cursor, place_of
from engine.api.params import Param, choice, day, pattern
from engine.api.route import ApiRoute, Call
from engine.api.trader_bodies import (
    PROFILE_SIZES,
    ActivityPage,
    MarketPage,
    PnlPage,
    PositionPage,
    TradePage,
    TraderProfile,
    market_key,
    open_key,
    profile_body,
    trade_page,
)
from protocols.trader_lists import MARKET_SORTS, OPEN_SORTS
from protocols.traders import TraderReports
from protocols.users import Scope

EARLIEST_DAY = date(2019, 1, 1)
UNKNOWN = {404: "nothing is known of this wallet"}


@attrs.define(eq=False)
class _Handlers:
    reports: TraderReports

    async def profile(self, call: Call) -> TraderProfile:
        parts = await self.reports.profile(call.principal.user_id, call.params["wallet"], PROFILE_SIZES)
        if parts is None:
            raise unknown_trader()
        return profile_body(parts)

    async def positions(self, call: Call) -> PositionPage:
        if call.params["state"] == "closed":
            return await self._closed(call)
        wallet, sort, limit = (call.params[name] for name in ("wallet", "sort", "limit"))
        name = f"open:{sort}"
        rows = await self.reports.open(wallet, sort, place_of(call, name, KeyPart.FIGURE, KeyPart.ID), limit + 1)
        await self._check_known(call, rows)
        cursor = next_cursor(rows, limit, name, lambda row: open_key(sort, row))
        return PositionPage(state="open", open=rows[:limit], next_cursor=cursor)

    async def _closed(self, call: Call) -> PositionPage:
        limit = call.params["limit"]
        place = place_of(call, "closed", KeyPart.MOMENT, KeyPart.ID)
        rows = await self.reports.closed(call.params["wallet"], place, limit + 1)
        await self._check_known(call, rows)
        cursor = next_cursor(rows, limit, "closed", lambda row: (row.closed_at, row.token_id))
        return PositionPage(state="closed", closed=rows[:limit], next_cursor=cursor)

    async def trades(self, call: Call) -> TradePage:
        found = await self.reports.trades(call.params["wallet"], call.params["cursor"], call.params["limit"])
        await self._check_known(call, found.rows)
        return trade_page(found)

    async def pnl(self, call: Call) -> PnlPage:
        limit, since = call.params["limit"], call.params["since"] or EARLIEST_DAY
        [after] = place_of(call, "pnl", KeyPart.DAY) or (None,)
        rows = await self.reports.days(call.params["wallet"], since, after, limit + 1)
        await self._check_known(call, rows)
        return PnlPage(days=rows[:limit], next_cursor=next_cursor(rows, limit, "pnl", lambda row: (row.date,)))

    async def markets(self, call: Call) -> MarketPage:
        wallet, sort, limit = (call.params[name] for name in ("wallet", "sort", "limit"))
        name = f"markets:{sort}"
        rows = await self.reports.markets(wallet, sort, place_of(call, name, KeyPart.FIGURE, KeyPart.ID), limit + 1)
        await self._check_known(call, rows)
        cursor = next_cursor(rows, limit, name, lambda row: market_key(sort, row))
        return MarketPage(markets=rows[:limit], next_cursor=cursor)

    async def activity(self, call: Call) -> ActivityPage:
        limit = call.params["limit"]
        [before] = place_of(call, "activity", KeyPart.DAY) or (None,)
        rows = await self.reports.activity(call.params["wallet"], before, limit + 1)
        await self._check_known(call, rows)
        return ActivityPage(days=rows[:limit], next_cursor=next_cursor(rows, limit, "activity", lambda row: (row.day,)))

    async def _check_known(self, call: Call, rows: Sequence[object]) -> None:
        """An empty list of somebody who is known is a list; else it is a 404."""
        if not rows and not await self.reports.is_known(call.params["wallet"]):
            raise unknown_trader()


def unknown_trader() -> ApiError:
    """Returns the 404 of a wallet that this engine has never met."""
    return not_found(
        "unknown_trader",
        "nothing is known of this wallet: no trade of it has been stored, it is on no leaderboard and nobody follows it; "
        "POST /api/follows makes the engine look at it",
    )


def trader_routes(reports: TraderReports) -> list[ApiRoute]:
    """Returns the routes."""
    handlers = _Handlers(reports)
    path, trader, cursor = "/api/traders/{wallet}", _trader(), cursor_param()
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ, "refusals": UNKNOWN}
    state = choice("state", "what he holds, or what he has given up", "open", "closed", default="open")
    open_sort = choice("sort", "order of open positions; by value one may move while pages are read", *OPEN_SORTS,
                       default=OPEN_SORTS[0])  # fmt: skip
    market_sort = choice("sort", "by the last opening or close, realised profit, or cost", *MARKET_SORTS,
                         default=MARKET_SORTS[0])  # fmt: skip
    feed_cursor = Param(name="cursor", doc="nextCursor of the page before", parse=position_in,
                        schema={"type": "string", "maxLength": TEXT_CHARS_MAX})  # fmt: skip
    return [
        ApiRoute(path=path, handler=handlers.profile, answer=TraderProfile, params=(trader,),
                 summary="A trader: who he is, what he earned and holds, how old each part is; the beginning of each list",
                 **read),
        ApiRoute(path=path + "/positions", handler=handlers.positions, answer=PositionPage,
                 params=(trader, state, open_sort, limit_param(100, 500, "positions"), cursor),
                 summary="Open positions, or closed ones with how they ended, the last closed first", **read),
        ApiRoute(path=path + "/trades", handler=handlers.trades, answer=TradePage,
                 params=(trader, limit_param(100, 500, "trades"), feed_cursor),
                 summary="His stored trades, newest first", **read),
        ApiRoute(path=path + "/pnl", handler=handlers.pnl, answer=PnlPage,
                 params=(trader, day("since", "first day"), limit_param(400, 1_000, "days"), cursor),
                 summary="What he earned on each UTC day on which he closed something, rising", **read),
        ApiRoute(path=path + "/markets", handler=handlers.markets, answer=MarketPage,
                 params=(trader, market_sort, limit_param(100, 500, "markets"), cursor),
                 summary="By market: what he bought, earned and holds", **read),
        ApiRoute(path=path + "/activity", handler=handlers.activity, answer=ActivityPage,
                 params=(trader, limit_param(30, 100, "days"), cursor),
                 summary="UTC days on which he traded or closed something, newest first", **read),
    ]  # fmt: skip


def _trader() -> Param:
    return pattern("wallet", "wallet of the trader", "0[xX][0-9a-fA-F]{40}", allowed="0x and 40 hex digits", lower=True,
                   in_path=True)  # fmt: skip
