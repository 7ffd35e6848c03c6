"""A trader: what he earned, holds and did, who copies him."""

import re
from collections.abc import Mapping
from typing import Any

from engine.api.errors import ApiError
from engine.pages.copying_panel import copying_of
from engine.pages.page import Page, Visit
from engine.pages.trader_charts import days_chart, days_of, total_chart

ROWS = 50
TABS = (
    ("overview", "Overview"),
    ("copying", "Copying him"),
    ("open", "Open positions"),
    ("closed", "Closed positions"),
    ("trades", "Trades"),
    ("markets", "Markets"),
    ("activity", "Activity"),
)
MARKET_SORTS = (("recent", "Last touched"), ("realized", "Realised profit"), ("bought", "Cost"))
OPEN_SORTS = (("value", "Value"), ("opened", "Opened"))
REASONS = {"manual_close": "sold", "market_closed": "market closed", "redeemed": "redeemed"}
FRESH = (
    ("leaderboard", "Leaderboard"),
    ("rankings", "Windows and ranks"),
    ("records", "Records of trades seen"),
    ("positions", "Open positions"),
    ("trades", "Trades read up to"),
    ("closed", "Closed positions"),
    ("daily", "Profit by day"),
)
_WALLET = re.compile("0x[0-9a-f]{40}")


def trader_pages() -> list[Page]:
    """Returns the profile, and the form that leads to one."""
    return [
        Page(path="/v2/trader", template="trader.html", title="Trader", nav="discover", load=_trader),
        Page(path="/v2/trader/{wallet}", template="trader.html", title="Trader", nav="discover", load=_trader),
    ]


async def _trader(visit: Visit) -> Mapping[str, Any]:
    wallet = (visit.path_params.get("wallet") or visit.query.get("wallet", "")).strip().lower()
    context: dict[str, Any] = {"wallet": wallet, "profile": None, "is_wallet": bool(_WALLET.fullmatch(wallet))}
    if not context["is_wallet"]:
        return context | {"http_status": 404 if visit.path_params else 200}
    path = f"/api/traders/{wallet}"
    try:
        profile = await visit.ask(path)
    except ApiError as error:
        if error.code != "unknown_trader":
            raise
        return context | {"http_status": 404}
    tab = visit.query.get("tab", "overview")
    known = tab if tab in dict(TABS) else "overview"
    days = days_of(profile["daily"])
    return context | {
        "title": profile["name"] or f"Trader {wallet[:8]}",
        "profile": profile,
        "tab": known,
        "tabs": TABS,
        "list": await _list(visit, path, known),
        "copying": await copying_of(visit, path) if known in ("copying", "overview") else None,
        "fresh": FRESH,
        "reasons": REASONS,
        "open_sorts": OPEN_SORTS,
        "market_sorts": MARKET_SORTS,
        "by_day": days_chart(days) if days and known == "overview" else None,
        "added_up": total_chart(days) if days and known == "overview" else None,
    }


async def _list(visit: Visit, path: str, tab: str) -> Any:
    """Returns a page of the list of a tab; the overview has none of its own."""
    query, cursor = visit.query, visit.query.get("cursor")
    if tab == "open":
        sort = query.get("sort") or OPEN_SORTS[0][0]
        return await visit.ask(path + "/positions", state="open", sort=sort, limit=ROWS, cursor=cursor)
    if tab == "closed":
        return await visit.ask(path + "/positions", state="closed", limit=ROWS, cursor=cursor)
    if tab == "trades":
        return await visit.ask(path + "/trades", limit=ROWS, cursor=cursor)
    if tab == "markets":
        sort = query.get("sort") or MARKET_SORTS[0][0]
        return await visit.ask(path + "/markets", sort=sort, limit=ROWS, cursor=cursor)
    if tab == "activity":
        return await visit.ask(path + "/activity", limit=ROWS, cursor=cursor)
    return None
