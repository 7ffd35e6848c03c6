"""The portfolio: what one's copies came to and are worth, computed when it is looked at."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs

from actors.portfolio_desk import Portfolio, PortfolioDesk, Quotes
from actors.rules.feed_cursor import cursor_text
from actors.rules.portfolio.figures import days_of, traders_of, windows_of
from actors.rules.portfolio.pages import CURSOR_CHARS_MAX, page_of, place_in, place_of, place_text
from engine.api.ft_access import limit_param
from engine.api.ft_order_routes import EPOCH
from engine.api.params import Param, choice, whole
from engine.api.portfolio_access import REFUSALS, Access, filter_params, trade_cursor
from engine.api.portfolio_answers import (
    moment,
    position_answer,
    realized_answer,
    stats_answer,
    trade_answer,
    traders_answer,
)
from engine.api.portfolio_bodies import PositionPage, RealizedAnswer, StatsAnswer, TopTraders, TradePage
from engine.api.portfolio_copy_routes import portfolio_copy_routes
from engine.api.route import ApiRoute, Call
from protocols.clock import WallClock
from protocols.feed import FeedPosition
from protocols.portfolio import ORDER_KINDS, CopyRecords, FindAccounts, PortfolioStore, Row
from protocols.users import Scope

MICROSECOND = timedelta(microseconds=1)
TRADES_DEFAULT, TRADES_MIN, TRADES_MAX = 25, 10, 100


@attrs.define(eq=False)
class _Handlers:
    store: PortfolioStore
    desk: PortfolioDesk
    access: Access

    async def stats(self, call: Call) -> StatsAnswer:
        return stats_answer(await self.desk.portfolio(await self.access.query(call), official=True))

    async def positions(self, call: Call) -> PositionPage:
        query, state, limit = await self.access.query(call), call.params["state"], call.params["limit"]
        portfolio = await self.desk.portfolio(query, official=True)
        wanted = (
            one
            for one in portfolio.valued
            if one.position.is_position and (state is None or one.position.is_open == (state == "open"))
        )
        rows = page_of(wanted, call.params["cursor"], limit + 1)
        page = rows[:limit]
        facts = await self.store.facts({one.position.token_id for one in page})
        return PositionPage(
            positions=[position_answer(one, facts.get(one.position.token_id), portfolio) for one in page],
            next_cursor=place_text(place_of(page[-1])) if len(rows) > limit else None,
            as_of=moment(portfolio.now_us),
        )

    async def trades(self, call: Call) -> TradePage:
        query, limit = await self.access.query(call), call.params["pageSize"]
        rows = await self.store.orders(
            query, before=call.params["cursor"], rows_max=limit + 1, kind=call.params["kind"]
        )
        page = rows[:limit]
        # What became of an order is told by all fills of its token, and by no others.
        tokens = {row["token_id"] for row in page}
        portfolio = await self.desk.portfolio(attrs.evolve(query, token_ids=tokens))
        trades = [trade_answer(row, portfolio) for row in page]
        cursor = _cursor(page) if len(rows) > limit else None
        return TradePage(trades=trades, next_cursor=cursor, as_of=moment(portfolio.now_us))

    async def realized(self, call: Call) -> RealizedAnswer:
        portfolio = await self._stored(call)
        days = days_of(portfolio.days)
        return realized_answer(days, windows_of(days, portfolio.now_us), portfolio.now_us)

    async def top_traders(self, call: Call) -> TopTraders:
        portfolio = await self.desk.portfolio(await self.access.query(call))
        traders = traders_of(portfolio.valued)
        names = await self.store.trader_names([one.trader for one in traders if one.trader is not None])
        return traders_answer(traders, names, portfolio.now_us)

    async def _stored(self, call: Call) -> Portfolio:
        """Realised gains need no quotes."""
        return await attrs.evolve(self.desk, quotes=None).portfolio(await self.access.query(call))


def _cursor(page: Sequence[Row]) -> str:
    last = page[-1]
    return cursor_text(FeedPosition(trade_us=(last["at"] - EPOCH) // MICROSECOND, trade_id=last["order_id"]))


def portfolio_routes(
    store: PortfolioStore, records: CopyRecords, quotes: Quotes, clock: WallClock, *, accounts_of: FindAccounts
) -> list[ApiRoute]:
    """Returns the routes. `accounts_of`: the accounts of a user, by the configuration."""
    desk, access = PortfolioDesk(store=store, quotes=quotes, clock=clock), Access(store, accounts_of)
    handlers = _Handlers(store, desk, access)
    path, filters = "/api/portfolio", filter_params()
    state = choice("state", "only open or only closed ones", "open", "closed")
    size = whole("pageSize", "orders on a page", at_least=TRADES_MIN, at_most=TRADES_MAX, default=TRADES_DEFAULT)
    kind = choice("kind", "only orders of live strategies, by hand, or recorded ones", *ORDER_KINDS)
    read: dict[str, Any] = {"method": "GET", "scope": Scope.READ, "refusals": REFUSALS}
    return [
        ApiRoute(path=path + "/stats", handler=handlers.stats, answer=StatsAnswer, params=filters,
                 summary="What copies came to and are worth, with prices at most 3 s old where the venue answers", **read),
        ApiRoute(path=path + "/positions", handler=handlers.positions, answer=PositionPage,
                 params=(*filters, state, limit_param(50, 500, "positions"), _place_cursor()),
                 summary="Copied positions, those that changed last first; the venue's own result beside ours", **read),
        ApiRoute(path=path + "/trades", handler=handlers.trades, answer=TradePage,
                 params=(*filters, kind, size, trade_cursor()),
                 summary="Copied orders that were filled, newest first, with what became of each", **read),
        ApiRoute(path=path + "/realized-pnl", handler=handlers.realized, answer=RealizedAnswer, params=filters,
                 summary="Realised gains by UTC day", **read),
        ApiRoute(path=path + "/top-traders", handler=handlers.top_traders, answer=TopTraders, params=filters,
                 summary="What copying each trader came to, the most profitable first", **read),
        *portfolio_copy_routes(records, desk, access, clock),
    ]  # fmt: skip


def _place_cursor() -> Param:
    schema = {"type": "string", "maxLength": CURSOR_CHARS_MAX}
    return Param(name="cursor", doc="nextCursor of the page before", parse=place_in, schema=schema)
