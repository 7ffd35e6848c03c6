"""Who may touch what of live trading: one's own with the scope of the route, anybody's with the scope admin, too."""

from collections.abc import Mapping

from engine.api.errors import ApiError, bad_field, not_found
from engine.api.ft_access import is_admin
from engine.api.params import Param, pattern
from engine.api.route import Call
from protocols.live.settings import LIVE_ID_ALLOWED, LIVE_ID_PATTERN

REFUSALS = {404: "there is no such live strategy, or it is another user's"}


def owner_filter(call: Call) -> str | None:
    """Returns the id of the user whose things are shown; None: everybody's."""
    return None if is_admin(call) else call.principal.user_id


def unknown_strategy() -> ApiError:
    """Returns the one answer to a strategy that is not there or not the caller's."""
    return not_found("unknown_strategy", "there is no such live strategy")


def own_account(call: Call, accounts: Mapping[str, str], name: str) -> None:
    """Raises a 404 unless the account is the caller's. `accounts`: user names by account.

    Also an administrator trades with his own accounts only: an account is money.
    """
    if accounts.get(name) != call.principal.user_name:
        raise ApiError(404, "unknown_account", "there is no such account of yours in live.accounts", "account")


def confirmed(is_confirmed: bool) -> None:
    """Raises a 400 unless the caller said that he means it."""
    if not is_confirmed:
        raise bad_field("confirm", "has to be true: this moves money")


def strategy_id_param(*, in_path: bool = False) -> Param:
    """Returns a parameter that is the id of a live strategy."""
    return pattern(
        "strategyId", "id of a live strategy", LIVE_ID_PATTERN, allowed=LIVE_ID_ALLOWED, required=in_path,
        in_path=in_path,
    )  # fmt: skip


def account_param() -> Param:
    """Returns a parameter that names an account."""
    allowed = "1 to 40 letters, digits, - _"
    return pattern("account", "name of an account", "[a-z0-9_-]{1,40}", allowed=allowed, required=True)
