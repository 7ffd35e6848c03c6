"""Rows of the Data API in both spellings (venue.md §5)."""

from engine.simulator.ledger import Fill
from engine.simulator.wire_numbers import micro_number, ten_places

Row = dict[str, object]


def trade_v2(fill: Fill) -> Row:
    """Returns a row of `/v2/trades`: snake case, lower-case wallet, price with at most 10 decimals."""
    market = fill.market
    return {
        "proxy_wallet": fill.wallet,
        "side": fill.side,
        "token_id": fill.token_id,
        "condition_id": market.condition_id,
        "size": micro_number(fill.size_micro),
        "price": ten_places(fill.price),
        "timestamp": fill.block_s,
        "title": market.question,
        "slug": market.slug,
        "icon": market.icon,
        "event_slug": market.event_slug,
        "outcome": market.outcomes[fill.outcome_index],
        "outcome_index": fill.shown_outcome_index,
        "name": fill.profile.name,
        "pseudonym": fill.profile.pseudonym,
        "bio": fill.profile.bio,
        "profile_image": fill.profile.profile_image,
        "profile_image_optimized": "",
        "transaction_hash": fill.transaction_hash,
    }


def activity_v2(fill: Fill) -> Row:
    """Returns a row of `/v2/activity`."""
    market = fill.market
    return {
        "proxy_wallet": fill.wallet,
        "timestamp": fill.block_s,
        "condition_id": market.condition_id,
        "type": "TRADE",
        "size": micro_number(fill.size_micro),
        "usdc_size": micro_number(fill.notional_micro),
        "transaction_hash": fill.transaction_hash,
        "price": ten_places(fill.price),
        "token_id": fill.token_id,
        "side": fill.side,
        "outcome_index": fill.shown_outcome_index,
        "title": market.question,
        "slug": market.slug,
        "icon": market.icon,
        "event_slug": market.event_slug,
        "outcome": market.outcomes[fill.outcome_index],
        "name": fill.profile.name,
        "pseudonym": fill.profile.pseudonym,
        "bio": fill.profile.bio,
        "profile_image": fill.profile.profile_image,
        "profile_image_optimized": "",
    }


_V1_NAMES = {"token_id": "asset", "usdc_size": "usdcSize"}


def in_camel_case(row: Row) -> Row:
    """Returns a row in the spelling of v1: camel case, and `asset` for the token."""
    return {_V1_NAMES.get(name) or _camel(name): value for name, value in row.items()}


def trade_v1(fill: Fill) -> Row:
    """Returns a row of the v1 `/trades`."""
    return in_camel_case(trade_v2(fill))


def activity_v1(fill: Fill) -> Row:
    """Returns a row of the v1 `/activity`."""
    return in_camel_case(activity_v2(fill))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
