"""What a replay of a change of a bot came to, as a piece of the bot's page."""

from collections.abc import Mapping
from typing import Any

from engine.pages.decision_words import reason_text
from engine.pages.page import Page, Visit

TRADES_SHOWN = 50
KINDS = {"added": "Now, not before", "dropped": "No longer", "changed": "Otherwise"}
_OF_PLANS = {"paused": "It is paused", "not_decided": "Nothing was decided about it"}


def plan_pages() -> list[Page]:
    """Returns the piece; `static/plan.mjs` puts it below the settings."""
    return [
        Page(
            path="/v2/bot-plans/{plan_id}", template="bot_plan.html", title="Replay", nav="bots", load=_plan, part=True
        )
    ]


async def _plan(visit: Visit) -> Mapping[str, Any]:
    found = await visit.ask(f"/api/ft/plans/{visit.path_params['plan_id']}")
    plan = found["plan"]
    bot = None if plan is None else plan["bots"][0]
    trades = [] if bot is None else bot["trades"]
    shown = sorted(trades, key=lambda one: -abs(one["effect"]))[:TRADES_SHOWN]
    return {
        "state": found, "plan": plan, "bot": bot, "kinds": KINDS, "word": _word, "words": _words_of,
        "trades": sorted(shown, key=lambda one: one["at"]),
    }  # fmt: skip


def _word(reason: str) -> str:
    return _OF_PLANS.get(reason) or reason_text(reason)


def _words_of(trade: Mapping[str, Any]) -> str:
    """Returns why a trade is treated otherwise, in words."""
    refusal = trade["refusal"]
    if refusal is not None:
        return _word(refusal["reason"])
    other = {"stake": "another stake", "price": "another price", "result": "another end"}
    return ", ".join(other.get(one, one) for one in trade["differs"]).capitalize()
