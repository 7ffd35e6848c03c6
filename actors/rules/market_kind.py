"""What kind of market it is, from its words: its structure and its niche. Tables of our own, looked through in order."""

import re
from collections.abc import Sequence

YES_NO = frozenset(("yes", "no"))
_OVER_UNDER = re.compile(r"\bo/u\b|\bover/under\b|\btotal (?:goals|points|runs|games|maps|sets)\b", re.IGNORECASE)
_SPREAD = re.compile(r"\bspread\b|\bhandicap\b|\(\s*[-+]\d+(?:\.\d+)?\s*\)|\s[-+]\d+\.5\b", re.IGNORECASE)
_PROP = re.compile(
    r"\b(?:to score|to record|first (?:goal|basket|touchdown)|anytime|assists|rebounds|strikeouts|passing yards"
    r"|rushing yards|receiving yards|shots on target|how many)\b",
    re.IGNORECASE,
)
_VERSUS = re.compile(r"\b(?:vs\.?|versus|@)(?:\s|$)", re.IGNORECASE)

# The first niche of which a word occurs, whole; sports before politics, since clubs are called after places and people.
_NICHES: Sequence[tuple[str, str]] = (
    ("CRYPTO", r"crypto|bitcoin|btc|ethereum|eth|solana|sol|xrp|dogecoin|doge|bnb|altcoins?|defi|nft|token"),
    ("ESPORTS", r"esports?|counter-strike|cs2|league of legends|lol|dota ?2?|valorant|overwatch"),
    ("NBA", r"nba|basketball|wnba|ncaab|cbb"),
    ("NFL", r"nfl|super bowl|college football|cfb"),
    ("MLB", r"mlb|baseball|world series"),
    ("NHL", r"nhl|hockey|stanley cup"),
    ("TENNIS", r"tennis|atp|wta|wimbledon|roland garros"),
    ("SOCCER", r"soccer|football|premier league|la liga|bundesliga|serie a|ligue 1|uefa|fifa|mls|epl"),
    ("FIGHTING", r"ufc|mma|boxing"),
    ("RACING", r"f1|formula 1|nascar|motogp"),
    ("GOLF", r"golf|pga|masters"),
    ("CRICKET", r"cricket|ipl|t20"),
    ("SPORTS", r"sports?|olympics?|games?"),
    ("WEATHER", r"weather|temperature|hurricane|rain(?:fall)?|snow(?:fall)?|climate"),
    (
        "FINANCE",
        r"finance|stocks?|s&p|nasdaq|earnings|ipo|gold|oil|fed|interest rates?|inflation|cpi|gdp|economy|business",
    ),
    ("GEOPOLITICS", r"geopolitics|war|ceasefire|nato|ukraine|russia|israel|gaza|iran|china|taiwan"),
    ("POLITICS", r"politics|elections?|president(?:ial)?|senate|congress|governor|primary|nominee|trump|biden|poll"),
    ("TECH", r"tech|ai|openai|google|apple|tesla|spacex|nvidia"),
    ("CULTURE", r"culture|oscars?|grammys?|movies?|box office|music|album|celebrit(?:y|ies)|awards?|mentions?|tweets?"),
)
_PATTERNS = tuple((name, re.compile(rf"(?<![\w&])(?:{words})(?![\w&])", re.IGNORECASE)) for name, words in _NICHES)
OTHER = "OTHER"
NICHES = (*(name for name, _ in _NICHES), OTHER)
"""Every niche that there is."""
SPORTS_NICHES = frozenset(
    ("ESPORTS", "NBA", "NFL", "MLB", "NHL", "TENNIS", "SOCCER", "FIGHTING", "RACING", "GOLF", "CRICKET", "SPORTS")
)


def structure_of(title: str | None, outcomes: Sequence[str]) -> str:
    """Returns OVER_UNDER, SPREAD, PROP, HEAD_TO_HEAD, YES_NO or STANDARD; the first that fits."""
    names = {name.strip().lower() for name in outcomes}
    text = title or ""
    if names == {"over", "under"} or _OVER_UNDER.search(text):
        return "OVER_UNDER"
    if _SPREAD.search(text):
        return "SPREAD"
    if _PROP.search(text):
        return "PROP"
    if names == YES_NO:
        return "YES_NO"
    return "HEAD_TO_HEAD" if _VERSUS.search(text) else "STANDARD"


def niche_of(title: str | None, category: str | None, tags: Sequence[str]) -> str:
    """Returns the niche that tags, category or title name, or OTHER. What the venue says goes before the title."""
    for text in (" | ".join(tags), category or "", title or ""):
        for name, pattern in _PATTERNS:
            if text and pattern.search(text):
                return name
    return OTHER
