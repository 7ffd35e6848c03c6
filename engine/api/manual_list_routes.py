"""Orders by hand of an account in pages, and what the account has to spend (domain.md §10.2).

Like all of orders by hand: of one's own accounts only, also for an administrator.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from engine.api.ft_access import limit_param
from engine.api.ft_order_routes import order_cursor
from engine.api.lt_access import account_param, own_account
from engine.api.lt_report_bodies import LiveOrderPage
from engine.api.lt_report_routes import before_of, order_page
from engine.api.params import choice
from engine.api.route import ApiRoute, Call, Struct
from protocols.live.operating import LiveReports, ManualOrders
from protocols.live.orders import MANUAL, OrderStatus
from protocols.users import Scope


class AccountBalance(Struct):
    """What an account has, USD."""

    account: str
    collateral_usd: Decimal | None
    """As the venue said when it was compared last; null: it never was."""
    at: datetime | None
    """When that was."""
    spendable_usd: Decimal | None
    """What new buys may still cost: cash less what working orders may cost. Null where this engine does not trade live."""


@attrs.define(eq=False)
class _Handlers:
    reports: LiveReports
    desk: Callable[[], ManualOrders | None]
    accounts: Mapping[str, str]

    async def all(self, call: Call) -> LiveOrderPage:
        account, limit = call.params["account"], call.params["limit"]
        own_account(call, self.accounts, account)
        rows = await self.reports.orders(
            strategy_id=f"{MANUAL}:{account}",
            status=call.params["status"],
            account=account,
            before=before_of(call.params["cursor"]),
            rows_max=limit + 1,
        )
        return order_page(rows, limit)

    async def balance(self, call: Call) -> AccountBalance:
        account = call.params["account"]
        own_account(call, self.accounts, account)
        found = next((row for row in await self.reports.accounts() if row["account"] == account), None)
        desk = self.desk()
        return AccountBalance(
            account=account,
            collateral_usd=None if found is None else found["collateral_usd"],
            at=None if found is None else found["at"],
            spendable_usd=None if desk is None else desk.spendable(account),
        )


def manual_list_routes(
    reports: LiveReports, desk: Callable[[], ManualOrders | None], accounts: Mapping[str, str]
) -> list[ApiRoute]:
    """Returns the routes. `desk` returns None while this engine does not trade live; `accounts`: user names by account."""
    handlers = _Handlers(reports, desk, accounts)
    path, account = "/api/polymarket/orders", account_param()
    status = choice("status", "only these", *[one.value for one in OrderStatus])
    read: dict[str, Any] = {
        "method": "GET", "scope": Scope.TRADE, "refusals": {404: "there is no such account of yours"},
    }  # fmt: skip
    return [
        ApiRoute(path=path + "/all", handler=handlers.all, answer=LiveOrderPage,
                 params=(account, status, limit_param(50, 200, "orders"), order_cursor()),
                 summary="Orders by hand of an account, newest first, also those that ended.", **read),
        ApiRoute(path=path + "/balance", handler=handlers.balance, answer=AccountBalance, params=(account,),
                 summary="What an account has at the venue, and what it may still spend.", **read),
    ]  # fmt: skip
