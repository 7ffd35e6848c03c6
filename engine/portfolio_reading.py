"""Reads a portfolio for a command: with stored prices, each with its age, since a command has no price cache."""

import attrs

from actors.portfolio_desk import PortfolioDesk
from actors.rules.portfolio.figures import days_of, traders_of, windows_of
from actors.rules.portfolio.pages import page_of
from engine.api.portfolio_answers import (
    position_answer,
    realized_answer,
    stats_answer,
    trade_answer,
    traders_answer,
)
from engine.api.portfolio_bodies import PositionAnswer, RealizedAnswer, StatsAnswer, TopTraders, TradeAnswer
from protocols.clock import WallClock
from protocols.portfolio import PortfolioQuery, PortfolioStore


@attrs.frozen
class PortfolioReading:
    """The same figures as the API's. All methods raise `TransientError`."""

    store: PortfolioStore
    clock: WallClock

    @property
    def desk(self) -> PortfolioDesk:
        """Returns the desk that values with stored prices alone."""
        return PortfolioDesk(store=self.store, quotes=None, clock=self.clock)

    async def stats(self, query: PortfolioQuery) -> StatsAnswer:
        """Returns the figures of everything."""
        return stats_answer(await self.desk.portfolio(query, official=True))

    async def positions(self, query: PortfolioQuery, state: str | None, rows_max: int) -> list[PositionAnswer]:
        """Returns positions, those that changed last first; `state` is open, closed or None for both."""
        portfolio = await self.desk.portfolio(query, official=True)
        wanted = (one for one in portfolio.valued if one.position.is_position)
        page = page_of(
            (one for one in wanted if state is None or one.position.is_open == (state == "open")), None, rows_max
        )
        facts = await self.store.facts({one.position.token_id for one in page})
        return [position_answer(one, facts.get(one.position.token_id), portfolio) for one in page]

    async def trades(self, query: PortfolioQuery, rows_max: int) -> list[TradeAnswer]:
        """Returns copied orders, newest first."""
        rows = await self.store.orders(query, before=None, rows_max=rows_max)
        portfolio = await self.desk.portfolio(attrs.evolve(query, token_ids={row["token_id"] for row in rows}))
        return [trade_answer(row, portfolio) for row in rows]

    async def traders(self, query: PortfolioQuery) -> TopTraders:
        """Returns everybody who was copied."""
        portfolio = await self.desk.portfolio(query)
        traders = traders_of(portfolio.valued)
        names = await self.store.trader_names([one.trader for one in traders if one.trader is not None])
        return traders_answer(traders, names, portfolio.now_us)

    async def realized(self, query: PortfolioQuery) -> RealizedAnswer:
        """Returns realised gains by day."""
        portfolio = await self.desk.portfolio(query)
        days = days_of(portfolio.days)
        return realized_answer(days, windows_of(days, portfolio.now_us), portfolio.now_us)
