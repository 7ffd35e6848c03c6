"""Bots: what each strategy of forward testing is, how it does, what it decided, and its settings."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.pages.decision_words import TAKEN, reason_text
from engine.pages.page import Page, Visit
from engine.pages.setting_form import BOT_GROUPS, setting_groups
from engine.pages.strategy_charts import days_chart, equity_chart

PAGE_BOTS, PAGE_ORDERS, PAGE_VERSIONS, PAGE_DAYS = 48, 50, 20, 100
RISKS = ("CONSERVATIVE", "MODERATE", "AGGRESSIVE")
CATEGORIES = ("SPORTS", "CRYPTO", "POLITICS", "FINANCE", "LIVE")
OUTCOMES = ("OPEN", "WON", "LOST", "SOLD", "VOID")
TABS = (("overview", "Overview"), ("trades", "Trades"), ("days", "Days"), ("signals", "Signals"), ("settings", "Settings"),
        ("versions", "Versions"))  # fmt: skip
RANGES = (("1d", "1 day", 1), ("7d", "7 days", 7), ("30d", "30 days", 30))


def bot_pages() -> list[Page]:
    """Returns the pages. A bot's page also stands among the forward tests, under `/ft/`."""
    return [
        Page(path="/v2/bots", template="bots.html", title="Bots", nav="bots", load=_bots),
        Page(path="/v2/new-bot", template="bot_new.html", title="New bot", nav="bots", load=_new),
        Page(path="/v2/bots/{wallet_id}", template="bot.html", title="Bot", nav="bots", load=_bot),
    ]


async def _bots(visit: Visit) -> Mapping[str, Any]:
    query = visit.query
    risk, category = query.get("risk") or None, query.get("category") or None
    page = await visit.ask("/api/v2/bots", limit=PAGE_BOTS, cursor=query.get("cursor"), risk=risk, category=category)
    return {
        "page": page, "risks": RISKS, "categories": CATEGORIES, "risk": risk, "category": category,
        "mirrors": await live_by_bot(visit),
    }  # fmt: skip


async def _new(visit: Visit) -> Mapping[str, Any]:
    found = await visit.ask("/api/ft/templates")
    return {"templates": found["templates"]}


async def bot_page(visit: Visit) -> Mapping[str, Any]:
    """Returns what the page of one bot shows, by its tab."""
    wallet_id = visit.path_params["wallet_id"]
    tab = visit.query.get("tab") or "overview"
    if tab not in dict(TABS):
        tab = "overview"
    detail = await visit.ask(f"/api/ft/wallets/{wallet_id}")
    figures = detail["wallet"]
    shown = {
        "bot": figures, "detail": detail, "tabs": TABS, "tab": tab, "title": figures["displayName"] or wallet_id,
        "mirror": (await live_by_bot(visit)).get(wallet_id),
    }  # fmt: skip
    more = await _OF_TAB[tab](visit, wallet_id, detail)
    return {**shown, **more}


_bot = bot_page


async def _overview(visit: Visit, wallet_id: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
    found = await visit.part(f"/api/v2/bots/{wallet_id}")
    days = {name: count for name, _, count in RANGES}
    chosen = visit.query.get("range")
    chosen = chosen if chosen in days else "30d"
    curve = since(found["equity"], days[chosen]) if found else []
    return {
        "card": found, "curve": curve, "ranges": RANGES, "range": chosen, "curve_svg": equity_chart(curve),
        "days_svg": days_chart(detail["daily"]),
    }  # fmt: skip


async def _trades(visit: Visit, wallet_id: str, _detail: Mapping[str, Any]) -> Mapping[str, Any]:
    outcome = visit.query.get("outcome") or None
    page = await visit.ask(
        "/api/ft/orders", walletId=wallet_id, outcome=outcome, limit=PAGE_ORDERS, cursor=visit.query.get("cursor")
    )
    return {"page": page, "outcome": outcome, "outcomes": OUTCOMES}


async def _days(visit: Visit, wallet_id: str, _detail: Mapping[str, Any]) -> Mapping[str, Any]:
    cursor = visit.query.get("cursor")
    page = await visit.ask("/api/ft/daily-stats", walletId=wallet_id, limit=PAGE_DAYS, cursor=cursor)
    return {"page": page, "days_svg": days_chart(page["days"])}


async def _signals(visit: Visit, wallet_id: str, _detail: Mapping[str, Any]) -> Mapping[str, Any]:
    found = await visit.ask(f"/api/v2/bots/{wallet_id}/signals", limit=PAGE_ORDERS, cursor=visit.query.get("cursor"))
    kind = visit.query.get("kind") or ""
    signals = [
        {**one, "isTaken": one["reason"] in TAKEN, "text": reason_text(one["reason"])} for one in found["signals"]
    ]
    if kind in ("taken", "skipped"):
        signals = [one for one in signals if one["isTaken"] == (kind == "taken")]
    return {"signals": signals, "kind": kind, "cursor": found["nextCursor"]}


async def _settings(visit: Visit, _wallet_id: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
    described = await visit.ask("/api/ft/settings")
    return {"groups": setting_groups(described["settings"], detail["settings"], BOT_GROUPS)}


async def _versions(visit: Visit, wallet_id: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
    before = visit.query.get("cursor")
    # One more than is shown, so that the last one of a page knows what it was made of.
    found = await visit.ask(f"/api/ft/wallets/{wallet_id}/versions", limit=PAGE_VERSIONS + 1, before=before)
    rows = found["versions"]
    shown = [
        {**new, "changes": _changes(old["settings"], new["settings"]) if old else None}
        for new, old in zip(rows, [*rows[1:], None], strict=True)
    ][:PAGE_VERSIONS]
    cursor = str(shown[-1]["version"]) if len(rows) > PAGE_VERSIONS else None
    return {"versions": shown, "cursor": cursor, "current": detail["wallet"]["version"]}


_OF_TAB = {
    "overview": _overview, "trades": _trades, "days": _days, "signals": _signals, "settings": _settings, "versions": _versions
}  # fmt: skip


async def live_by_bot(visit: Visit) -> Mapping[str, Any]:
    """Returns live strategies by the bot that they mirror; none when they cannot be told."""
    found = await visit.part("/api/lt/strategies")
    return {one["ftWalletId"]: one for one in found["strategies"] if one["isActive"]} if found else {}


def since(snapshots: list[Any], days: int) -> list[Any]:
    """Returns snapshots of the last days, counted from the last one."""
    if not snapshots:
        return []
    first = datetime.fromisoformat(snapshots[-1]["snapshotAt"]) - timedelta(days=days)
    return [one for one in snapshots if datetime.fromisoformat(one["snapshotAt"]) >= first]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, old.get(name), value) for name, value in new.items() if old.get(name) != value]
