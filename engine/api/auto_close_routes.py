"""Copies by hand that are sold with the copied trader (domain.md §7.5): which ones, and switching it on and off."""

from collections.abc import Mapping
from typing import Any

import attrs

from engine.adapters.postgres.auto_close_store import AutoCloseStore
from engine.api.errors import bad_field
from engine.api.lt_access import own_account
from engine.api.lt_bodies import Changed
from engine.api.manual_order_bodies import AutoClose, AutoCloseAnswer, AutoCloses
from engine.api.manual_order_routes import PERCENT_ALLOWED, is_percent
from engine.api.route import ApiRoute, Call, Rate
from protocols.users import Scope

PATH = "/api/polymarket/orders/auto-close"


@attrs.define(eq=False)
class _Handlers:
    store: AutoCloseStore
    accounts: Mapping[str, str]

    async def look(self, call: Call) -> AutoCloses:
        rows = await self.store.of_user(call.principal.user_id)
        return AutoCloses(auto_closes=[AutoCloseAnswer(**row) for row in rows])

    async def change(self, call: Call) -> Changed:
        body: AutoClose = call.body
        own_account(call, self.accounts, body.account)
        if not is_percent(body.slippage_pct):
            raise bad_field("slippagePct", PERCENT_ALLOWED)
        if not body.enabled:
            return Changed(changed=await self.store.disarm(body.account, body.copied_trader, body.token_id))
        user_id = call.principal.user_id
        await self.store.arm(user_id, body.account, body.copied_trader, body.token_id, body.slippage_pct)
        return Changed(changed=True)


def auto_close_routes(store: AutoCloseStore, accounts: Mapping[str, str]) -> list[ApiRoute]:
    """Returns the routes. `accounts`: user names by account."""
    handlers = _Handlers(store, accounts)
    own: dict[str, Any] = {"path": PATH, "scope": Scope.TRADE}
    return [
        ApiRoute(method="GET", handler=handlers.look, answer=AutoCloses,
                 summary="What is sold when the copied trader closes his position.", **own),
        ApiRoute(method="POST", handler=handlers.change, body=AutoClose, answer=Changed, rate=Rate.CHANGE,
                 summary="Sells what an account has of a trader in a token when he closes his position, or does not.",
                 refusals={404: "there is no such account of yours"}, **own),
    ]  # fmt: skip
