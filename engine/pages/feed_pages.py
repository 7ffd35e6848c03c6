"""The feed: what followed traders do, as it happens."""

from collections.abc import Mapping
from typing import Any

from engine.pages.page import Page, Visit

PAGE_TRADES = 50


def feed_pages() -> list[Page]:
    """Returns the feed and its pieces."""
    return [
        Page(path="/v2/feed", template="feed.html", title="Feed", nav="feed", load=_feed),
        Page(path="/v2/feed/why/{trade_id}", template="feed_why.html", title="Why", nav="feed", load=_why, part=True),
    ]


async def _feed(visit: Visit) -> Mapping[str, Any]:
    query = visit.query
    page = await visit.ask(
        "/api/v2/feed/trades",
        limit=PAGE_TRADES,
        cursor=query.get("cursor"),
        wallet=query.get("wallet") or None,
        side=query.get("side") or None,
        signal=1,
    )
    follows = await visit.part("/api/follows", limit=1)
    return {"page": page, "follows": follows, "is_first": "cursor" not in query, "wallet": query.get("wallet", "")}


async def _why(visit: Visit) -> Mapping[str, Any]:
    trade_id = visit.path_params["trade_id"]
    return {"why": await visit.ask(f"/api/trades/{trade_id}/why"), "trade_id": trade_id}
