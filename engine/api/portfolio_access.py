"""Whose portfolio is looked at, and the parameters that its routes share."""

import attrs

from actors.rules.feed_cursor import TEXT_CHARS_MAX, position_in
from engine.api.errors import ApiError, not_found
from engine.api.ft_access import is_admin
from engine.api.params import Param, pattern
from engine.api.route import Call
from protocols.live.settings import LIVE_ID_ALLOWED, LIVE_ID_PATTERN
from protocols.portfolio import FindAccounts, OrderCursor, PortfolioQuery, PortfolioStore
from protocols.users import USER_NAME_PATTERN

REFUSALS = {404: "there is no such user, or only administrators may look at his portfolio"}


@attrs.frozen
class Access:
    """Own copies, with the scope admin those of anybody."""

    store: PortfolioStore
    accounts_of: FindAccounts

    async def query(self, call: Call) -> PortfolioQuery:
        """Returns whose copies a call is about, with its filters. Raises a 404."""
        name, user_id = call.principal.user_name, call.principal.user_id
        wanted = call.params.get("user")
        if wanted is not None and wanted != name:
            found = await self.store.user_id_of(wanted) if is_admin(call) else None
            if found is None:
                raise ApiError(404, "unknown_user", "there is no such user whose portfolio you may see", "user")
            name, user_id = wanted, found
        return PortfolioQuery(
            user_id=user_id,
            accounts=self.accounts_of(name),
            strategy_id=call.params.get("strategyId"),
            account=call.params.get("account"),
        )


def unknown_copy() -> ApiError:
    """Returns the one answer to a recorded copy that is not there or not the caller's."""
    return not_found("unknown_copy", "there is no such recorded copy of yours")


def user_param() -> Param:
    """Returns the parameter by which administrators name a user."""
    allowed = "1 to 64 letters, digits and _ . @ -"
    return pattern("user", "whose; others only with the scope admin", USER_NAME_PATTERN, allowed=allowed)


def filter_params() -> tuple[Param, ...]:
    """Returns whose copies, and which of them."""
    account = "[a-z0-9_-]{1,40}"
    return (
        user_param(),
        pattern("strategyId", "only those of a live strategy", LIVE_ID_PATTERN, allowed=LIVE_ID_ALLOWED),
        pattern("account", "only those of an account at the venue", account, allowed="1 to 40 letters, digits, - _"),
    )


def copy_id_param() -> Param:
    """Returns the id of a recorded copy, in the path."""
    doc, form = "id of a recorded copy", "[A-Za-z0-9_.:-]{1,100}"
    return pattern("orderId", doc, form, allowed="1 to 100 letters, digits and _ . : -", required=True, in_path=True)


def trade_cursor() -> Param:
    """Returns the cursor of a list of copied orders; its value is an `OrderCursor`."""

    def parse(text: str) -> OrderCursor:
        position = position_in(text)
        return OrderCursor(at_us=position.trade_us, order_id=position.trade_id)

    schema = {"type": "string", "maxLength": TEXT_CHARS_MAX}
    return Param(name="cursor", doc="nextCursor of the page before", parse=parse, schema=schema)
