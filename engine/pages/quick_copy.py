"""The dialog of a quick copy: what is needed to decide on it, or why there is nothing to decide."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.pages.page import Visit

SLIPPAGE_PCT = Decimal(3)
"""What is proposed to those who have set none (domain.md §10.1)."""
AMOUNT_USD = Decimal(5)


async def quick_copy(visit: Visit) -> Mapping[str, Any]:
    """Returns the trade, the book, one's accounts with their money, and what is in the way."""
    trade = await visit.ask(f"/api/v2/feed/trades/{visit.path_params['trade_id']}")
    obstacle = await _obstacle(visit, trade)
    if obstacle:
        return {"trade": trade, "obstacle": obstacle}
    status = await visit.ask("/api/lt/status")
    book = await visit.part("/api/polymarket/book", token=trade["asset"])
    preferences = await visit.part("/api/notifications/preferences")
    balances = {
        account: await visit.part("/api/polymarket/orders/balance", account=account)
        for account in status["ownAccounts"]
    }
    slippage = preferences["defaultBuySlippage"] if preferences else None
    return {
        "trade": trade,
        "obstacle": "",
        "halt": status["halt"],
        "book": book["book"] if book else book,
        "balances": balances,
        "slippage": SLIPPAGE_PCT if slippage is None else slippage,
        "amount": AMOUNT_USD,
    }


async def _obstacle(visit: Visit, trade: Mapping[str, Any]) -> str:
    """Returns why this visitor cannot copy this trade here; empty: he can."""
    if trade["side"] != "BUY":
        return "Only buys are copied from here. What you hold is sold on the page of your portfolio."
    if not visit.may("trade"):
        return "You may look and not trade: your user lacks the right “trade”."
    status = await visit.part("/api/lt/status")
    if not status:
        return f"How live trading stands cannot be told just now: {status.message}."
    if not status["isTrading"]:
        return (
            "This engine does not trade with real money. Both switches have to be on (live.enabled, and --live at the "
            "start), and it has to hold the lease."
        )
    if not status["ownAccounts"]:
        return "No account of live.accounts belongs to your user."
    return ""
