"""Lists in which users find traders (domain.md §9, page Discover), each in pages, and the top of all of them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import attrs

from actors.rules.list_cursor import KeyPart
from engine.api.discover_bodies import (
    ActivePage,
    BigTradePage,
    ConsistentPage,
    CopiedPage,
    CopyablePage,
    Discovery,
    LeaderPage,
    WinnerPage,
    copyable_key,
    leader_key,
)
from engine.api.ft_access import limit_param
from engine.api.list_pages import cursor_param, next_cursor, place_of
from engine.api.params import Param, choice, pattern, whole
from engine.api.route import ApiRoute, Call
from protocols.clock import WallClock
from protocols.discover import (
    ACTIVE_TRADES_MIN,
    CONSISTENT_DAYS_MIN,
    COPIED_SORTS,
    COPYABLE_SORTS,
    LEADER_SORTS,
    DiscoverLists,
    ListQuery,
)
from protocols.timestamps import utc_datetime
from protocols.traders import WINDOWS
from protocols.users import Scope

PAGE_DEFAULT, PAGE_MAX = 50, 200
MIN_TRADES_MAX = 1_000_000
CONSISTENT_DAYS_MAX = 30


@attrs.define(eq=False)
class _Handlers:
    lists: DiscoverLists
    clock: WallClock

    async def leaderboard(self, call: Call) -> LeaderPage:
        limit, sort = call.params["limit"], call.params["sort"]
        name = f"leaderboard:{sort}"
        place = place_of(call, name, KeyPart.FIGURE, KeyPart.ID)
        found = await self.lists.leaderboard(_query(call), sort, place)
        cursor = next_cursor(found.rows, limit, name, lambda row: (leader_key(sort, row), row.wallet))
        return LeaderPage(traders=list(found.rows[:limit]), sparkline_to=found.sparkline_to, next_cursor=cursor)

    async def winners(self, call: Call) -> WinnerPage:
        limit, window = call.params["limit"], call.params["window"]
        name = f"winners:{window}"
        rows = await self.lists.winners(_query(call), window, place_of(call, name, KeyPart.COUNT, KeyPart.ID))
        cursor = next_cursor(rows, limit, name, lambda row: (row.rank, row.wallet))
        return WinnerPage(window=window, traders=rows[:limit], next_cursor=cursor)

    async def active(self, call: Call) -> ActivePage:
        limit = call.params["limit"]
        until, *place = place_of(call, "active", KeyPart.MOMENT, KeyPart.COUNT, KeyPart.ID) or (self._now(),)
        rows = await self.lists.active(_query(call), until, (place[0], place[1]) if place else None)
        cursor = next_cursor(rows, limit, "active", lambda row: (until, row.trades, row.wallet))
        return ActivePage(until=until, traders=rows[:limit], next_cursor=cursor)

    async def consistent(self, call: Call) -> ConsistentPage:
        limit, days_min = call.params["limit"], call.params["minDays"]
        name = "consistent"
        place = place_of(call, name, KeyPart.FIGURE, KeyPart.COUNT, KeyPart.ID)
        rows = await self.lists.consistent(_query(call), days_min, place)
        cursor = next_cursor(rows, limit, name, lambda row: (row.share, row.days, row.wallet))
        return ConsistentPage(traders=rows[:limit], next_cursor=cursor)

    async def copied(self, call: Call) -> CopiedPage:
        limit, sort = call.params["limit"], call.params["sort"]
        name = f"copied:{sort}"
        place = place_of(call, name, KeyPart.COUNT, KeyPart.COUNT, KeyPart.ID)
        rows = await self.lists.copied(_query(call), sort, place)
        flip = -1 if sort == "strategies" else 1
        cursor = next_cursor(rows, limit, name, lambda row: (*(row.followers, row.strategies)[::flip], row.wallet))
        return CopiedPage(traders=rows[:limit], next_cursor=cursor)

    async def copyable(self, call: Call) -> CopyablePage:
        limit, sort = call.params["limit"], call.params["sort"]
        name = f"copyable:{sort}"
        rows = await self.lists.copyable(_query(call), sort, place_of(call, name, KeyPart.FIGURE, KeyPart.ID))
        cursor = next_cursor(rows, limit, name, lambda row: (copyable_key(sort, row), row.wallet))
        return CopyablePage(traders=rows[:limit], next_cursor=cursor)

    async def big_trades(self, call: Call) -> BigTradePage:
        limit = call.params["limit"]
        until, *place = place_of(call, "big", KeyPart.MOMENT, KeyPart.FIGURE, KeyPart.ID) or (self._now(),)
        rows = await self.lists.big_trades(_query(call), until, (place[0], place[1]) if place else None)
        cursor = next_cursor(rows, limit, "big", lambda row: (until, row.notional, row.trade_id))
        return BigTradePage(until=until, trades=rows[:limit], next_cursor=cursor)

    async def top(self, call: Call) -> Discovery:
        """The first rows of each list, as it is without parameters."""

        def of(**params: Any) -> Call:
            return attrs.evolve(call, params={"cursor": None, "category": None, **call.params, **params})

        return Discovery(
            leaderboard=await self.leaderboard(of(sort=LEADER_SORTS[0])),
            biggest_winners=await self.winners(of(window=WINDOWS[0])),
            most_active=await self.active(of(minTrades=ACTIVE_TRADES_MIN)),
            most_consistent=await self.consistent(of(minDays=CONSISTENT_DAYS_MIN)),
            most_copied=await self.copied(of(sort=COPIED_SORTS[0])),
            most_copyable=await self.copyable(of(sort=COPYABLE_SORTS[0])),
            big_trades=await self.big_trades(of()),
        )

    def _now(self) -> datetime:
        return utc_datetime(self.clock.now_ms())


def _query(call: Call) -> ListQuery:
    """One row more than wanted tells whether there is a next page."""
    category: str | None = call.params["category"]
    return ListQuery(
        user_id=call.principal.user_id,
        rows_max=call.params["limit"] + 1,
        min_trades=call.params.get("minTrades"),
        category=None if category is None else category.upper(),
    )


def discover_routes(lists: DiscoverLists, clock: WallClock) -> list[ApiRoute]:
    """Returns the routes."""
    handlers = _Handlers(lists, clock)

    def route(
        path: str,
        handler: Callable[[Call], Awaitable[Any]],
        answer: Any,
        what: str,
        *params: Param,
        rows: str = "traders",
    ) -> ApiRoute:
        shared = (_category(), limit_param(PAGE_DEFAULT, PAGE_MAX, rows), cursor_param())
        return ApiRoute(method="GET", path=f"/api/discover/{path}", handler=handler, scope=Scope.READ, summary=what,
                        answer=answer, params=(*params, *shared))  # fmt: skip

    return [
        ApiRoute(method="GET", path="/api/discover", handler=handlers.top, scope=Scope.READ, answer=Discovery,
                 summary="The top of every list in which traders are found", params=(limit_param(10, 20, "rows"),)),
        route("leaderboard", handlers.leaderboard, LeaderPage,
              "Traders by what the venue's leaderboard of all time says of them, with the profit of their last 14 days",
              choice("sort", "figure", *LEADER_SORTS, default=LEADER_SORTS[0]), _min_trades()),
        route("biggest-winners", handlers.winners, WinnerPage,
              "Traders by realised profit within a window; those without a profit are left out",
              choice("window", "window of the rankings", *WINDOWS, default=WINDOWS[0]), _min_trades()),
        route("most-active", handlers.active, ActivePage, "Traders by stored trades of the last 24 hours",
              whole("minTrades", "at least so many within the 24 hours", at_least=1, at_most=MIN_TRADES_MAX,
                    default=ACTIVE_TRADES_MIN)),
        route("most-consistent", handlers.consistent, ConsistentPage,
              "Traders by the share of winning days among those of the last 30 days on which they closed something; only those "
              "with a profit over all of these days",
              whole("minDays", "at least so many days with a close", at_least=1, at_most=CONSISTENT_DAYS_MAX,
                    default=CONSISTENT_DAYS_MIN), _min_trades()),
        route("most-copied", handlers.copied, CopiedPage,
              "Traders by how many users follow them, or by running strategies that name them or copy whom their owner follows",
              choice("sort", "figure", *COPIED_SORTS, default=COPIED_SORTS[0]), _min_trades()),
        route("most-copyable", handlers.copyable, CopyablePage,
              "Traders by what copying them would have made after delay, spread, thin books and fees: by the lower end of the "
              "interval, the return or the capacity; those of whom too little is known are left out",
              choice("sort", "figure", *COPYABLE_SORTS, default=COPYABLE_SORTS[0]), _min_trades()),
        route("big-trades", handlers.big_trades, BigTradePage,
              "Stored trades of the last hour for at least 10 USD at a price of up to 0.94, the largest first", rows="trades"),
    ]  # fmt: skip


def _min_trades() -> Param:
    return whole("minTrades", "at least so many trades are known of the trader; one without a count is left out",
                 at_least=1, at_most=MIN_TRADES_MAX)  # fmt: skip


def _category() -> Param:
    return pattern("category", "kind of markets, such as NBA: only traders with resolved trades in it",
                   "[A-Za-z0-9_]{1,40}", allowed="1 to 40 letters, digits and _")  # fmt: skip
