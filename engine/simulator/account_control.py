"""The part of the control API that lets accounts do what is no trade, and tells the truth about them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulator.account_desk import AccountDesk
from engine.simulator.account_events import PAYMENTS, AccountEvents, EventKind
from engine.simulator.account_truth import AccountTruth
from engine.simulator.control_api import ControlError, obeying, only
from engine.simulator.data_requests import json_response
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.ledger import Ledger
from engine.simulator.market import Market, MarketDirectory
from engine.simulator.wire_numbers import micro_from, micro_number

T = TypeVar("T")


class _Stage(Protocol):
    """What this part acts on."""

    account_desk: AccountDesk
    account_events: AccountEvents
    exchange: Exchange
    ledger: Ledger
    markets: MarketDirectory

    def now_ms(self) -> int: ...


class AccountControl:
    """Every request body is one JSON object; every answer is one. `timestamp` shows another block time than now."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage
        self._truth = AccountTruth(stage.ledger, stage.account_events)

    def routes(self) -> list[Route]:
        """Returns the endpoints."""
        return [
            Route("/redeem", obeying(self._redeem), methods=["POST"]),
            Route("/merge", obeying(self._merge), methods=["POST"]),
            Route("/split", obeying(self._split), methods=["POST"]),
            Route("/payments", obeying(self._pay), methods=["POST"]),
            Route("/accounts-truth", self._truth_of_query, methods=["GET"]),
            Route("/accounts-truth", obeying(self._truth_of_body), methods=["POST"]),
        ]

    async def _redeem(self, body: dict[str, Any]) -> object:
        """`{"wallets": [addresses] | null, "condition_id", "timestamp"}`; null is everybody who holds."""
        only(body, "wallets", "condition_id", "timestamp")
        wallets, market, at_s = _wallets(body), self._market(body), _second(body)
        redeemed = _done(lambda: self._stage.account_desk.redeem(market, wallets, self._now_ms(), at_s=at_s))
        for wallet in redeemed:
            account = self._stage.exchange.accounts.get(wallet)
            if account is not None:
                self._stage.exchange.clearing.redeem(account, market)
        return {"redeemed": redeemed}

    async def _merge(self, body: dict[str, Any]) -> object:
        """`{"wallet", "condition_id", "shares": pairs | null, "timestamp"}`; null is all there are."""
        only(body, "wallet", "condition_id", "shares", "timestamp")
        wallet, market, at_s = _wallet(body), self._market(body), _second(body)
        micro = _micro(body, "shares") if body.get("shares") is not None else None
        merged = _done(lambda: self._stage.account_desk.merge(market, wallet, micro, self._now_ms(), at_s=at_s))
        return {"merged": micro_number(merged)}

    async def _split(self, body: dict[str, Any]) -> object:
        """`{"wallet", "condition_id", "shares": pairs, "timestamp"}`."""
        only(body, "wallet", "condition_id", "shares", "timestamp")
        wallet, market, at_s, micro = _wallet(body), self._market(body), _second(body), _micro(body, "shares")
        _done(lambda: self._stage.account_desk.split(market, wallet, micro, self._now_ms(), at_s=at_s))
        return {"split": micro_number(micro)}

    async def _pay(self, body: dict[str, Any]) -> object:
        """`{"wallet", "type": "REWARD" | "MAKER_REBATE" | …, "usd", "timestamp"}`."""
        only(body, "wallet", "type", "usd", "timestamp")
        if body.get("type") not in PAYMENTS:
            raise ControlError(f"type must be one of {', '.join(sorted(PAYMENTS))}")
        kind, micro = EventKind(body["type"]), _micro(body, "usd")
        self._stage.account_desk.pay(_wallet(body), kind, micro, self._now_ms(), at_s=_second(body))
        return {"paid": micro_number(micro)}

    async def _truth_of_query(self, request: Request) -> Response:
        text = request.query_params.get("wallets")
        return json_response(self._told(text.split(",") if text else None))

    async def _truth_of_body(self, body: dict[str, Any]) -> object:
        """`{"wallets": [addresses] | null}`."""
        only(body, "wallets")
        return self._told(_wallets(body))

    def _told(self, wallets: list[str] | None) -> dict[str, Any]:
        return {"accounts": self._truth.of(wallets), "evicted": self._stage.ledger.evicted}

    def _market(self, body: dict[str, Any]) -> Market:
        market = self._stage.markets.with_condition(str(body.get("condition_id")))
        if market is None:
            raise ControlError("there is no such market")
        return market

    def _now_ms(self) -> int:
        return self._stage.now_ms()


def _done(act: Callable[[], T]) -> T:
    try:
        return act()
    except ValueError as error:
        raise ControlError(str(error)) from None


def _wallets(body: dict[str, Any]) -> list[str] | None:
    wallets = body.get("wallets")
    if wallets is None:
        return None
    if not isinstance(wallets, list) or not all(isinstance(each, str) for each in wallets):
        raise ControlError("wallets must be a list of addresses or null")
    return [each.lower() for each in wallets]


def _wallet(body: dict[str, Any]) -> str:
    wallet = body.get("wallet")
    if not isinstance(wallet, str):
        raise ControlError("wallet must be an address")
    return wallet.lower()


def _second(body: dict[str, Any]) -> int | None:
    second = body.get("timestamp")
    if second is not None and (isinstance(second, bool) or not isinstance(second, int) or not 0 < second < 10**11):
        raise ControlError("timestamp must be seconds")
    return second


def _micro(body: dict[str, Any], name: str) -> int:
    try:
        micro = micro_from(Decimal(str(body.get(name))))
    except (ArithmeticError, ValueError):
        raise ControlError(f"{name} must be a number") from None
    if not 0 < micro < 10**18:
        raise ControlError(f"{name} must be more than nothing")
    return micro
