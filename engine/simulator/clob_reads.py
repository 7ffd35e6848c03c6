"""Public reads of the CLOB (venue.md §4.8)."""

import json
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.book import BookView
from engine.simulator.data_requests import json_response
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.gamma_market import iso
from engine.simulator.market import Market, MarketDirectory, MarketState
from engine.simulator.wire_numbers import MICRO, decimal_text
from protocols.clock import WallClock

BOOKS_MAX = 500


class ClobReads:
    """Books, prices and market parameters by token or condition."""

    def __init__(self, markets: MarketDirectory, exchange: Exchange, *, clock: WallClock) -> None:
        self._markets = markets
        self._exchange = exchange
        self._clock = clock

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        return [
            Route("/", self._ok),
            Route("/ok", self._ok),
            Route("/time", self._time),
            Route("/version", self._version),
            Route("/book", self._book),
            Route("/books", self._books_of, methods=["POST"]),
            Route("/midpoint", self._midpoint),
            Route("/price", self._price),
            Route("/spread", self._spread),
            Route("/last-trade-price", self._last_trade_price),
            Route("/tick-size", self._tick_size),
            Route("/neg-risk", self._negative_risk),
            Route("/fee-rate", self._fee_rate),
            Route("/markets/{condition_id}", self._market),
            Route("/clob-markets/{condition_id}", self._compact_market),
            Route("/markets-by-token/{token_id}", self._market_by_token),
        ]

    def view(self, token_id: str) -> BookView | None:
        """Returns the book of a token, or None when the venue has none: unknown or closed markets."""
        market = self._markets.with_token(token_id)
        if market is None or market.state is not MarketState.OPEN:
            return None
        now_ms = self._clock.now_ms()
        return self._exchange.book_of(market, now_ms).view(market.index_of(token_id), now_ms)

    async def _ok(self, _request: Request) -> Response:
        return json_response("OK")

    async def _time(self, _request: Request) -> Response:
        return json_response(self._clock.now_ms() // 1000)

    async def _version(self, _request: Request) -> Response:
        return json_response({"version": 2})

    async def _book(self, request: Request) -> Response:
        view = self._requested(request)
        return json_response(view.rendered()) if view is not None else _no_book()

    async def _books_of(self, request: Request) -> Response:
        try:
            wanted = json.loads(await request.body())
            token_ids = [str(each["token_id"]) for each in wanted]
        except (ValueError, TypeError, KeyError):
            return json_response({"error": "Invalid payload"}, status=400)
        if len(token_ids) > BOOKS_MAX:
            return json_response({"error": f"Payload exceeds the limit of {BOOKS_MAX}"}, status=400)
        views = [view for token_id in token_ids if (view := self.view(token_id)) is not None]
        return json_response([view.rendered() for view in views])

    async def _midpoint(self, request: Request) -> Response:
        view = self._requested(request)
        if view is None:
            return _no_book()
        if view.best_bid is None or view.best_ask is None:
            return json_response({"error": "No orderbook exists for the requested token id"}, status=404)
        return json_response({"mid": decimal_text((view.best_bid + view.best_ask) / 2)})

    async def _price(self, request: Request) -> Response:
        view = self._requested(request)
        side = request.query_params.get("side", "").upper()
        if side not in ("BUY", "SELL"):
            return json_response({"error": "Invalid side"}, status=400)
        price = None
        if view is not None:
            price = view.best_bid if side == "BUY" else view.best_ask
        return json_response({"price": decimal_text(price)}) if price is not None else _no_book()

    async def _spread(self, request: Request) -> Response:
        view = self._requested(request)
        if view is None or view.best_bid is None or view.best_ask is None:
            return _no_book()
        return json_response({"spread": decimal_text(view.best_ask - view.best_bid)})

    async def _last_trade_price(self, request: Request) -> Response:
        market = self._market_of_token(request)
        if market is None or market.last_trade_price is None:
            # A token that never traded, or none at all.
            return json_response({"price": "0.5", "side": ""})
        price = market.last_trade_price.quantize(Decimal("0.001"))
        return json_response({"price": decimal_text(price), "side": market.last_trade_side})

    async def _tick_size(self, request: Request) -> Response:
        market = self._market_of_token(request)
        return json_response({"minimum_tick_size": market.tick_size}) if market is not None else _no_market()

    async def _negative_risk(self, request: Request) -> Response:
        market = self._market_of_token(request)
        return json_response({"neg_risk": market.negative_risk}) if market is not None else _no_market()

    async def _fee_rate(self, request: Request) -> Response:
        market = self._market_of_token(request)
        return json_response({"base_fee": 1000}) if market is not None else _no_market()

    async def _market(self, request: Request) -> Response:
        market = self._markets.with_condition(request.path_params["condition_id"])
        return json_response(full_market(market)) if market is not None else _no_market()

    async def _compact_market(self, request: Request) -> Response:
        market = self._markets.with_condition(request.path_params["condition_id"])
        return json_response(compact_market(market)) if market is not None else _no_market()

    async def _market_by_token(self, request: Request) -> Response:
        market = self._markets.with_token(request.path_params["token_id"])
        if market is None:
            return _no_market()
        # Primary is the smaller id, not the first outcome.
        primary, secondary = sorted(market.token_ids, key=int)
        ids = {"primary_token_id": primary, "secondary_token_id": secondary}
        return json_response({"condition_id": market.condition_id, **ids})

    def _requested(self, request: Request) -> BookView | None:
        return self.view(request.query_params.get("token_id", ""))

    def _market_of_token(self, request: Request) -> Market | None:
        return self._markets.with_token(request.query_params.get("token_id", ""))


def compact_market(market: Market) -> dict[str, Any]:
    """Returns the object of `/clob-markets/{condition_id}`; some flags are left out when they are false."""
    fields: dict[str, Any] = {
        "r": {"mi": 50, "ma": 4.5, "moas": 30},
        "t": [{"t": token, "o": outcome} for token, outcome in zip(market.token_ids, market.outcomes, strict=True)],
        "c": market.condition_id,
        "mos": market.order_size_min,
        "mts": market.tick_size,
        "mbf": 1000,
        "tbf": 1000,
        "ao": market.state is MarketState.OPEN,
        "aot": iso(market.start_ms),
        "itode": market.taker_delay,
        "fd": {"r": market.fee_rate, "e": 1, "to": True},
        "v": "v1",
    }
    if market.negative_risk:
        fields["nr"] = True
    return fields


def full_market(market: Market) -> dict[str, Any]:
    """Returns the old object of `/markets/{condition_id}`: the fallback for who won."""
    closed = market.state is not MarketState.OPEN
    tokens = [
        {
            "token_id": token_id,
            "outcome": market.outcomes[index],
            "price": market.price_of(index),
            "winner": market.payouts is not None and market.payouts[index] == MICRO,
        }
        for index, token_id in enumerate(market.token_ids)
    ]
    return {
        "enable_order_book": True,
        "active": True,
        "closed": closed,
        "archived": False,
        "accepting_orders": not closed,
        "accepting_order_timestamp": iso(market.start_ms),
        "minimum_order_size": market.order_size_min,
        "minimum_tick_size": market.tick_size,
        "condition_id": market.condition_id,
        "question": market.question,
        "market_slug": market.slug,
        "end_date_iso": iso(market.end_ms),
        "seconds_delay": market.seconds_delay,
        "maker_base_fee": 1000,
        "taker_base_fee": 1000,
        "neg_risk": market.negative_risk,
        "is_50_50_outcome": False,
        "tokens": tokens,
        "icon": market.icon,
    }


def _no_book() -> Response:
    return json_response({"error": "No orderbook exists for the requested token id"}, status=404)


def _no_market() -> Response:
    return json_response({"error": "market not found"}, status=404)
