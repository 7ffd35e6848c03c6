"""The feed: what followed traders do, as it happens."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from actors.rules.feed_filter import CATEGORIES
from engine.api.errors import bad_field
from engine.pages.page import Page, Visit
from engine.pages.quick_copy import quick_copy
from engine.pages.reasons import GOOD, reason_label, reason_text

PAGE_TRADES = 50
NAMES_MAX = 200
"""So many traders and strategies are offered in the filters."""
EXPLAINED_MAX = 8
"""Of so many strategies every gate is shown."""
TABS = (("", "All"), ("fire", "Fire"), ("copied", "Copied"))
WITHIN_H = ((1, "1 hour"), (6, "6 hours"), (24, "1 day"), (72, "3 days"), (168, "1 week"), (720, "30 days"))
COPIED_EVERY_S = 20
_SAME = ("category", "live", "held", "usdMin", "scoreMin", "endsWithinH", "strategy", "side")
"""Filters that are called the same in the address of the page and in the API."""


def feed_pages() -> list[Page]:
    """Returns the feed and its pieces."""
    piece: dict[str, Any] = {"nav": "feed", "part": True}
    return [
        Page(path="/v2/feed", template="feed.html", title="Feed", nav="feed", load=_feed),
        Page(path="/v2/feed/filters", template="feed_filters.html", title="Filters", load=_filter_form, **piece),
        Page(path="/v2/feed/why/{trade_id}", template="feed_why.html", title="Why", load=_why, **piece),
        Page(path="/v2/feed/signal/{trade_id}", template="feed_signal.html", title="PolySignal", load=_card, **piece),
        Page(path="/v2/feed/copy/{trade_id}", template="feed_copy.html", title="Copy", load=quick_copy, **piece),
        Page(path="/v2/feed/card/{trade_id}", template="feed_card.html", title="Trade", load=_card, **piece),
    ]


async def _feed(visit: Visit) -> Mapping[str, Any]:
    query = visit.query
    tab = query.get("tab", "")
    filters = _filters(visit)
    if tab == "fire":
        page = await visit.ask("/api/fire-feed", limit=PAGE_TRADES, cursor=query.get("cursor"))
    else:
        page = await visit.ask(
            "/api/v2/feed/trades", limit=PAGE_TRADES, cursor=query.get("cursor"), signal=1, **filters
        )
    filtered = bool(filters.keys() - {"copied"})
    follows = await visit.part("/api/follows", limit=NAMES_MAX) if tab else None
    is_first = "cursor" not in query
    return {
        "page": page,
        "tab": tab,
        "tabs": TABS,
        "followed": {one["wallet"] for one in follows["follows"]} if follows else set(),
        "filtered": filtered,
        "address": urlencode({"tab": tab} if tab else {}),
        **(await _filter_form(visit) if filtered else {}),
        "is_first": is_first,
        "stream": f"/api/v2/feed/cards?{urlencode(filters, doseq=True)}" if is_first and tab == "" else "",
        "again_s": COPIED_EVERY_S if is_first and tab else 0,
    }


async def _filter_form(visit: Visit) -> Mapping[str, Any]:
    """Returns what the filters offer. Their form is read when somebody opens it, so that the page itself waits for nothing."""
    strategies = await visit.part("/api/ft/wallets", limit=NAMES_MAX)
    name = visit.principal.user_name
    return {
        "tab": visit.query.get("tab", ""),
        "filtered": bool(_filters(visit).keys() - {"copied"}),
        "follows": await visit.part("/api/follows", limit=NAMES_MAX),
        "strategies": [one for one in strategies["wallets"] if one["owner"] == name] if strategies else [],
        "categories": tuple(CATEGORIES),
        "within": WITHIN_H,
        "wallets": visit.query_lists.get("wallet", ()),
    }


def _filters(visit: Visit) -> dict[str, Any]:
    """Returns the filters in the address as the API takes them. Prices stand in cents there, as on the cards."""
    query = visit.query
    filters: dict[str, Any] = {name: query[name] for name in _SAME if query.get(name)}
    for name, cents in (("priceMin", "from"), ("priceMax", "to")):
        if query.get(cents):
            filters[name] = _price(cents, query[cents])
    wallets = tuple(text.strip() for text in visit.query_lists.get("wallet", ()) if text.strip())
    if wallets:
        filters["wallet"] = wallets
    if query.get("tab") == "copied":
        filters["copied"] = 1
    return filters


def _price(name: str, text: str) -> str:
    try:
        cents = Decimal(text.strip())
    except InvalidOperation:
        cents = Decimal(-1)
    if not cents.is_finite() or not 0 <= cents <= 100:
        raise bad_field(name, "must be a price in cents, from 0 to 100")
    return f"{cents / 100:f}"


async def _card(visit: Visit) -> Mapping[str, Any]:
    return {"trade": await visit.ask(f"/api/v2/feed/trades/{visit.path_params['trade_id']}"), "followed": None}


async def _why(visit: Visit) -> Mapping[str, Any]:
    path = f"/api/trades/{visit.path_params['trade_id']}/why"
    why = await visit.ask(path)
    results = [result for part in why["parts"] for result in part["results"]]
    explained = []
    for result in results[:EXPLAINED_MAX]:
        told = await visit.part(path, walletId=result["walletId"]) if result["walletId"] else None
        explained.append({**result, **_gates(told, result["walletId"])})
    return {
        "why": why,
        "results": explained,
        "more": results[EXPLAINED_MAX:],
        "good": GOOD,
        "label": reason_label,
        "text": reason_text,
    }


def _gates(told: Any, wallet_id: str | None) -> Mapping[str, Any]:
    """Returns the gates of one strategy and why there are none."""
    if not told:
        return {"gates": None, "note": told.message if told is not None else "the strategy is gone"}
    own = [one for part in told["parts"] for one in part["results"] if one["walletId"] == wallet_id]
    return {"gates": own[0]["gates"], "note": own[0]["note"]} if own else {"gates": None, "note": None}
