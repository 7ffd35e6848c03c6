"""The tuner: what it proposes and on what evidence, what was decided and became of it, and its notes."""

from collections.abc import Mapping
from typing import Any

from engine.pages.page import Page, Visit

PAGE_ROWS = 20
NOTES_ON_A_PAGE = 50
TABS = (("waiting", "Waiting"), ("history", "History"), ("notes", "Notes"))
TONES = {
    "APPLIED": "ok", "IMPROVED": "gain", "DEGRADED": "bad", "ROLLED_BACK": "warn", "REFUSED": "warn", "WAITING": "ok",
}  # fmt: skip
MEANINGS = {
    "WAITING": "Nobody has decided",
    "APPLIED": "In force; judged once enough orders were placed and over, a day later at the earliest",
    "REJECTED": "Turned down",
    "EXPIRED": "Nobody decided in time",
    "REFUSED": "It no longer fitted the strategy",
    "IMPROVED": "The win rate rose by 2 points or the return by 1",
    "NEUTRAL": "Neither better nor worse by enough",
    "DEGRADED": "The win rate fell by 5 points or the return by 3",
    "ROLLED_BACK": "It degraded, and was taken back",
}


def tuner_pages() -> list[Page]:
    """Returns the page."""
    return [Page(path="/v2/tuner", template="tuner.html", title="Tuner", nav="bots", load=_tuner)]


async def _tuner(visit: Visit) -> Mapping[str, Any]:
    tab = visit.query.get("tab") or "waiting"
    tab = tab if tab in dict(TABS) else "waiting"
    shown = {"tabs": TABS, "tab": tab, "tones": TONES, "meanings": MEANINGS}
    cursor, bot = visit.query.get("cursor"), visit.query.get("bot") or None
    if tab == "notes":
        page = await visit.ask("/api/tuner/notes", walletId=bot, limit=NOTES_ON_A_PAGE, cursor=cursor)
    else:
        state = "waiting" if tab == "waiting" else "decided"
        page = await visit.ask("/api/tuner/proposals", state=state, walletId=bot, limit=PAGE_ROWS, cursor=cursor)
    return {**shown, "page": page, "bot": bot}
