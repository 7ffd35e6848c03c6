"""Where users find traders, and whom they follow."""

from collections.abc import Mapping
from typing import Any

import attrs
from markupsafe import Markup

from engine.api.errors import not_found
from engine.pages.page import Page, Visit
from engine.pages.trader_charts import recent_days

ROWS = 50
TOP_ROWS = 6
FOLLOWS_ON_A_PAGE = 100
NICHES = (
    "CRYPTO", "CULTURE", "CRICKET", "ESPORTS", "FIGHTING", "FINANCE", "GEOPOLITICS", "GOLF", "MLB", "NBA", "NFL", "NHL",
    "OTHER", "POLITICS", "RACING", "SOCCER", "SPORTS", "TECH", "TENNIS", "WEATHER",
)  # fmt: skip
"""Kinds of markets that the engine tells apart (`actors/rules/market_kind.py`), offered in the filter."""


@attrs.frozen(kw_only=True)
class Option:
    """A parameter of a list with a choice of values, the first of them the default."""

    name: str
    label: str
    choices: tuple[tuple[str, str], ...]


@attrs.frozen(kw_only=True)
class Listing:
    """One list of traders, or of trades."""

    name: str
    """In the path of the API and of the page."""
    key: str
    """In the answer with the top of all lists."""
    label: str
    about: str
    nothing: str
    """Why it may be empty."""
    option: Option | None = None
    has_min_trades: bool = True


_SORT = Option(
    name="sort",
    label="By",
    choices=(("pnl", "Profit"), ("volume", "Volume"), ("roi", "Return"), ("winRate", "Win rate")),
)
_WINDOW = Option(
    name="window",
    label="Within",
    choices=(
        ("1D", "1 day"),
        ("7D", "7 days"),
        ("30D", "30 days"),
        ("3M", "3 months"),
        ("6M", "6 months"),
        ("ALL", "all"),
    ),
)
_COPIED = Option(name="sort", label="By", choices=(("followers", "Followers"), ("strategies", "Strategies")))
_COPYABLE = Option(
    name="sort", label="By", choices=(("low", "Return at worst"), ("net", "Return"), ("capacity", "Capacity"))
)
_NOT_YET = "Jobs of the engine read the venue's leaderboard and the traders' closed positions; then the list fills."
LISTINGS = (
    Listing(name="leaderboard", key="leaderboard", label="Leaderboard", nothing=_NOT_YET, option=_SORT,
            about="The venue's leaderboard of all time. The win rate is of closed positions, as far as they are known here."),
    Listing(name="biggest-winners", key="biggestWinners", label="Biggest winners", nothing=_NOT_YET, option=_WINDOW,
            about="Who realised the most within a window. The place in the window of equal length before stands beside it."),
    Listing(name="most-active", key="mostActive", label="Most active",
            nothing="Nobody has traded often enough within the last 24 hours.",
            about="Who traded most within the last 24 hours, of the trades that this engine keeps."),
    Listing(name="most-consistent", key="mostConsistent", label="Most consistent", nothing=_NOT_YET,
            about="Who won on the largest share of his days: UTC days of the last 30 with a close, at least five, with a "
                  "profit over all of them."),
    Listing(name="most-copied", key="mostCopied", label="Most copied", nothing="Nobody is followed or copied yet.",
            option=_COPIED, has_min_trades=False,
            about="Whom most users of this engine follow, or most running strategies copy."),
    Listing(name="most-copyable", key="mostCopyable", label="Most copyable", option=_COPYABLE,
            nothing="Every night the engine replays what traders did, at your size and with its own delay; whoever has traded "
                    "enough for a judgement appears here.",
            about="What copying each trade would have made after delay, spread, thin books and fees. Sorted by what is left at "
                  "worst, so that luck on few trades does not count."),
    Listing(name="big-trades", key="bigTrades", label="Big trades", has_min_trades=False,
            nothing="No trade of the last hour is large enough.",
            about="Trades of the last hour for at least 10 USD at a price of up to 94¢, the largest first."),
)  # fmt: skip
_BY_NAME = {one.name: one for one in LISTINGS}


def discover_pages() -> list[Page]:
    """Returns the lists, the top of all of them, and one's follows."""
    return [
        Page(path="/discover", template="discover.html", title="Discover", nav="discover", load=_top),
        Page(path="/discover/{list}", template="discover_list.html", title="Discover", nav="discover", load=_list),
        Page(path="/following", template="following.html", title="Following", nav="settings", load=_following),
    ]


async def _top(visit: Visit) -> Mapping[str, Any]:
    return {
        "lists": await visit.part("/api/discover", limit=TOP_ROWS),
        "listings": LISTINGS,
        "sparkline": sparkline_of,
    }


async def _list(visit: Visit) -> Mapping[str, Any]:
    listing = _BY_NAME.get(visit.path_params["list"])
    if listing is None:
        raise not_found("unknown_list", "there is no such list of traders")
    query, option = visit.query, listing.option
    params: dict[str, str | None] = {"category": query.get("category") or None, "cursor": query.get("cursor")}
    if option is not None:
        params[option.name] = query.get(option.name) or option.choices[0][0]
    if listing.has_min_trades:
        params["minTrades"] = query.get("minTrades") or None
    return {
        "title": listing.label,
        "listing": listing,
        "listings": LISTINGS,
        "page": await visit.ask(f"/api/discover/{listing.name}", limit=ROWS, **params),
        "chosen": params,
        "is_filtered": any(params.get(name) for name in ("category", "minTrades")),
        "niches": NICHES,
        "sparkline": sparkline_of,
    }


async def _following(visit: Visit) -> Mapping[str, Any]:
    return {"page": await visit.ask("/api/follows", limit=FOLLOWS_ON_A_PAGE, cursor=visit.query.get("cursor"))}


def sparkline_of(row: Mapping[str, Any]) -> Markup | None:
    """Returns the realised profit of a trader's last days, adding up; None where nothing of it is known."""
    return recent_days(row.get("sparkline") or ())
