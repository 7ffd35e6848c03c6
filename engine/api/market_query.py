"""How a request names markets, and what an answer says of one."""

from typing import Any

import msgspec

from actors.rules.price_freshness import MAX_AGE_MS, TIERS_MS
from engine.api.errors import ApiError, bad_field, not_found
from engine.api.params import choice, condition_id, pattern, whole
from engine.api.route import Call
from protocols.prices import MarketFacts, MarketKey, MarketName
from protocols.trades import canonical_condition_id

MARKETS_MAX = 100
CONDITION = condition_id()
SLUG = pattern("slug", "slug of a market", "[A-Za-z0-9][A-Za-z0-9_.%-]{0,199}", allowed="the slug of a market")
TOKEN = pattern("token", "token id of an outcome", "[0-9]{1,78}", allowed="a token id, decimal digits")
MAX_AGE = whole(
    "maxAgeMs", "oldest price wanted; below the time to live it is that", at_least=0, at_most=MAX_AGE_MS, default=None
)
TIER = choice("tier", "an older name for some values of maxAgeMs, which goes before it", *TIERS_MS)
_NAMES = ("conditionId", "slug", "token")


class MarketPrice(MarketFacts, frozen=True, rename="camel", kw_only=True):
    """A market with its prices and their age. What no source says is null."""

    resolved: bool
    """Prices are payouts; they never change again."""
    source: str
    """`gamma`, `clob` or `database`."""
    as_of: str | None
    """When the source was asked."""
    age_ms: int | None
    stale: bool
    """True when no upstream gave a newer price."""


class MarketAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """One market."""

    success: bool
    market: MarketPrice


class PriceAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`market` when one was asked for, else the other three."""

    success: bool
    market: MarketPrice | msgspec.UnsetType = msgspec.UNSET
    markets: list[MarketPrice] | msgspec.UnsetType = msgspec.UNSET
    missing: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Ids, as they were asked for, that no market has."""
    unavailable: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Ids of which nothing is known and that nobody could be asked for just now."""


def one_name(params: Any) -> str | MarketName:
    """Returns the one market that a request names: a canonical condition id, a slug or a token. Raises a 400."""
    given = [name for name in _NAMES if params[name]]
    if len(given) != 1:
        raise bad_field(given[1] if given else "conditionId", f"exactly one of {', '.join(_NAMES)} is needed")
    if given[0] == "slug":
        return MarketName(MarketKey.SLUG, params["slug"])
    if given[0] == "token":
        return MarketName(MarketKey.TOKEN, params["token"])
    asked = params["conditionId"]
    return canonical_condition_id(asked if isinstance(asked, str) else asked[0])


def max_age_ms(call: Call) -> int:
    """Returns the oldest age that will do."""
    age_ms = call.params["maxAgeMs"]
    if age_ms is None:
        age_ms = TIERS_MS.get(call.params["tier"] or "", 0)
    return int(age_ms)


def unknown_market(what: str = "the venue has no such market") -> ApiError:
    """Returns the 404."""
    return not_found("unknown_market", what)
