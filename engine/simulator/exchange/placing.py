"""The order of an attempt, and the venue's verdict on it as it travels (venue.md §4.3)."""

from typing import Any

import attrs

from engine.simulator.exchange.admission import Attempt
from engine.simulator.exchange.orders import VenueOrder, shares_text
from engine.simulator.exchange.refusals import Refusal
from engine.simulator.exchange.trades import VenueTrade


@attrs.frozen
class Verdict:
    """An order that the venue took."""

    order_id: str
    status: str
    """live, matched, delayed."""
    trade: VenueTrade | None = None

    def rendered(self) -> dict[str, Any]:
        """Returns the JSON of the answer: amounts are empty when it rests and "0" when it is delayed."""
        making = taking = "0" if self.status == "delayed" else ""
        if self.trade is not None:
            taker = self.trade.taker
            amounts = shares_text(taker.cash_micro), shares_text(taker.size_micro)
            making, taking = amounts if taker.side == "BUY" else amounts[::-1]
        return {
            "errorMsg": "",
            "orderID": self.order_id,
            "takingAmount": taking,
            "makingAmount": making,
            "status": self.status,
            "success": True,
            "transactionsHashes": [],
            "tradeIDs": [self.trade.trade_id] if self.trade is not None else [],
        }


@attrs.define(kw_only=True, eq=False)
class Placed:
    """What became of one order; the verdict is None until `due_ms`."""

    order: VenueOrder | None = None
    verdict: Verdict | Refusal | None = None
    due_ms: int | None = None


def order_from(attempt: Attempt, place: int) -> VenueOrder | None:
    """Returns the order of an attempt whose market and hash are known, else None. `place` is its priority."""
    payload, market, signed = attempt.payload, attempt.market, attempt.signed
    if payload is None or market is None or signed is None:
        return None
    spends = payload.takes_only and payload.order.side == "BUY"
    return VenueOrder(
        order_id=signed.order_id,
        signed=payload.order,
        market=market,
        outcome_index=attempt.outcome_index,
        side=payload.order.side,
        price=payload.price_on(market.tick_size),
        size_micro=payload.shares_micro,
        spend_micro=payload.cash_micro if spends else None,
        order_type=payload.order_type,
        post_only=payload.post_only,
        expiration_s=payload.expiration_s,
        owner=payload.owner,
        funder=payload.order.maker.lower(),
        signer=attempt.key.address if attempt.key is not None else "",
        created_ms=attempt.now_ms,
        place=place,
    )


def refused_entry(refusal: Refusal) -> dict[str, Any]:
    """Returns the entry of a batch for an order that was refused: success, but no id (venue.md §4.3)."""
    return {
        "errorMsg": refusal.error,
        "orderID": "",
        "takingAmount": "",
        "makingAmount": "",
        "status": "",
        "success": True,
        "transactionsHashes": [],
        "tradeIDs": [],
    }
