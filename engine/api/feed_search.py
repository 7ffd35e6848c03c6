"""Looks through a feed for trades that pass a filter, a bounded stretch at a time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import attrs

from actors.rules.feed_filter import FeedFilter, TradeFacts, facts_pass, row_passes
from actors.rules.polysignal import PolySignal, SignalInputs, polysignal
from protocols.clock import WallClock
from protocols.feed import FeedFactStore, FeedPage, FeedPosition, FeedQuery, FeedRow, FeedStore, TradeCopy
from protocols.paper import DecisionMarkets

STRETCH_ROWS, STRETCHES = 250, 8
"""A search looks at 2,000 trades and says how far it got, so that its cost does not grow with how rare a thing is."""


class SignalStore(Protocol):
    """Where the inputs of signals come from."""

    async def inputs(self, trade_ids: Sequence[str]) -> Mapping[str, SignalInputs]:
        """Returns what is known about those of the trades that are stored, at once. Raises `TransientError`."""
        ...


@attrs.define(eq=False, kw_only=True)
class FeedSearch:
    """All methods raise `TransientError`."""

    store: FeedStore
    facts: FeedFactStore
    markets: DecisionMarkets
    signals: SignalStore
    clock: WallClock

    async def page(self, query: FeedQuery, wanted: FeedFilter) -> FeedPage:
        """Returns the newest trades of a query that pass.

        A page may be short, even empty, while there is a next one: so far it was looked.
        """
        rest = _not_asked(query, wanted)
        if rest.is_empty:
            return await self.store.page(query)
        found: list[FeedRow] = []
        stretch = attrs.evolve(query, limit=STRETCH_ROWS)
        for _ in range(STRETCHES):
            page = await self.store.page(stretch)
            passing = await self.passing(query.user_id, page.rows, rest)
            room = query.limit - len(found)
            found += passing[:room]
            if len(passing) > room or (len(passing) == room and page.next is not None):
                return FeedPage(rows=tuple(found), next=_position(page, found[-1].trade_id), followed=True)
            if page.next is None:
                return FeedPage(rows=tuple(found), next=None, followed=page.followed)
            stretch = attrs.evolve(stretch, before=page.next)
        return FeedPage(rows=tuple(found), next=stretch.before, followed=True)

    async def passing(self, user_id: str, rows: Sequence[FeedRow], wanted: FeedFilter) -> list[FeedRow]:
        """Returns those of the rows that pass, in their order."""
        rows = [row for row in rows if row_passes(wanted, row)]
        if not rows or not wanted.wants_facts:
            return rows
        trade_ids = [row.trade_id for row in rows]
        markets = await self.markets.find(list({row.condition_id for row in rows})) if wanted.wants_market else {}
        held: Collection[tuple[str, str]] = ()
        if wanted.is_held:
            held = await self.facts.held({(row.trader_wallet, row.asset) for row in rows})
        inputs = {} if wanted.score_min is None else await self.signals.inputs(trade_ids)
        copies = await self.facts.copies(trade_ids) if wanted.wants_copies else {}
        now_ms = self.clock.now_ms()
        return [
            row
            for row in rows
            if facts_pass(
                wanted,
                TradeFacts(
                    market=markets.get(row.condition_id),
                    is_held=(row.trader_wallet, row.asset) in held,
                    score=polysignal(inputs[row.trade_id]).score if row.trade_id in inputs else None,
                    copied_by=[copy.wallet_id for owner, copy in copies.get(row.trade_id, ()) if owner == user_id],
                ),
                now_ms,
            )
        ]

    async def told(
        self, rows: Sequence[FeedRow]
    ) -> tuple[Mapping[str, PolySignal], Mapping[str, Sequence[tuple[str, TradeCopy]]]]:
        """Returns the signals of trades and who copied them, by trade."""
        trade_ids = [row.trade_id for row in rows]
        if not trade_ids:
            return {}, {}
        inputs = await self.signals.inputs(trade_ids)
        signals = {trade_id: polysignal(one) for trade_id, one in inputs.items()}
        return signals, await self.facts.copies(trade_ids)


def _not_asked(query: FeedQuery, wanted: FeedFilter) -> FeedFilter:
    """Returns what of a filter the statement of a query does not see to by itself."""
    rest = attrs.evolve(wanted, wallets=frozenset(), side=None)
    if query.is_copied:
        return attrs.evolve(rest, is_copied=False, strategy=None)
    return attrs.evolve(rest, condition_id=None)


def _position(page: FeedPage, trade_id: str) -> FeedPosition:
    index = next(number for number, row in enumerate(page.rows) if row.trade_id == trade_id)
    return FeedPosition(trade_us=page.trade_us[index], trade_id=trade_id)
