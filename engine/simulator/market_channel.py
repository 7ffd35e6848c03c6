"""The market channel `/ws/market`: books and trades of the tokens that a client asked for (venue.md §2.1)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs

from engine.simulator.book import BookView
from engine.simulator.clob_connection import ClobConnection
from engine.simulator.clob_frames import (
    best_bid_ask_frame,
    book_frame,
    last_trade_frame,
    market_resolved_frame,
    new_market_frame,
    price_change_frame,
    tick_size_frame,
)
from engine.simulator.exchange.events import BookChanged, ExchangeEvent, TickSizeChanged, Traded
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.market import Market, MarketState
from engine.simulator.matches import Block
from protocols.clock import WallClock


@attrs.define(eq=False)
class _Subscriber:
    connection: ClobConnection
    tokens: dict[str, Market] = attrs.field(factory=dict)
    custom: bool = False
    resolved: set[str] = attrs.field(factory=set)
    """Conditions whose verdict it knows."""


class MarketChannel:
    """Every client of the channel."""

    def __init__(self, exchange: Exchange, *, clock: WallClock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._subscribers: dict[ClobConnection, _Subscriber] = {}
        self._best: dict[str, tuple[Decimal | None, Decimal | None]] = {}
        self._traded: set[str] = set()
        """Conditions whose books follow with the next change: they have been traded in."""
        self._untold: Traded | None = None
        """A trade of the exchange's, until its rows are public; those of a trade that will fail never are."""
        exchange.listeners.append(self._heard)
        exchange.markets.on_add.append(self._market_added)

    def join(self, connection: ClobConnection) -> None:
        """Takes a client that has asked for nothing yet."""
        self._subscribers[connection] = _Subscriber(connection)

    def leave(self, connection: ClobConnection) -> None:
        """Forgets a client."""
        self._subscribers.pop(connection, None)

    def answer(self, connection: ClobConnection, frame: Any) -> None:
        """Obeys a frame: the first one has `type`, later ones an `operation`. Anything else is ignored."""
        if not isinstance(frame, dict):
            return
        subscriber = self._subscribers[connection]
        named = frame.get("assets_ids")
        tokens = [str(each) for each in named] if isinstance(named, list) else []
        operation = str(frame.get("operation", "subscribe" if frame.get("type") in ("market", "MARKET") else ""))
        if operation == "unsubscribe":
            for token_id in tokens:
                subscriber.tokens.pop(token_id, None)
        elif operation == "subscribe":
            if "custom_feature_enabled" in frame:
                subscriber.custom = frame["custom_feature_enabled"] is True
            self._subscribe(subscriber, tokens, dump=frame.get("initial_dump", True) is not False)

    def published(self, block: Block, now_ms: int) -> None:
        """Tells of trades that have become public: the exchange's, whose book changes next, and those of the tape."""
        for match in block.matches if self._subscribers else ():
            fill = match.fills[0]
            market = fill.market
            traded = Traded(
                market=market,
                outcome_index=fill.outcome_index,
                side=fill.side,
                price=market.last_trade_price or fill.price,
                size_micro=fill.size_micro,
                transaction_hash=match.transaction_hash,
                at_ms=now_ms,
            )
            untold, self._untold = self._untold, None
            if not self._interested(market):
                continue
            self._trade(traded)
            if untold is not None and untold.transaction_hash == match.transaction_hash:
                continue
            self._exchange.book_of(market, now_ms)
            if market.condition_id in self._traded:
                self._send_books(market, self._views(market, now_ms))

    def look_for_verdicts(self) -> None:
        """Tells of markets that have been resolved; to be called now and then."""
        now_ms = self._clock.now_ms()
        for subscriber in self._subscribers.values():
            for market in set(subscriber.tokens.values()):
                if market.payouts is not None and market.condition_id not in subscriber.resolved:
                    subscriber.resolved.add(market.condition_id)
                    if subscriber.custom:
                        subscriber.connection.tell(market_resolved_frame(market, now_ms))

    def _subscribe(self, subscriber: _Subscriber, tokens: Sequence[str], *, dump: bool) -> None:
        now_ms = self._clock.now_ms()
        books = []
        for token_id in dict.fromkeys(tokens):
            market = self._exchange.markets.with_token(token_id)
            if market is None or token_id in subscriber.tokens:
                continue
            if market.state is MarketState.OPEN:
                view = self._exchange.book_of(market, now_ms).view(market.index_of(token_id), now_ms)
                self._best[token_id] = (view.best_bid, view.best_ask)
                books.append(book_frame(view))
            elif market.payouts is not None:
                subscriber.resolved.add(market.condition_id)
            subscriber.tokens[token_id] = market
        if dump and tokens:
            subscriber.connection.tell(books)

    def _heard(self, event: ExchangeEvent) -> None:
        if not self._subscribers:
            return
        if isinstance(event, Traded):
            self._untold = event
        elif isinstance(event, TickSizeChanged):
            for subscriber in self._interested(event.market):
                for token_id in event.market.token_ids:
                    if token_id in subscriber.tokens:
                        subscriber.connection.tell(tick_size_frame(event, token_id))
        elif isinstance(event, BookChanged):
            self._changed(event)

    def _trade(self, event: Traded) -> None:
        subscribers = self._interested(event.market)
        if not subscribers:
            return
        self._traded.add(event.market.condition_id)
        token_id = event.market.token_ids[event.outcome_index]
        for subscriber in subscribers:
            if token_id in subscriber.tokens:
                subscriber.connection.tell(last_trade_frame(event))

    def _changed(self, event: BookChanged) -> None:
        market = event.market
        subscribers = self._interested(market)
        if not subscribers:
            return
        if self._untold is not None and self._untold.market is market:
            self._trade(self._untold)
            self._untold = None
        views = self._views(market, event.at_ms)
        frame = price_change_frame(event, views)
        for subscriber in subscribers:
            subscriber.connection.tell(frame)
        if market.condition_id in self._traded:
            self._send_books(market, views)
        for token_id, view in zip(market.token_ids, views, strict=True):
            best = (view.best_bid, view.best_ask)
            if self._best.get(token_id) == best:
                continue
            self._best[token_id] = best
            for subscriber in subscribers:
                if subscriber.custom and token_id in subscriber.tokens:
                    subscriber.connection.tell(best_bid_ask_frame(view))

    def _send_books(self, market: Market, views: tuple[BookView, BookView]) -> None:
        self._traded.discard(market.condition_id)
        for token_id, view in zip(market.token_ids, views, strict=True):
            for subscriber in self._interested(market):
                if token_id in subscriber.tokens:
                    subscriber.connection.tell(book_frame(view))

    def _views(self, market: Market, now_ms: int) -> tuple[BookView, BookView]:
        book = self._exchange.books.of(market)
        return book.view(0, now_ms), book.view(1, now_ms)

    def _interested(self, market: Market) -> list[_Subscriber]:
        first, second = market.token_ids
        return [each for each in self._subscribers.values() if first in each.tokens or second in each.tokens]

    def _market_added(self, market: Market) -> None:
        for subscriber in self._subscribers.values():
            if subscriber.custom:
                subscriber.connection.tell(new_market_frame(market, self._clock.now_ms()))
