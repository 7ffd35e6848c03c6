"""The simulator's own interface to its exchange: accounts, books, modes, faults of orders, and what really happened."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.account_desk import AccountDesk
from engine.simulator.control_api import ControlError, obeying, only
from engine.simulator.data_requests import json_response
from engine.simulator.exchange.accounts import ALL_EXCHANGES, Account
from engine.simulator.exchange.buckets import TIERS
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.rendering import order_fields, rest_trade, role_in
from engine.simulator.market import ONE, Market, MarketDirectory
from engine.simulator.wire_numbers import micro_from, micro_number
from protocols.venue.order_amounts import TICKS
from protocols.venue.order_typed_data import ExchangeKind

_FLAGS = ("geoblocked", "close_only", "cancel_only")


class _Stage(Protocol):
    """What this acts on."""

    account_desk: AccountDesk
    exchange: Exchange
    markets: MarketDirectory

    def now_ms(self) -> int: ...


class ExchangeControl:
    """Every request body is one JSON object; every answer is one."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage
        self._exchange = stage.exchange

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        return [
            Route("/accounts", obeying(self._open_account, exact=True), methods=["POST"]),
            Route("/accounts/{address}", self._account, methods=["GET"]),
            Route("/accounts/{address}/redeem", self._redeem, methods=["POST"]),
            Route("/book", obeying(self._set_book, exact=True), methods=["POST"]),
            Route("/market", obeying(self._change_market, exact=True), methods=["POST"]),
            Route("/modes", self._modes, methods=["GET"]),
            Route("/modes", obeying(self._set_modes), methods=["POST"]),
            Route("/order-faults", self._faults, methods=["GET"]),
            Route("/order-faults", obeying(self._add_fault), methods=["POST"]),
            Route("/order-faults", self._clear_faults, methods=["DELETE"]),
        ]

    async def _open_account(self, body: dict[str, Any]) -> object:
        """`{"address", "collateral_usd", "signature_type", "signer", "approved", "positions", "banned", "closed_only"}`.

        `approved` is true, false or a list of exchanges; `positions` shares by token; of an account that is there already
        what is left out stays as it is.
        """
        only(
            body,
            "address",
            "collateral_usd",
            "signature_type",
            "signer",
            "approved",
            "positions",
            "banned",
            "closed_only",
        )
        address = body.get("address")
        if not isinstance(address, str) or len(address) != 42 or not address.startswith("0x"):
            raise ControlError("address must be 0x and 40 digits")
        known = self._exchange.accounts.get(address)
        kind = body.get("signature_type", known.signature_type if known is not None else 0)
        if kind not in (0, 1, 2, 3):
            raise ControlError("signature_type must be 0, 1, 2 or 3")
        collateral = known.collateral_micro if known is not None else 0
        if "collateral_usd" in body:
            collateral = _micro(body["collateral_usd"], "collateral_usd")
        account = self._exchange.accounts.open(
            address,
            collateral_micro=collateral,
            signature_type=kind,
            signer=body.get("signer"),
            approved=_approved(body.get("approved", known.approved if known is not None else True)),
            positions=self._positions(body.get("positions", {})),
        )
        for name in ("banned", "closed_only"):
            setattr(account, name, body.get(name, getattr(account, name)) is True)
        self._exchange.recheck(account, self._stage.now_ms())
        return self._described(account)

    async def _account(self, request: Request) -> Response:
        account = self._exchange.accounts.get(request.path_params["address"])
        if account is None:
            return json_response({"error": "there is no such account"}, status=404)
        return json_response(self._described(account))

    async def _redeem(self, request: Request) -> Response:
        account = self._exchange.accounts.get(request.path_params["address"])

        async def redeem(body: dict[str, Any]) -> object:
            only(body, "condition_id")
            market = self._stage.markets.with_condition(str(body.get("condition_id")))
            if account is None or market is None:
                raise ControlError("there is no such account or market")
            try:
                paid_micro = self._exchange.clearing.redeem(account, market)
            except ValueError as error:
                raise ControlError(str(error)) from None
            self._stage.account_desk.redeem(market, [account.address], self._stage.now_ms())
            return {"paid_usd": micro_number(paid_micro), **self._described(account)}

        return await obeying(redeem)(request)

    async def _set_book(self, body: dict[str, Any]) -> object:
        """`{"token_id", "bids": [[price, shares], …], "asks": […]}` as the token's holders see it, or `"follow": true`."""
        only(body, "token_id", "bids", "asks", "follow")
        market = self._market(body.get("token_id"))
        now_ms = self._stage.now_ms()
        if body.get("follow") is True:
            self._exchange.books.of(market).house.release()
            self._exchange.book_of(market, now_ms)
            return {"condition_id": market.condition_id, "fixed": False}
        bids, asks = _levels(body.get("bids", []), market), _levels(body.get("asks", []), market)
        if bids and asks and max(bids) >= min(asks):
            raise ControlError("bids and asks cross")
        if market.index_of(str(body["token_id"])) == 1:
            bids, asks = _mirrored(asks), _mirrored(bids)
        self._exchange.set_book(market, bids, asks, now_ms)
        return {"condition_id": market.condition_id, "fixed": True}

    async def _change_market(self, body: dict[str, Any]) -> object:
        """`{"token_id", "tick_size", "seconds_delay", "taker_delay", "order_size_min", "fee_rate", "negative_risk"}`."""
        only(
            body, "token_id", "tick_size", "seconds_delay", "taker_delay", "order_size_min", "fee_rate", "negative_risk"
        )
        market = self._market(body.get("token_id"))
        if "tick_size" in body:
            tick = Decimal(str(body["tick_size"]))
            if tick not in TICKS:
                raise ControlError(f"there is no tick size {tick}")
            market.tick_size = tick
        if "fee_rate" in body:
            market.fee_rate = Decimal(str(body["fee_rate"]))
        for name, kind in (
            ("seconds_delay", int),
            ("order_size_min", int),
            ("taker_delay", bool),
            ("negative_risk", bool),
        ):
            if name in body:
                if type(body[name]) is not kind:
                    raise ControlError(f"{name} must be {kind.__name__}")
                setattr(market, name, body[name])
        now_ms = self._stage.now_ms()
        # A fixed book does not move, but its listeners hear of another tick.
        self._exchange.books.tell_changes(self._exchange.book_of(market, now_ms), now_ms)
        return {"condition_id": market.condition_id}

    async def _modes(self, _request: Request) -> Response:
        return json_response(self._described_modes())

    async def _set_modes(self, body: dict[str, Any]) -> object:
        """`{"restart_s": s, "geoblocked": …, "close_only": …, "cancel_only": …, "tier": …, "open": true}`."""
        only(body, "restart_s", "tier", "open", *_FLAGS)
        modes = self._exchange.modes
        if body.get("open") is True:
            modes.restarting_until_ms = modes.post_only_until_ms = 0
        if "restart_s" in body:
            if not isinstance(body["restart_s"], int | float) or body["restart_s"] < 0:
                raise ControlError("restart_s must be seconds")
            modes.restart(body["restart_s"], self._stage.now_ms())
        for name in _FLAGS:
            if name in body:
                setattr(modes, name, body[name] is True)
        if "tier" in body:
            if body["tier"] not in TIERS:
                raise ControlError(f"tier must be one of {', '.join(TIERS)}")
            self._exchange.buckets.tier = body["tier"]
        return self._described_modes()

    async def _faults(self, _request: Request) -> Response:
        faults = self._exchange.faults
        return json_response({"faults": faults.describe(), "taken": faults.taken})

    async def _add_fault(self, body: dict[str, Any]) -> object:
        """`{"kind": …, "count": n, "probability": p, parameters…}`, or kind `clear`."""
        parameters = dict(body)
        kind = parameters.pop("kind", None)
        count, probability = parameters.pop("count", None), parameters.pop("probability", 1.0)
        if not isinstance(kind, str):
            raise ControlError("kind is missing")
        if kind == "clear":
            return {"cleared": self._exchange.faults.clear()}
        fault = self._exchange.faults.add(kind, parameters, count=count, probability=probability)
        return {"id": fault.id, "kind": fault.kind}

    async def _clear_faults(self, request: Request) -> Response:
        return json_response({"cleared": self._exchange.faults.clear(request.query_params.get("kind"))})

    def _described(self, account: Account) -> dict[str, Any]:
        exchange = self._exchange
        mine = frozenset({account.address})
        orders = exchange.orders.of_funder(account.address)
        trades = [(trade, role_in(trade, mine)) for trade in exchange.trades_of(mine)]
        return {
            "address": account.address,
            "signature_type": account.signature_type,
            "signer": account.signer,
            "collateral_usd": micro_number(account.collateral_micro),
            "free_usd": micro_number(exchange.free_micro(account, None)),
            "positions": {token_id: micro_number(micro) for token_id, micro in account.positions.items()},
            "approved": sorted(kind.value for kind in account.approved),
            "banned": account.banned,
            "closed_only": account.closed_only,
            "orders": [order_fields(order) for order in orders],
            "fills": [rest_trade(trade, role) for trade, role in trades if role is not None],
            "posts": {order.order_id: exchange.orders.posts[order.order_id] for order in orders},
            "orders_sent": len(orders),
        }

    def _described_modes(self) -> dict[str, Any]:
        modes, now_ms = self._exchange.modes, self._stage.now_ms()
        return {
            **{name: getattr(modes, name) for name in _FLAGS},
            "restarting": now_ms < modes.restarting_until_ms,
            "post_only": now_ms < modes.post_only_until_ms,
            "tier": self._exchange.buckets.tier,
        }

    def _market(self, token_id: object) -> Market:
        market = self._stage.markets.with_token(str(token_id))
        if market is None:
            raise ControlError("there is no market of this token")
        return market

    def _positions(self, value: object) -> dict[str, int]:
        if not isinstance(value, dict):
            raise ControlError("positions must be shares by token")
        for token_id in value:
            self._market(token_id)
        return {str(token_id): _micro(shares, "shares") for token_id, shares in value.items()}


def _approved(value: object) -> frozenset[ExchangeKind]:
    if isinstance(value, frozenset):
        return value
    if isinstance(value, bool):
        return ALL_EXCHANGES if value else frozenset()
    try:
        return frozenset(ExchangeKind(each) for each in value) if isinstance(value, list) else frozenset()
    except ValueError:
        raise ControlError(f"approved takes {', '.join(each.value for each in ExchangeKind)}") from None


def _levels(value: object, market: Market) -> dict[Decimal, Decimal]:
    levels: dict[Decimal, Decimal] = {}
    for each in value if isinstance(value, list) else [None]:
        price, size = (each.get("price"), each.get("size")) if isinstance(each, Mapping) else (each or (None, None))
        level = Decimal(_micro(price, "price")).scaleb(-6).normalize()
        if not market.tick_size <= level <= ONE - market.tick_size or level % market.tick_size:
            raise ControlError(f"price {level} is not on the tick {market.tick_size}")
        levels[level] = Decimal(_micro(size, "shares")).scaleb(-6)
    return levels


def _mirrored(levels: Mapping[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    return {ONE - price: shares for price, shares in levels.items()}


def _micro(value: object, name: str) -> int:
    try:
        micro = micro_from(Decimal(str(value)))
    except (ArithmeticError, ValueError):
        raise ControlError(f"{name} must be a number, not {value!r}") from None
    if micro < 0:
        raise ControlError(f"{name} must not be negative")
    return micro
