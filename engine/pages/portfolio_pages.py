"""The portfolio: what one's copies came to and are worth, and what may be done about them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from engine.api.errors import bad_field
from engine.pages.page import Page, Visit
from engine.pages.trader_charts import Days, days_chart, days_of, total_chart
from protocols.users import Scope

ROWS = 50
MANUAL, RECORDED = "manual:", "recorded:"
TABS = (
    ("open", "Open positions"),
    ("closed", "Closed positions"),
    ("trades", "Trades"),
    ("traders", "Top traders"),
)
PERIODS = (("1D", 1), ("7D", 7), ("30D", 30), ("1Y", 365), ("ALL", None))
"""Names, and days up to today; the names are those of the summaries of the API."""
PERIOD_DEFAULT = "30D"
SHORT_DAYS = 30
"""Periods up to this one are drawn in full, longer ones from the first day with a copy on."""
REASONS = {
    "fees": "The venue counts prices alone; ours has the fees in it.",
    "fills outside the engine": "The venue counts fills that this engine did not make, or sales of what it did not buy.",
    "not redeemed yet": "We count a payout when the market is resolved, the venue when it is redeemed.",
    "not synced since": "Something happened after the venue was asked last.",
    "unexplained": "Nothing that is known explains it.",
}
KINDS = (("live", "Live strategies"), ("manual", "By hand"), ("recorded", "Recorded"))
SOURCES = {
    "quote": "a quote, at most 3 s old",
    "current_price": "the price kept with the copy",
    "market": "the price stored with the market",
}


def portfolio_pages() -> list[Page]:
    """Returns the portfolio and its pieces."""
    return [
        Page(path="/portfolio", template="portfolio.html", title="Portfolio", nav="portfolio", load=_portfolio),
        Page(path="/portfolio/record", template="portfolio_record.html", title="Record a copy", nav="portfolio", load=_record),
        Page(path="/portfolio/sell", template="portfolio_sell.html", title="Sell", nav="portfolio", load=_sell,
             scope=Scope.TRADE, part=True),
    ]  # fmt: skip


async def _portfolio(visit: Visit) -> Mapping[str, Any]:
    query = visit.query
    filters = {name: query.get(name) or None for name in ("strategyId", "account")}
    tab = query.get("tab", "open")
    tab = tab if tab in dict(TABS) else "open"
    period = query.get("period", PERIOD_DEFAULT)
    period = period if period in dict(PERIODS) else PERIOD_DEFAULT
    rows = await _rows(visit, tab, filters)
    realized = await visit.part("/api/portfolio/realized-pnl", **filters)
    live = await visit.part("/api/lt/status")
    strategies = await visit.part("/api/lt/strategies")
    accounts = {one["account"] for one in live["accounts"]} if live else set()
    accounts |= {one["account"] for one in strategies["strategies"]} if strategies else set()
    return {
        "stats": await visit.part("/api/portfolio/stats", **filters),
        "realized": realized,
        "charts": _charts(realized, period) if realized else None,
        "tab": tab,
        "tabs": TABS,
        "period": period,
        "periods": [name for name, _ in PERIODS],
        "rows": rows,
        "filters": filters,
        "is_filtered": any(filters.values()) or bool(visit.query.get("kind")),
        "kinds": KINDS,
        "accounts": sorted(accounts | {filters["account"]} - {None}),
        "strategies": strategies["strategies"] if strategies else [],
        "is_trading": bool(live) and live["isTrading"],
        "auto_closes": await _auto_closes(visit) if tab == "open" else {},
        "reasons": REASONS,
        "sources": SOURCES,
        "query_text": _query_text,
    }


async def _rows(visit: Visit, tab: str, filters: Mapping[str, str | None]) -> Any:
    cursor = visit.query.get("cursor")
    if tab == "trades":
        return await visit.ask(
            "/api/portfolio/trades", pageSize=ROWS, cursor=cursor, kind=visit.query.get("kind") or None, **filters
        )
    if tab == "traders":
        return _page_of_traders(await visit.ask("/api/portfolio/top-traders", **filters), cursor)
    return await visit.ask("/api/portfolio/positions", state=tab, limit=ROWS, cursor=cursor, **filters)


def _page_of_traders(answer: Mapping[str, Any], cursor: str | None) -> Mapping[str, Any]:
    """Returns a page of the list, which the API tells at once. The cursor is the wallet before it, or `-` for nobody."""
    traders: Sequence[Mapping[str, Any]] = answer["traders"]
    begin = 0
    if cursor is not None:
        names = [one["wallet"] or "-" for one in traders]
        if cursor not in names:
            raise bad_field("cursor", "is of no page of this list any more")
        begin = names.index(cursor) + 1
    page = traders[begin : begin + ROWS]
    has_more = len(traders) > begin + ROWS
    return {"traders": page, "nextCursor": (page[-1]["wallet"] or "-") if has_more else None}


async def _auto_closes(visit: Visit) -> Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]:
    """Returns what is sold with its trader, by account and token; nothing for who may not trade."""
    found = await visit.part("/api/polymarket/orders/auto-close")
    armed: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in found["autoCloses"] if found else []:
        armed.setdefault((one["account"], one["tokenId"]), []).append(one)
    return armed


def _charts(realized: Mapping[str, Any], period: str) -> Mapping[str, Any] | None:
    """Returns the gains within a period by day and added up, or None when nothing was realised in it."""
    days, today = dict(days_of(realized["daily"])), date.fromisoformat(realized["asOf"][:10])
    length = dict(PERIODS)[period]
    if not days:
        return None
    begin = min(days)
    if length is not None and length <= SHORT_DAYS:
        begin = today - timedelta(days=length - 1)
    elif length is not None:
        begin = max(begin, today - timedelta(days=length - 1))
    # On a day without a fill or a resolution nothing was realised: here, unlike with traders, that is known.
    every = [begin + timedelta(days=number) for number in range((today - begin).days + 1)]
    within: Days = [(day, days.get(day, Decimal(0))) for day in every]
    busy = [days[day] for day in every if day in days]
    if not busy:
        return None
    return {
        "by_day": days_chart(within),
        "added_up": total_chart(within),
        "total": sum(busy, Decimal(0)),
        "days": len(busy),
    }


def _query_text(**params: object) -> str:
    """Returns parameters for a link; those that are None or empty are left out."""
    return urlencode({name: value for name, value in params.items() if value not in (None, "")})


async def _record(visit: Visit) -> Mapping[str, Any]:
    """Returns nothing of its own: a link may fill the form in."""
    names = ("conditionId", "outcome", "side", "price", "shares", "trader")
    return {"given": {name: visit.query.get(name, "") for name in names}}


async def _sell(visit: Visit) -> Mapping[str, Any]:
    query = visit.query
    live = await visit.ask("/api/lt/status")
    book = await visit.part("/api/polymarket/book", token=query.get("tokenId", ""))
    return {
        "given": {
            name: query.get(name, "") for name in ("account", "conditionId", "tokenId", "shares", "outcome", "title")
        },
        "is_trading": live["isTrading"],
        "book": book["book"] if book else book,
    }
