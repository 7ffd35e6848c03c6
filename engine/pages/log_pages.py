"""The log of live trading, and the trace of one trade from end to end."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from engine.pages.decision_words import reason_text
from engine.pages.formats import MINUS, exact_time, seconds
from engine.pages.formats import time_ms as _ms
from engine.pages.page import Page, Unavailable, Visit

LINES = 100
PREFIXES = (
    ("POLL", "how orders stand at the venue"), ("TRADE", "orders that were sent, and the answer"),
    ("CASH", "settlements and what they paid"), ("ERROR", "orders that the venue lost"), ("SELL", "exits"),
    ("FILTER", "trades that a rule kept from being copied"),
)  # fmt: skip
"""Beginnings of messages that the API filters by."""
STAGES = ("ORDER_PREP", "RISK_CHECK", "ORDER_RESULT", "ORDER_POLL", "SELL", "RESOLVE")
LEVELS = ("info", "warn", "error")
_FILTERS = ("prefix", "level", "stage", "strategyId", "text", "since", "traceId", "orderId", "executionId")
NOT_FOUND = ("unknown_trace", "unknown_trade")


def log_pages() -> list[Page]:
    """Returns the pages and the piece that refreshes itself."""
    return [
        Page(path="/lt/logs", template="logs.html", title="Logs", nav="logs", load=_logs),
        Page(path="/lt/log-lines", template="log_lines.html", title="Lines", nav="logs", load=_lines, part=True),
        Page(path="/lt/logs/{trace_id}", template="trace.html", title="Trace", nav="logs", load=_trace),
    ]


async def _lines(visit: Visit) -> Mapping[str, Any]:
    filters = {name: visit.query.get(name) or None for name in _FILTERS}
    page = await visit.ask("/api/lt/logs", limit=LINES, before=visit.query.get("cursor"), **filters)
    return {"page": page, "filtered": any(filters.values())}


async def _logs(visit: Visit) -> Mapping[str, Any]:
    strategies = await visit.part("/api/lt/strategies")
    kept = {name: visit.query[name] for name in _FILTERS if visit.query.get(name)}
    without = {name: value for name, value in kept.items() if name != "prefix"}
    links = {name: _address({**without, **({"prefix": name} if name else {})}) for name in ("", *dict(PREFIXES))}
    return {
        **await _lines(visit), "is_first": "cursor" not in visit.query, "prefix": kept.get("prefix", ""),
        "prefixes": PREFIXES, "prefix_links": links, "levels": LEVELS, "stages": STAGES,
        "names": [one["strategyId"] for one in strategies["strategies"]] if strategies else [],
        "query_string": f"?{urlencode(kept)}" if kept else "",
    }  # fmt: skip


async def _trace(visit: Visit) -> Mapping[str, Any]:
    trace_id = visit.path_params["trace_id"]
    story = await visit.part(f"/api/lt/trace/{trace_id}")
    why = await visit.part(f"/api/trades/{trace_id}/why")
    fills = defaultdict[str, list[Any]](list)
    for fill in story["fills"] if story else ():
        fills[fill["orderId"]].append(fill)
    return {
        "trace_id": trace_id, "story": story, "why": why, "fills": fills, "words": reason_text, "offset": offset,
        "exact": exact,
        "failed": [one for one in (story, why) if isinstance(one, Unavailable) and one.code not in NOT_FOUND],
        "is_trade_kept_elsewhere": bool(story),
    }  # fmt: skip


def offset(at: str, start: str) -> str:
    """Returns how long after its beginning something was, such as `+2.02 s`. Clocks of the venue may be ahead of ours."""
    ms = (_ms(at) or 0) - (_ms(start) or 0)
    sign, size = (MINUS, -ms) if ms < 0 else ("+", ms)
    return (
        f"{sign}{size}\N{NO-BREAK SPACE}ms"
        if size < 1_000
        else (
            f"{sign}{Decimal(size) / 1000:.2f}\N{NO-BREAK SPACE}s"
            if size < 60_000
            else f"{sign}{seconds(size // 1000)}"
        )
    )


def exact(at: str) -> str:
    """Returns a time to the millisecond in UTC."""
    ms = _ms(at) or 0
    return exact_time(ms).replace(" UTC", f".{ms % 1000:03d} UTC")


def _address(query: Mapping[str, str]) -> str:
    return f"/lt/logs?{urlencode(query)}" if query else "/lt/logs"
