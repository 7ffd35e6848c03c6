"""What copying a trader would have made, on his profile: in short, and as a tab with a form for one's own size."""

from collections.abc import Mapping
from typing import Any

from engine.api.errors import ApiError
from engine.pages.page import Visit
from protocols.copyability import DAYS_DEFAULT, SIZE_USD_DEFAULT

REASONS = {
    "unresolved": "still open",
    "unknown_market": "in markets that are not known here",
    "below_minimum": "below the venue's minimum of 1 USD",
    "book_unavailable": "no price to buy or sell at",
    "slippage_exceeded": "nothing left in the book",
    "market_resolved": "decided before we could buy",
    "not_buy": "sales of what had not been copied",
    "price_out_of_range": "at a price at which nobody sells",
    "zero_stake": "a stake that buys nothing",
    "duplicate": "copied already",
}
FLAGS = {
    "market_maker": "Market maker",
    "high_frequency": "High frequency",
    "both_sides": "Both sides of a market",
    "size_jump": "Sudden jump in size",
    "inactive": "Inactive",
}
COSTS = (
    ("delay", "Delay", "The price moved between his trade and our order"),
    ("spread", "Spread", "Half of it on each purchase and sale"),
    ("depth", "Thin books", "What stood behind the best price was dearer"),
    ("fees", "Fees", "Of the venue, by category of the market"),
)


async def copying_of(visit: Visit, path: str) -> Mapping[str, Any]:
    """Returns what the templates show: a result, or why there is none, and what stands in the form.

    A size in the query is computed now, which takes seconds; without one it is what the daily job found.
    """
    size, days = visit.query.get("size") or None, visit.query.get("days") or None
    shown: dict[str, Any] = {"reasons": REASONS, "flags": FLAGS, "costs": COSTS, "result": None, "problem": None}
    shown["form"] = {"size": size or SIZE_USD_DEFAULT, "days": days or DAYS_DEFAULT}
    shown["is_asked"] = size is not None or days is not None
    try:
        result = await visit.ask(f"{path}/copyability", size=size, days=days)
    except ApiError as error:
        return shown | {"problem": None if error.code == "not_scored" else error.message}
    if not shown["is_asked"]:
        shown["form"]["size"] = result["sizeUsd"]
    return shown | {"result": result}
