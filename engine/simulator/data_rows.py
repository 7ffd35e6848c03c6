"""Rows of the Data API in both spellings (venue.md §5)."""

from engine.simulator.account_events import PAYMENTS, AccountEvent
from engine.simulator.ledger import Fill
from engine.simulator.wire_numbers import micro_number, ten_places

Row = dict[str, object]
OUTCOME_INDEX_SENTINEL = 999


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
    """Returns a row of `/v2/activity` that is a trade."""
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


def event_v2(event: AccountEvent) -> Row:
    """Returns a row of `/v2/activity` that is no trade: no token, no side, no price, and the sentinel for the outcome."""
    market = None if event.kind in PAYMENTS else event.market
    return {
        "proxy_wallet": event.wallet,
        "timestamp": event.block_s,
        "condition_id": market.condition_id if market is not None else "",
        "type": event.kind.value,
        "size": micro_number(event.size_micro),
        "usdc_size": micro_number(event.size_micro),
        "transaction_hash": event.transaction_hash,
        "price": 0,
        "token_id": "",
        "side": "",
        "outcome_index": OUTCOME_INDEX_SENTINEL,
        "title": market.question if market is not None else "",
        "slug": market.slug if market is not None else "",
        "icon": market.icon if market is not None else "",
        "event_slug": market.event_slug if market is not None else "",
        "outcome": "",
        "name": event.profile.name,
        "pseudonym": event.profile.pseudonym,
        "bio": event.profile.bio,
        "profile_image": event.profile.profile_image,
        "profile_image_optimized": "",
    }


def deed_v2(deed: Fill | AccountEvent) -> Row:
    """Returns a row of `/v2/activity`."""
    return activity_v2(deed) if isinstance(deed, Fill) else event_v2(deed)


_V1_NAMES = {"token_id": "asset", "usdc_size": "usdcSize"}


def in_camel_case(row: Row) -> Row:
    """Returns a row in the spelling of v1: camel case, and `asset` for the token."""
    return {_V1_NAMES.get(name) or _camel(name): value for name, value in row.items()}


def trade_v1(fill: Fill) -> Row:
    """Returns a row of the v1 `/trades`."""
    return in_camel_case(trade_v2(fill))


def deed_v1(deed: Fill | AccountEvent) -> Row:
    """Returns a row of the v1 `/activity`."""
    return in_camel_case(deed_v2(deed))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
