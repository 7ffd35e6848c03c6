"""Who may look at what of a strategy, and the parameters that the reports share."""

from engine.api.bot_bodies import WALLET_ID_ALLOWED
from engine.api.errors import ApiError, not_found
from engine.api.params import Param, pattern, whole
from engine.api.route import Call
from protocols.errors import MalformedError
from protocols.ft_reports import FtReports, StrategyStanding
from protocols.strategies import WALLET_ID_PATTERN
from protocols.timestamps import epoch_ms
from protocols.users import Scope

UNKNOWN = {404: "there is no such strategy"}
REFUSALS = {404: "there is no such strategy, or it is another user's"}


def is_admin(call: Call) -> bool:
    """Returns whether the caller may see what belongs to others."""
    return Scope.ADMIN in call.principal.scopes


async def own_standing(reports: FtReports, call: Call, wallet_id: str) -> StrategyStanding:
    """Returns a strategy of the caller's, for administrators anybody's. Raises a 404."""
    standing = await known_standing(reports, wallet_id)
    if standing.strategy.owner_id != call.principal.user_id and not is_admin(call):
        raise _unknown()
    return standing


async def known_standing(reports: FtReports, wallet_id: str) -> StrategyStanding:
    """Returns a strategy, whoever's it is. Raises a 404."""
    standing = await reports.standing(wallet_id)
    if standing is None:
        raise _unknown()
    return standing


def _unknown() -> ApiError:
    return not_found("unknown_strategy", "there is no such strategy")


def wallet_id_param(name: str = "walletId", doc: str = "name of a strategy", **options: bool) -> Param:
    """Returns a parameter that is the name of a strategy."""
    return pattern(name, doc, WALLET_ID_PATTERN, allowed=WALLET_ID_ALLOWED, **options)


def name_cursor() -> Param:
    """Returns the cursor of a list in the order of names."""
    return wallet_id_param("cursor", "nextCursor of the page before")


def limit_param(default: int, at_most: int, what: str) -> Param:
    """Returns the length of a page."""
    return whole("limit", f"{what} on a page", at_least=1, at_most=at_most, default=default)


def moment_param(name: str, doc: str) -> Param:
    """Returns a parameter that is a time, in milliseconds."""

    def parse(text: str) -> int:
        try:
            return epoch_ms(text)
        except MalformedError:
            raise ValueError("must be seconds since the epoch or a time in ISO 8601, from 2019 to 2100") from None

    schema = {"anyOf": [{"type": "integer", "minimum": 1_546_300_800}, {"type": "string", "format": "date-time"}]}
    return Param(name=name, doc=doc, parse=parse, schema=schema)
