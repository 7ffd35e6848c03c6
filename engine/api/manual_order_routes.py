"""Orders by hand: placed once for each key, tried without sending, cancelled, looked at (domain.md §10.2).

Also an administrator touches only what is of his own accounts.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from engine.api.answer import encode
from engine.api.errors import ApiError, bad_fields, not_found, unavailable
from engine.api.lt_access import account_param, confirmed, own_account
from engine.api.manual_order_bodies import (
    Canceled,
    CanceledAccount,
    CanceledOrder,
    ManualOrderAnswer,
    ManualOrderList,
    WantedOrder,
    manual_answer,
)
from engine.api.params import pattern
from engine.api.route import ApiRoute, Call, Rate, Response
from engine.api.text_fields import UUID_PATTERN
from protocols.errors import RejectedError
from protocols.live.operating import IntentConflictError, ManualOrder, ManualOrders
from protocols.live.orders import OrderType, Side
from protocols.users import Scope

PRICE_MIN, PRICE_MAX = Decimal("0.0001"), Decimal("0.9999")
PERCENT_ALLOWED = "must be from 0 to 100, with at most four decimals"
AMOUNT_MIN, AMOUNT_MAX = Decimal("0.01"), Decimal(1_000_000)


@attrs.define(eq=False)
class _Handlers:
    desk: Callable[[], ManualOrders | None]
    accounts: Mapping[str, str]

    async def place(self, call: Call) -> ManualOrderAnswer | Response:
        confirmed(call.body.confirm)
        order = self._order(call)
        try:
            view = await self._desk().place(order, call.principal.user_id)
        except IntentConflictError:
            text = "this orderIntentId was used for another order; a new order needs a new one"
            raise ApiError(409, "intent_conflict", text, "orderIntentId") from None
        except RejectedError as error:
            raise ApiError(422, "refused", str(error)) from None
        answer = manual_answer(view)
        return answer if view.is_known else Response(encode(answer), 202, media_type="application/json")

    async def dry_run(self, call: Call) -> ManualOrderAnswer:
        order = self._order(call)
        try:
            view = await self._desk().dry_run(order)
        except RejectedError as error:
            raise ApiError(422, "refused", str(error)) from None
        return msgspec.structs.replace(manual_answer(view), status="dry_run", is_known=True)

    async def cancel(self, call: Call) -> Canceled:
        order_id = call.body.order_id
        await self._own(call, order_id)
        return Canceled(asked=1, refused=dict(await self._desk().cancel([order_id])))

    async def cancel_all(self, call: Call) -> Canceled:
        own_account(call, self.accounts, call.body.account)
        order_ids = [view.order_id for view in await self._desk().working(call.body.account)]
        return Canceled(asked=len(order_ids), refused=dict(await self._desk().cancel(order_ids) if order_ids else {}))

    async def working(self, call: Call) -> ManualOrderList:
        own_account(call, self.accounts, call.params["account"])
        views = await self._desk().working(call.params["account"])
        return ManualOrderList(orders=[manual_answer(view) for view in views])

    async def status(self, call: Call) -> ManualOrderAnswer:
        return await self._own(call, call.params["orderId"])

    async def _own(self, call: Call, order_id: str) -> ManualOrderAnswer:
        """Returns an order of an account of the caller's. Raises the one 404 for everything else."""
        found = await self._desk().get(order_id)
        if found is None or self.accounts.get(found[0]) != call.principal.user_name:
            raise not_found("unknown_order", "there is no such order of yours")
        return manual_answer(found[1])

    def _order(self, call: Call) -> ManualOrder:
        body: WantedOrder = call.body
        problems = list(_problems(body))
        if problems:
            raise bad_fields(problems)
        own_account(call, self.accounts, body.account)
        in_usd = body.input_mode == "usd"
        return ManualOrder(
            intent_id=body.order_intent_id,
            account=body.account,
            side=body.side,
            condition_id=body.condition_id,
            token_id=body.token_id,
            limit_price=body.price,
            order_type=body.order_type,
            shares=None if in_usd else body.amount,
            usd=body.amount if in_usd else None,
            outcome=body.outcome,
            trader=body.copied_trader,
            auto_close_pct=body.auto_close_slippage_pct if body.auto_close else None,
            expires_in_s=body.expires_in_s,
        )

    def _desk(self) -> ManualOrders:
        desk = self.desk()
        if desk is None:
            raise unavailable("this engine does not trade live: see isTrading of /api/lt/status", 5.0)
        return desk


def manual_order_routes(desk: Callable[[], ManualOrders | None], accounts: Mapping[str, str]) -> list[ApiRoute]:
    """Returns the routes. `desk` returns None while this engine does not trade live; `accounts`: user names by account."""
    handlers = _Handlers(desk, accounts)
    path = "/api/polymarket/orders"
    change: dict[str, Any] = {"method": "POST", "scope": Scope.TRADE, "rate": Rate.CHANGE}
    read: dict[str, Any] = {"method": "GET", "scope": Scope.TRADE}
    account = account_param()
    order_id = pattern("orderId", "id of an order", UUID_PATTERN, allowed="a uuid", in_path=True)
    mine = {404: "there is no such account of yours"}
    refused = {**mine, 422: "an order that can never be: the message says why"}
    return [
        ApiRoute(path=path + "/place", handler=handlers.place, body=WantedOrder, answer=ManualOrderAnswer,
                 summary="Places an order once for its key. 202: nobody knows yet whether the venue has it.",
                 refusals={**refused, 409: "the key was used for another order"}, **change),
        ApiRoute(path=path + "/dry-run", handler=handlers.dry_run, body=WantedOrder, answer=ManualOrderAnswer,
                 summary="Prices, rounds and signs an order and sends nothing.", refusals=refused, **change),
        ApiRoute(path=path + "/cancel", handler=handlers.cancel, body=CanceledOrder, answer=Canceled,
                 summary="Cancels an order.", refusals={404: "there is no such order of yours"}, **change),
        ApiRoute(path=path + "/cancel-all", handler=handlers.cancel_all, body=CanceledAccount, answer=Canceled,
                 summary="Cancels all orders by hand of an account.", refusals=mine, **change),
        ApiRoute(path=path + "/open", handler=handlers.working, answer=ManualOrderList, params=(account,),
                 summary="Orders by hand that have not ended.", refusals=mine, **read),
        ApiRoute(path=path + "/{orderId}/status", handler=handlers.status, answer=ManualOrderAnswer, params=(order_id,),
                 summary="How an order stands.", refusals={404: "there is no such order of yours"}, **read),
    ]  # fmt: skip


def _problems(body: WantedOrder) -> list[tuple[str, str]]:
    """Returns each field that is wrong, and what is allowed."""
    problems = []
    if not body.price.is_finite() or not PRICE_MIN <= body.price <= PRICE_MAX or _places(body.price) > 4:
        problems.append(("price", f"must be from {PRICE_MIN} to {PRICE_MAX}, with at most four decimals"))
    if not body.amount.is_finite() or not AMOUNT_MIN <= body.amount <= AMOUNT_MAX or _places(body.amount) > 6:
        problems.append(("amount", f"must be from {AMOUNT_MIN} to {AMOUNT_MAX}, with at most six decimals"))
    if body.input_mode not in ("shares", "usd"):
        problems.append(("inputMode", "must be shares or usd"))
    elif body.input_mode == "usd" and body.side is Side.SELL:
        problems.append(("inputMode", "goes with BUY only: a SELL is in shares"))
    if (body.order_type is OrderType.GTD) != (body.expires_in_s is not None):
        problems.append(("expiresInS", "goes with orderType GTD, which needs it"))
    if body.auto_close and (body.side is not Side.BUY or body.copied_trader is None):
        problems.append(("autoClose", "goes with a BUY that names its copiedTrader"))
    if not is_percent(body.auto_close_slippage_pct):
        problems.append(("autoCloseSlippagePct", PERCENT_ALLOWED))
    return problems


def is_percent(value: Decimal) -> bool:
    """Returns whether a number is a percentage that the database keeps exactly."""
    return value.is_finite() and 0 <= value <= 100 and _places(value) <= 4


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
