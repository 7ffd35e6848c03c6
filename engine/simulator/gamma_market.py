"""A market as Gamma shows it: JSON inside strings, fields that come and go (venue.md §3.2)."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from engine.simulator.market import ONE, Market, MarketState
from engine.simulator.seeds import digest, fraction
from engine.simulator.wire_numbers import decimal_text, micro_number

_REBATES = {"crypto": Decimal("0.2"), "sports": Decimal("0.15")}
# Recorded markets lack these as often: 44 and 100 of 292.
_WITHOUT_VOLUME = 0.15
_WITHOUT_BEST_BID = 0.34


def gamma_market(market: Market, now_ms: int, *, with_tags: bool = False) -> dict[str, object]:
    """Returns the object of `/markets`; tags only where they were asked for."""
    volume = micro_number(market.volume_micro)
    liquidity = Decimal(1_000 + digest("liquidity", market.market_id)[0] * 137)
    fields: dict[str, object] = {
        "id": market.market_id,
        "question": market.question,
        "conditionId": market.condition_id,
        "slug": market.slug,
        "resolutionSource": "",
        "endDate": iso(market.end_ms),
        "liquidity": decimal_text(liquidity),
        "startDate": iso(market.start_ms, micro=True),
        "image": market.icon,
        "icon": market.icon,
        "description": f"Simulated market: {market.question}",
        "outcomes": json.dumps(list(market.outcomes), ensure_ascii=False),
        "outcomePrices": json.dumps(shown_prices(market)),
        "active": True,
        "closed": market.state is not MarketState.OPEN,
        "marketMakerAddress": "",
        "createdAt": iso(market.start_ms, micro=True),
        "updatedAt": iso(now_ms, micro=True),
        "new": False,
        "featured": False,
        "archived": False,
        "restricted": True,
        "questionID": "0x" + digest("question", market.condition_id).hex(),
        "enableOrderBook": True,
        "orderPriceMinTickSize": market.tick_size,
        "orderMinSize": market.order_size_min,
        "volumeNum": volume,
        "liquidityNum": liquidity,
        "endDateIso": iso(market.end_ms)[:10],
        "startDateIso": iso(market.start_ms)[:10],
        "hasReviewedDates": True,
        "clobTokenIds": json.dumps(list(market.token_ids)),
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "acceptingOrders": market.state is MarketState.OPEN,
        "acceptingOrdersTimestamp": iso(market.start_ms),
        "negRisk": market.negative_risk,
        "negRiskOther": False,
        "secondsDelay": 0,
        "umaResolutionStatuses": json.dumps(["proposed"] if market.state is MarketState.CLOSED else []),
        "automaticallyActive": True,
        "automaticallyResolved": market.state is MarketState.RESOLVED,
        "feesEnabled": bool(market.fee_rate),
        "feeType": f"{market.category}_fees_v2",
        "version": "v1",
        "events": [_event(market)],
    }
    fields |= _quotes(market)
    fields |= _fee_schedule(market)
    if fraction("volume", market.condition_id) >= _WITHOUT_VOLUME:
        fields["volume"] = str(volume)
    if market.state is MarketState.CLOSED:
        fields["umaResolutionStatus"] = "proposed"
    if market.state is MarketState.RESOLVED:
        fields["umaResolutionStatus"] = "resolved"
        fields["umaEndDate"] = iso(market.closed_ms or now_ms)
    if market.game_start_ms is not None:
        fields["gameStartTime"] = odd_time(market.game_start_ms)
    if with_tags:
        fields["tags"] = _tags(market)
    if market.closed_ms is not None:
        fields["closedTime"] = odd_time(market.closed_ms)
    return fields


def shown_prices(market: Market) -> list[str]:
    """Returns the two prices as Gamma's strings: ``0.905``, ``1``."""
    return [decimal_text(market.price_of(index)) for index in (0, 1)]


def iso(epoch_ms: int, *, micro: bool = False) -> str:
    """Returns a time as ``2026-10-05T23:15:00Z``, with six decimals where Gamma prints them."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def odd_time(epoch_ms: int) -> str:
    """Returns a time in the format of `closedTime` and `gameStartTime`: ``2026-07-24 00:00:16+00``."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S+00")


def _event(market: Market) -> dict[str, object]:
    return {
        "id": str(int.from_bytes(digest("event", market.event_slug)[:3], "big")),
        "ticker": market.event_slug,
        "slug": market.event_slug,
        "title": market.question,
        "active": True,
        "closed": market.state is not MarketState.OPEN,
    }


def _tags(market: Market) -> list[dict[str, object]]:
    labels = [market.category.title(), "Games"] if market.game_start_ms is not None else [market.category.title()]
    return [
        {"id": str(int.from_bytes(digest("tag", label)[:2], "big")), "label": label, "slug": label.lower()}
        for label in labels
    ]


def _quotes(market: Market) -> dict[str, object]:
    """Returns best bid, ask and last trade: cached figures that stay in place after the end."""
    half = market.tick_size / 2
    steps = (market.price / market.tick_size).to_integral_value()
    bid = max(market.tick_size * (steps - 1), Decimal(0))
    ask = min(market.tick_size * (steps + 1), ONE)
    quotes: dict[str, object] = {"bestAsk": ask, "spread": ask - bid if ask > bid else half}
    if fraction("best bid", market.condition_id) >= _WITHOUT_BEST_BID:
        quotes["bestBid"] = bid
    if market.last_trade_price is not None:
        quotes["lastTradePrice"] = market.last_trade_price.quantize(Decimal("0.001")).normalize()
    return quotes


def _fee_schedule(market: Market) -> dict[str, object]:
    if not market.fee_rate:
        return {}
    rebate = _REBATES.get(market.category, Decimal("0.25"))
    schedule = {"exponent": 1, "rate": market.fee_rate, "takerOnly": True, "rebateRate": rebate}
    return {"feeSchedule": schedule}
