"""The truth about accounts, to compare with what was read over HTTP: a calculation of its own, from fills and events alone.

Costs are averages; what is sold, merged or redeemed takes its share of the cost, rounded down to a micro-USD. A half of a pair
costs and brings a half of a USD, whether split or merged.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import attrs

from engine.simulator.account_events import AccountEvent, AccountEvents, EventKind
from engine.simulator.ledger import Fill, Ledger
from engine.simulator.market import Market
from engine.simulator.wire_numbers import MICRO


@attrs.define(eq=False)
class _Token:
    market: Market
    outcome_index: int
    held: int = 0
    cost: int = 0
    bought: int = 0
    realized: int = 0
    last_s: int = 0

    def gain(self, shares: int, paid: int, at_s: int) -> None:
        self.held, self.cost, self.bought, self.last_s = (
            self.held + shares,
            self.cost + paid,
            self.bought + shares,
            at_s,
        )

    def lose(self, shares: int, received: int, at_s: int) -> None:
        share_of_cost = shares * self.cost // self.held
        self.realized += received - share_of_cost
        self.held, self.cost, self.last_s = self.held - shares, self.cost - share_of_cost, at_s


class AccountTruth:
    """Knows everything at once: no lag, no cache, no fault."""

    def __init__(self, ledger: Ledger, events: AccountEvents) -> None:
        self._ledger = ledger
        self._events = events

    def of(self, wallets: Iterable[str] | None) -> list[dict[str, Any]]:
        """Returns positions, closed positions and daily results of wallets, or of all. Amounts are millionths.

        A day's result is that of the positions whose last share went on that UTC day, all that was ever realised of them.
        """
        everybody = dict.fromkeys([*self._ledger.wallets(), *self._events.wallets()])
        chosen = everybody if wallets is None else dict.fromkeys(each.lower() for each in wallets)
        return [self._account(wallet) for wallet in chosen]

    def _account(self, wallet: str) -> dict[str, Any]:
        tokens = [token for _, token in sorted(self._tokens(wallet).items())]
        closed = [token for token in tokens if not token.held]
        return {
            "wallet": wallet,
            "positions": [_held(token) for token in tokens if token.held],
            "closed": [_closed(token) for token in closed],
            "days": _days(closed),
        }

    def _tokens(self, wallet: str) -> dict[str, _Token]:
        happened: list[Fill | AccountEvent] = [
            *self._ledger.of_wallet(wallet).oldest_first(),
            *self._events.of_wallet(wallet).oldest_first(),
        ]
        tokens: dict[str, _Token] = {}
        for each in sorted(happened, key=lambda one: (one.block_s, one.sequence)):
            if isinstance(each, Fill):
                _trade(tokens.setdefault(each.token_id, _Token(each.market, each.outcome_index)), each)
            elif each.market is not None:
                for index, token_id in enumerate(each.market.token_ids):
                    if each.kind is EventKind.SPLIT:
                        tokens.setdefault(token_id, _Token(each.market, index))
                    if token_id in tokens:
                        _change(tokens[token_id], each)
        return tokens


def _trade(token: _Token, fill: Fill) -> None:
    if fill.side == "BUY":
        token.gain(fill.size_micro, fill.notional_micro, fill.block_s)
        return
    # Whoever sells more than he has bought split collateral unseen: that part earns nothing here.
    sold = min(token.held, fill.size_micro)
    token.last_s = fill.block_s
    if sold:
        token.lose(sold, fill.notional_micro * sold // fill.size_micro, fill.block_s)


def _change(token: _Token, event: AccountEvent) -> None:
    if event.kind is EventKind.SPLIT:
        token.gain(event.size_micro, event.size_micro // 2, event.block_s)
    elif event.kind is EventKind.MERGE and token.held:
        merged = min(event.size_micro, token.held)
        token.lose(merged, merged // 2, event.block_s)
    elif event.kind is EventKind.REDEEM and token.held and token.market.payouts is not None:
        token.lose(token.held, token.held * token.market.payouts[token.outcome_index] // MICRO, event.block_s)


def _held(token: _Token) -> dict[str, Any]:
    payouts = token.market.payouts
    return {
        "token_id": token.market.token_ids[token.outcome_index],
        "condition_id": token.market.condition_id,
        "shares_micro": token.held,
        "cost_micro": token.cost,
        "realized_micro": token.realized,
        "redeemable": payouts is not None,
        "is_lost": payouts is not None and not payouts[token.outcome_index],
        "end_ms": token.market.end_ms,
        "last_event_s": token.last_s,
    }


def _closed(token: _Token) -> dict[str, Any]:
    return {
        "token_id": token.market.token_ids[token.outcome_index],
        "condition_id": token.market.condition_id,
        "bought_micro": token.bought,
        "realized_micro": token.realized,
        "closed_s": token.last_s,
    }


def _days(closed: list[_Token]) -> list[dict[str, Any]]:
    by_day: dict[str, list[int]] = {}
    for token in closed:
        day = datetime.fromtimestamp(token.last_s, UTC).date().isoformat()
        by_day.setdefault(day, []).append(token.realized)
    return [
        {
            "date": day,
            "realized_micro": sum(results),
            "closed_positions": len(results),
            "won_positions": sum(result > 0 for result in results),
        }
        for day, results in sorted(by_day.items())
    ]
