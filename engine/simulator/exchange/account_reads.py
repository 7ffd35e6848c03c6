"""What the trading API says of an account: orders, trades, balances, flags (venue.md §4.7)."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from engine.simulator.exchange.accounts import UNLIMITED
from engine.simulator.exchange.api_keys import ApiKey, SignedRequest
from engine.simulator.exchange.exchange import Exchange
from engine.simulator.exchange.orders import OrderState
from engine.simulator.exchange.rendering import order_fields, rest_trade, role_in
from engine.simulator.exchange.replies import Reply
from protocols.venue.order_typed_data import exchange_of

PAGE_ROWS = 100
_LAST_CURSOR = "LTE="
_NOT_FOUND = Reply(404, {"error": "order not found"})


class AccountReads:
    """The endpoints that change nothing. Each gets the key that was proved."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def handlers(self) -> dict[str, Callable[[ApiKey, SignedRequest], Reply]]:
        """Returns the endpoints by path, but `/data/order/{id}`."""
        return {
            "/data/orders": self.orders,
            "/data/trades": self.trades,
            "/balance-allowance": self.balance,
            "/balance-allowance/update": self._update_balance,
            "/auth/ban-status/closed-only": self._closed_only,
            "/notifications": lambda _key, _request: Reply(200, []),
            "/order-scoring": lambda _key, _request: Reply(200, {"scoring": False}),
            "/v1/user/rate-limit-tier": lambda _key, _request: Reply(200, {"tier": self._exchange.buckets.tier}),
        }

    def order(self, key: ApiKey, request: SignedRequest) -> Reply:
        """Answers `/data/order/{id}`: an order of the key's wallet, ended ones too unless they are forgotten."""
        order = self._exchange.orders.get(request.path.rsplit("/", 1)[-1])
        if order is None or order.signer != key.address or order.state is OrderState.HELD:
            return _NOT_FOUND
        if not order.state.is_open and self._exchange.faults.take("order_forgotten") is not None:
            return _NOT_FOUND
        return Reply(200, order_fields(order))

    def orders(self, key: ApiKey, request: SignedRequest) -> Reply:
        """Answers `/data/orders`: the resting orders, oldest first."""
        wanted = request.query
        rows = [
            order_fields(order)
            for order in self._exchange.open_orders(key)
            if order.state is OrderState.LIVE
            and wanted.get("id", order.order_id).lower() == order.order_id
            and wanted.get("market", order.market.condition_id) == order.market.condition_id
            and wanted.get("asset_id", order.token_id) == order.token_id
        ]
        return _page(rows, wanted.get("next_cursor"))

    def trades(self, key: ApiKey, request: SignedRequest) -> Reply:
        """Answers `/data/trades`: newest first. `before` and `after` are seconds, neither included."""
        wanted = request.query
        funders = self._exchange.funders_of(key)
        before, after = _seconds(wanted.get("before")), _seconds(wanted.get("after"))
        maker_address = wanted.get("maker_address", "").lower()
        rows = []
        for trade in reversed(self._exchange.trades_of(funders)):
            role = role_in(trade, funders)
            matched_s = trade.matched_ms // 1000
            tokens = {trade.market.token_ids[leg.outcome_index] for leg in trade.legs}
            if (
                role is not None
                and wanted.get("id", trade.trade_id) == trade.trade_id
                and wanted.get("market", trade.market.condition_id) == trade.market.condition_id
                and (not wanted.get("asset_id") or wanted["asset_id"] in tokens)
                and (not maker_address or any(leg.funder == maker_address for leg in trade.legs))
                and (before is None or matched_s < before)
                and (after is None or matched_s > after)
            ):
                rows.append(rest_trade(trade, role))
        return _page(rows, wanted.get("next_cursor"))

    def balance(self, key: ApiKey, request: SignedRequest) -> Reply:
        """Answers `/balance-allowance`: base units of pUSD or of a token; what is not mined yet is not there."""
        kind = request.query.get("signature_type", "0")
        account = self._exchange.accounts.of_signer(key.address, int(kind) if kind.isdecimal() else 0)
        asset = request.query.get("asset_type", "COLLATERAL")
        if asset not in ("COLLATERAL", "CONDITIONAL", "CONDITIONAL-V2"):
            return Reply(400, {"error": "Invalid asset type"})
        chain_id = self._exchange.chain_id
        exchanges = [
            exchange_of(chain_id, negative_risk=negative_risk, token_id=token_id)
            for negative_risk, token_id in ((False, 1 << 40), (True, 1 << 40), (False, 0))
        ]
        balance = 0
        if account is not None:
            token_id = request.query.get("token_id", "")
            balance = account.collateral_micro if asset == "COLLATERAL" else account.shares_micro(token_id)
        approved = account.approved if account is not None else frozenset()
        allowances = {each.address: str(UNLIMITED if each.kind in approved else 0) for each in exchanges}
        return Reply(200, {"balance": str(balance), "allowances": allowances})

    def _update_balance(self, _key: ApiKey, _request: SignedRequest) -> Reply:
        return Reply(200, "")

    def _closed_only(self, key: ApiKey, _request: SignedRequest) -> Reply:
        mine = [each for each in self._exchange.accounts if each.signer == key.address]
        return Reply(200, {"closed_only": any(each.closed_only for each in mine)})


def _page(rows: Sequence[dict[str, Any]], cursor: str | None) -> Reply:
    start = 0
    if cursor:
        try:
            start = int(base64.b64decode(cursor, validate=True))
        except (ValueError, binascii.Error):
            return Reply(400, {"error": "invalid next_cursor"})
    if start < 0:
        start = len(rows)
    page = rows[start : start + PAGE_ROWS]
    following = start + PAGE_ROWS
    more = following < len(rows)
    next_cursor = base64.b64encode(str(following).encode()).decode() if more else _LAST_CURSOR
    return Reply(200, {"limit": PAGE_ROWS, "next_cursor": next_cursor, "count": len(page), "data": list(page)})


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
