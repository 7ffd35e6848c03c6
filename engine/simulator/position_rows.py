"""Positions in the two spellings of the Data API (venue.md §5)."""

from engine.simulator.data_rows import Row, in_camel_case
from engine.simulator.gamma_market import iso
from engine.simulator.positions import Position
from engine.simulator.seeds import digest
from engine.simulator.wire_numbers import MICRO


def position_v2(position: Position) -> Row:
    """Returns a row of `/v2/positions`; computed columns are doubles, as in the recorded ones."""
    market = position.market
    index = position.outcome_index
    total_micro = position.unrealized_micro + position.realized_micro
    return {
        "proxy_wallet": position.wallet,
        "token_id": market.token_ids[index],
        "condition_id": market.condition_id,
        "current_size": position.size_micro / MICRO,
        "avg_price": round(position.average_price, 6),
        "entry_cost_usdc": position.cost_micro / MICRO,
        "entry_fees_usdc": position.fees_micro / MICRO,
        "total_cost_usdc": (position.cost_micro + position.fees_micro) / MICRO,
        "current_price": float(position.price),
        "current_value": position.value_micro / MICRO,
        "total_size": position.bought_micro / MICRO,
        "realized_pnl": position.realized_micro / MICRO,
        "unrealized_pnl": position.unrealized_micro / MICRO,
        "total_pnl": total_micro / MICRO,
        "percent_pnl": percent(position.unrealized_micro, position.cost_micro),
        "percent_realized_pnl": percent(position.realized_micro, position.paid_micro),
        "status": position.status,
        "redeemable": position.redeemable,
        "mergeable": position.mergeable,
        "negative_risk": market.negative_risk,
        "archived": False,
        "title": market.question,
        "slug": market.slug,
        "icon": market.icon,
        "event_id": event_id(position),
        "event_slug": market.event_slug,
        "outcome": market.outcomes[index],
        "outcome_index": index,
        "opposite_outcome": market.outcomes[1 - index],
        "opposite_token_id": market.token_ids[1 - index],
        "end_date": iso(market.end_ms)[:10],
        "last_event_at": position.last_event_s,
        "name": position.profile.name,
        "profile_image": position.profile.profile_image,
        "verified": False,
    }


def position_v1(position: Position) -> Row:
    """Returns a row of the v1 `/positions`."""
    market = position.market
    index = position.outcome_index
    return {
        "proxyWallet": position.wallet,
        "asset": market.token_ids[index],
        "conditionId": market.condition_id,
        "size": position.size_micro / MICRO,
        "avgPrice": round(position.average_price, 6),
        "initialValue": position.cost_micro / MICRO,
        "currentValue": position.value_micro / MICRO,
        "cashPnl": position.unrealized_micro / MICRO,
        "percentPnl": percent(position.unrealized_micro, position.cost_micro),
        "totalBought": position.bought_micro / MICRO,
        "realizedPnl": position.realized_micro / MICRO,
        "percentRealizedPnl": percent(position.realized_micro, position.paid_micro),
        "curPrice": float(position.price),
        "redeemable": position.redeemable,
        "mergeable": position.mergeable,
        "title": market.question,
        "slug": market.slug,
        "icon": market.icon,
        "eventId": event_id(position),
        "eventSlug": market.event_slug,
        "outcome": market.outcomes[index],
        "outcomeIndex": index,
        "oppositeOutcome": market.outcomes[1 - index],
        "oppositeAsset": market.token_ids[1 - index],
        "endDate": iso(market.end_ms)[:10],
        "negativeRisk": market.negative_risk,
    }


def closed_position_v1(position: Position) -> Row:
    """Returns a row of the v1 `/closed-positions`."""
    market = position.market
    index = position.outcome_index
    return {
        "proxyWallet": position.wallet,
        "asset": market.token_ids[index],
        "conditionId": market.condition_id,
        "avgPrice": round(position.average_price, 6),
        "totalBought": position.bought_micro / MICRO,
        "realizedPnl": position.realized_micro / MICRO,
        "curPrice": float(position.price),
        "title": market.question,
        "slug": market.slug,
        "icon": market.icon,
        "eventSlug": market.event_slug,
        "outcome": market.outcomes[index],
        "outcomeIndex": index,
        "oppositeOutcome": market.outcomes[1 - index],
        "oppositeAsset": market.token_ids[1 - index],
        "endDate": iso(market.end_ms),
        "timestamp": position.last_event_s,
    }


def value_rows(wallet: str, positions: list[Position]) -> Row:
    """Returns what a wallet's open holdings are worth."""
    return {"proxy_wallet": wallet, "value": sum(position.value_micro for position in positions) / MICRO}


def value_v1(wallet: str, positions: list[Position]) -> Row:
    """Returns the same in the spelling of v1."""
    row = in_camel_case(value_rows(wallet, positions))
    return {"user": row["proxyWallet"], "value": row["value"]}


def event_id(position: Position) -> str:
    """Returns the numeric id of a market's event."""
    return str(int.from_bytes(digest("event", position.market.event_slug)[:3], "big"))


def percent(part: int, whole: int) -> float:
    """Returns a percentage with 4 decimals; 0 of nothing."""
    return round(100 * part / whole, 4) if whole else 0.0
