"""The words of each kind of notice: a headline and its details. Pure: nothing but the notice is looked at.

Whatever comes from a payload goes through `one_line`: titles and names are strangers' texts.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from actors.rules.notices.plain_text import one_line
from protocols.notifications import Notice, NoticeKind

STRATEGIES_SHOWN = 12


@attrs.frozen
class Words:
    """What is said about one notice. All texts are single lines, not escaped for anything yet."""

    headline: str
    details: tuple[tuple[str, str], ...] = ()
    """Label and value."""


def words_of(notice: Notice) -> Words:
    """Returns the words of a notice. What its payload lacks is left out, never invented."""
    said = _SAID[notice.kind](notice.payload)
    return Words(
        one_line(said.headline, 200),
        tuple((label, one_line(value, 300)) for label, value in said.details if value),
    )


def _market_resolved(said: Mapping[str, Any]) -> Words:
    pnl = _signed_usd(said.get("pnl"))
    winner = _text(said, "winner")
    outcome = f", {winner} won" if winner else ""
    return Words(
        f"Market resolved{outcome}: {_market(said)}",
        (
            ("You held", ", ".join(one_line(one, 60) for one in said.get("outcomes") or ())),
            ("Profit or loss", pnl),
            ("Copies", _text(said, "copies")),
            ("Still being settled", _text(said, "unsettled") if said.get("unsettled") not in (None, "0", 0) else ""),
        ),
    )


def _trader_closed(said: Mapping[str, Any]) -> Words:
    return Words(
        f"Copied trader closed a position: {_market(said)}",
        (
            ("Trader", _trader(said)),
            ("Outcome", _text(said, "outcome")),
            ("You still hold", _shares(said.get("shares"))),
            ("Strategies", _names(said)),
        ),
    )


def _auto_close_executed(said: Mapping[str, Any]) -> Words:
    return Words(
        f"Position closed: {_market(said)}",
        (
            ("Why", _WHY_CLOSED.get(_text(said, "why"), "")),
            ("Outcome", _text(said, "outcome")),
            ("Sold", _shares(said.get("sold"))),
            ("For", _usd(said.get("usd"))),
            ("Trader", _trader(said)),
            ("Strategy", _text(said, "strategy")),
        ),
    )


def _auto_close_failed(said: Mapping[str, Any]) -> Words:
    return Words(
        f"Position not closed in time: {_market(said)}",
        (
            ("Why it has to be sold", _WHY_CLOSED.get(_text(said, "why"), "")),
            ("Outcome", _text(said, "outcome")),
            ("Sold so far", _shares(said.get("sold"))),
            ("Of", _shares(said.get("target"))),
            ("Attempts", _text(said, "attempts")),
            ("What it waits for", _text(said, "detail")),
            ("Strategy", _text(said, "strategy")),
            ("Now", "it is offered at any price until it is sold or the market is resolved"),
        ),
    )


def _order(said: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return (
        ("Order", f"{_text(said, 'side')} {_text(said, 'outcome')}".strip()),
        ("Filled", _shares(said.get("shares"))),
        ("For", _usd(said.get("usd"))),
        ("Limit", _text(said, "limit")),
        ("Reason", " ".join(part for part in (_text(said, "reason"), _text(said, "detail")) if part)),
        ("Trader", _trader(said)),
        ("Strategy", _text(said, "strategy")),
    )


def _order_filled(said: Mapping[str, Any]) -> Words:
    verb = "Bought" if said.get("side") == "BUY" else "Sold"
    partly = " in part" if said.get("status") != "FILLED" else ""
    return Words(f"{verb}{partly}: {_market(said)}", _order(said))


def _order_rejected(said: Mapping[str, Any]) -> Words:
    return Words(f"Order refused by the venue: {_market(said)}", _order(said))


def _order_lost(said: Mapping[str, Any]) -> Words:
    text = "the venue does not know it; a fill that shows up later is booked, compare with your account"
    return Words(f"Order lost: {_market(said)}", (*_order(said), ("What that means", text)))


def _strategy_halted(said: Mapping[str, Any]) -> Words:
    strategy = _text(said, "strategy")
    headline = f"Strategy halted: {strategy}" if strategy else "All live trading halted"
    return Words(
        headline,
        (
            ("Reason", _text(said, "reason")),
            ("By", _text(said, "by")),
            ("Now", "no new positions are entered; positions are still sold"),
        ),
    )


def _drift(said: Mapping[str, Any]) -> Words:
    return Words(
        f"The ledger of a strategy does not agree with the venue: {_text(said, 'strategy')}",
        (
            ("Drift", _usd(said.get("drift"))),
            ("Account", _text(said, "account")),
            ("Now", "this strategy enters nothing until somebody has looked"),
        ),
    )


def _welcome(said: Mapping[str, Any]) -> Words:
    return Words(
        f"Welcome to Polycopy, {_text(said, 'user') or 'trader'}",
        (
            ("First steps", "follow traders, try a strategy with virtual money, then look at its figures"),
            ("From now on", "you hear here of what happens to your copies; the settings say of what, and when"),
        ),
    )


def _daily_summary(said: Mapping[str, Any]) -> Words:
    details = [
        ("Orders filled", _text(said, "filled")),
        ("Spent", _usd(said.get("spent"))),
        ("Live profit or loss", _signed_usd(said.get("pnl"))),
        ("Open positions", _text(said, "open")),
        ("Claims that rules declined", _text(said, "declined")),
        ("Virtual profit or loss", _signed_usd(said.get("paper_pnl"))),
        ("Virtual trades settled", _text(said, "paper_settled")),
    ]
    for one in list(said.get("strategies") or ())[:STRATEGIES_SHOWN]:
        parts = (f"{_signed_usd(one.get('pnl'))}", f"spent {_usd(one.get('spent'))}")
        details.append((one_line(one.get("strategy", ""), 96), ", ".join(part for part in parts if part)))
    return Words(f"Your copies on {_text(said, 'day')} (UTC)", tuple(details))


def _test(said: Mapping[str, Any]) -> Words:
    return Words(
        "This is a test",
        (("Asked for by", _text(said, "user")), ("It works", "notices of your copies arrive the same way")),
    )


_WHY_CLOSED = {
    "trader_sell": "the copied trader sold",
    "stop_loss": "stop loss",
    "take_profit": "take profit",
    "max_hold": "held for as long as allowed",
    "flatten": "somebody asked to sell everything",
}
_SAID: Mapping[NoticeKind, Callable[[Mapping[str, Any]], Words]] = {
    NoticeKind.MARKET_RESOLVED: _market_resolved,
    NoticeKind.TRADER_CLOSED: _trader_closed,
    NoticeKind.AUTO_CLOSE_EXECUTED: _auto_close_executed,
    NoticeKind.AUTO_CLOSE_FAILED: _auto_close_failed,
    NoticeKind.ORDER_FILLED: _order_filled,
    NoticeKind.ORDER_REJECTED: _order_rejected,
    NoticeKind.ORDER_LOST: _order_lost,
    NoticeKind.STRATEGY_HALTED: _strategy_halted,
    NoticeKind.DRIFT: _drift,
    NoticeKind.WELCOME: _welcome,
    NoticeKind.DAILY_SUMMARY: _daily_summary,
    NoticeKind.TEST: _test,
}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return "" if value is None else one_line(value)


def _market(said: Mapping[str, Any]) -> str:
    return _text(said, "market") or _text(said, "condition_id") or "an unknown market"


def _trader(said: Mapping[str, Any]) -> str:
    name, wallet = _text(said, "trader_name"), _text(said, "trader")
    return f"{one_line(name, 40)} ({wallet})" if name and wallet else name or wallet


def _names(said: Mapping[str, Any]) -> str:
    return ", ".join(one_line(one, 96) for one in list(said.get("strategies") or ())[:STRATEGIES_SHOWN])


def _amount(value: object) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and abs(amount) < 10**15 else None


def _usd(value: object) -> str:
    amount = None if value is None else _amount(value)
    return "" if amount is None else f"{amount:,.2f} USD"


def _signed_usd(value: object) -> str:
    amount = None if value is None else _amount(value)
    return "" if amount is None else f"{amount:+,.2f} USD"


def _shares(value: object) -> str:
    amount = None if value is None else _amount(value)
    return "" if amount is None else f"{amount:,.2f} shares"
