"""Forward tests: every strategy with its figures in one table, and several side by side."""

from collections.abc import Mapping
from typing import Any

from engine.pages.bot_pages import bot_page, live_by_bot
from engine.pages.page import Page, Unavailable, Visit
from engine.pages.strategy_charts import compared_chart

PAGE_STRATEGIES = 25
COMPARED_MAX = 6
POINTS_OF_CURVE = 1_000


def ft_pages() -> list[Page]:
    """Returns the pages. One strategy is shown as a bot."""
    return [
        Page(path="/ft", template="ft.html", title="Forward tests", nav="tests", load=_list),
        Page(path="/ft/compare", template="ft_compare.html", title="Compare", nav="tests", load=_compare),
        Page(path="/ft/{wallet_id}", template="bot.html", title="Forward test", nav="tests", load=bot_page),
    ]


async def _list(visit: Visit) -> Mapping[str, Any]:
    page = await visit.ask("/api/ft/wallets", limit=PAGE_STRATEGIES, cursor=visit.query.get("cursor"))
    return {"page": page, "mirrors": await live_by_bot(visit), "compared_max": COMPARED_MAX}


async def _compare(visit: Visit) -> Mapping[str, Any]:
    asked = list(dict.fromkeys(name for name in visit.query_lists.get("id", ()) if name))
    names = asked[:COMPARED_MAX]
    shown, missing, curves = [], [], []
    for name in names:
        detail = await visit.part(f"/api/ft/wallets/{name}")
        if isinstance(detail, Unavailable):
            missing.append((name, detail.message))
            continue
        found = await visit.part(f"/api/v2/bots/{name}")
        shown.append(detail["wallet"])
        curves.append((name, found["equity"] if found else []))
    return {
        "shown": shown, "missing": missing, "left_out": asked[COMPARED_MAX:], "compared_max": COMPARED_MAX,
        "curves_svg": compared_chart(curves), "figures": FIGURES,
        "has_curve": any(len(curve) > 1 for _, curve in curves),
    }  # fmt: skip


FIGURES: tuple[tuple[str, str, str], ...] = (
    ("status", "Status", "status"), ("returnPct", "Return", "pct"), ("totalPnl", "Profit (USD)", "money"),
    ("realizedPnl", "Realised (USD)", "money"), ("unrealizedPnl", "Open (USD)", "money"), ("winRate", "Win rate", "ratio"),
    ("maxDrawdownPct", "Max drawdown", "drawdown"), ("sharpe", "Sharpe", "plain"),
    ("startingBalance", "Starting balance (USD)", "usd"), ("cash", "Cash (USD)", "usd"),
    ("exposure", "Exposure (USD)", "usd"), ("orders", "Taken", "count"), ("openOrders", "Open", "count"),
    ("won", "Won", "count"), ("lost", "Lost", "count"), ("sold", "Sold", "count"), ("avgStake", "Mean stake (USD)", "usd"),
    ("tradesSeen", "Trades seen", "count"), ("madePct", "Made", "percent"), ("createdAt", "Started", "when"),
)  # fmt: skip
"""Field of the API, heading, and how it is written."""
