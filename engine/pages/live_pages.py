"""Live trading: strategies with their money, one of them with everything about it, orders, and how one is begun."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.pages.formats import seconds
from engine.pages.live_money import buckets, meters
from engine.pages.page import Page, Visit
from engine.pages.setting_form import LIVE_GROUPS, setting_groups
from engine.pages.strategy_charts import days_chart, total_chart

PAGE_ORDERS = 50
EXITS_SHOWN = 200
STATUSES = ("PLACED", "PENDING", "PARTIAL", "FILLED", "CANCELLED", "REJECTED", "LOST")
TABS = (("positions", "Positions"), ("pending", "Pending orders"), ("orders", "Orders"), ("exits", "Exits"),
        ("performance", "Performance"), ("risk", "Risk"), ("settings", "Settings"))  # fmt: skip


def live_pages() -> list[Page]:
    """Returns the pages, the special ones before that of any strategy."""
    return [
        Page(path="/lt", template="live.html", title="Live", nav="live", load=_list),
        Page(path="/lt/new", template="live_new.html", title="Go live", nav="live", load=_new),
        Page(path="/lt/orders", template="live_all_orders.html", title="Live orders", nav="live", load=_all_orders),
        Page(path="/lt/{strategy_id}", template="live_one.html", title="Live strategy", nav="live", load=_one),
    ]


async def _list(visit: Visit) -> Mapping[str, Any]:
    found = await visit.ask("/api/lt/strategies")
    shown = [{**one, "buckets": buckets(one)} for one in found["strategies"]]
    return {
        "active": [one for one in shown if one["isActive"]],
        "ended": [one for one in shown if not one["isActive"]],
        "status": await visit.part("/api/lt/status"),
    }


async def _new(visit: Visit) -> Mapping[str, Any]:
    bot = visit.query.get("bot") or None
    status = await visit.ask("/api/lt/status")
    detail = await visit.part(f"/api/ft/wallets/{bot}") if bot else None
    bots = await visit.ask("/api/ft/wallets", limit=200)
    described = await visit.ask("/api/lt/settings")
    return {
        "bot": detail["wallet"] if detail else None, "bot_name": bot, "status": status,
        "bots": bots["wallets"], "more_bots": bots["nextCursor"] is not None,
        "meanings": {one["name"]: one for one in described["settings"]},
    }  # fmt: skip


async def _all_orders(visit: Visit) -> Mapping[str, Any]:
    query = visit.query
    strategies = await visit.ask("/api/lt/strategies")
    status, strategy = query.get("status") or None, query.get("strategyId") or None
    page = await visit.ask(
        "/api/lt/orders", status=status, strategyId=strategy, limit=PAGE_ORDERS, cursor=query.get("cursor")
    )
    names = [one["strategyId"] for one in strategies["strategies"]]
    return {"page": page, "names": names, "status": status, "strategy": strategy, "statuses": STATUSES}


async def _one(visit: Visit) -> Mapping[str, Any]:
    strategy_id = visit.path_params["strategy_id"]
    tab = visit.query.get("tab") or "positions"
    if tab not in dict(TABS):
        tab = "positions"
    detail = await visit.ask(f"/api/lt/strategies/{strategy_id}")
    strategy = detail["strategy"]
    more = await _OF_TAB[tab](visit, strategy, detail["settings"])
    return {
        "strategy": strategy, "buckets": buckets(strategy), "tabs": TABS, "tab": tab,
        "title": strategy["displayName"] or strategy_id, "status": await visit.part("/api/lt/status"), **more,
    }  # fmt: skip


async def _positions(visit: Visit, strategy: Mapping[str, Any], _settings: Mapping[str, Any]) -> Mapping[str, Any]:
    found = await visit.ask("/api/lt/positions", strategyId=strategy["strategyId"])
    waiting = await visit.part("/api/lt/redeemable")
    mine = [one for one in waiting["redeemable"] if one["strategyId"] == strategy["strategyId"]] if waiting else []
    cost = sum((one["costUsd"] for one in found["positions"]), Decimal(0))
    return {"positions": found["positions"], "redeemable": mine, "cost": cost}


async def _orders(visit: Visit, strategy: Mapping[str, Any], state: str | None) -> Mapping[str, Any]:
    status = visit.query.get("status") or None
    page = await visit.ask(
        f"/api/lt/strategies/{strategy['strategyId']}/orders", status=status, state=state, limit=PAGE_ORDERS,
        cursor=visit.query.get("cursor"),
    )  # fmt: skip
    return {"page": page, "order_status": status, "statuses": STATUSES}


async def _pending(visit: Visit, strategy: Mapping[str, Any], _settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return await _orders(visit, strategy, "working")


async def _every(visit: Visit, strategy: Mapping[str, Any], _settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return await _orders(visit, strategy, None)


async def _exits(visit: Visit, strategy: Mapping[str, Any], _settings: Mapping[str, Any]) -> Mapping[str, Any]:
    which = "all" if visit.query.get("which") == "all" else "open"
    page = await visit.ask(
        "/api/lt/exits", strategyId=strategy["strategyId"], which=which, limit=PAGE_ORDERS,
        cursor=visit.query.get("cursor"),
    )  # fmt: skip
    return {"page": page, "which": which}


async def _performance(visit: Visit, strategy: Mapping[str, Any], _settings: Mapping[str, Any]) -> Mapping[str, Any]:
    found = await visit.ask(f"/api/lt/strategies/{strategy['strategyId']}/performance")
    paper = await visit.part(f"/api/ft/wallets/{strategy['ftWalletId']}")
    return {
        "days": found["days"], "quality": found["quality"], "paper": paper["wallet"] if paper else None,
        "days_svg": days_chart(found["days"], "pnlUsd", "Realised profit by day"),
        "total_svg": total_chart(found["days"], "cumulativePnlUsd", "Realised profit so far"),
    }  # fmt: skip


async def _risk(visit: Visit, strategy: Mapping[str, Any], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    risk = await visit.ask(f"/api/lt/strategies/{strategy['strategyId']}/risk")
    described = await visit.ask("/api/lt/settings")
    rules = set(described["riskRules"])
    groups = setting_groups([one for one in described["settings"] if one["name"] in rules], settings, (), "Risk rules")
    return {"meters": meters(strategy, risk), "groups": groups, "risk": risk}


async def _settings(visit: Visit, _strategy: Mapping[str, Any], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    described = await visit.ask("/api/lt/settings")
    rules = set(described["riskRules"])
    others = [one for one in described["settings"] if one["name"] not in rules or one["name"].endswith("size_usd")]
    others = [one for one in others if one["name"] != "max_position_size_usd"]
    return {
        "groups": setting_groups(others, settings, LIVE_GROUPS),
        "exit_deadline": seconds(settings["exit_deadline_s"]),
    }


_OF_TAB = {
    "positions": _positions, "pending": _pending, "orders": _every, "exits": _exits, "performance": _performance,
    "risk": _risk, "settings": _settings,
}  # fmt: skip
