"""All copies of a user: fills in, positions out."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import attrs

from actors.rules.exact import EXACT
from actors.rules.portfolio.matching import MICRO, Days, Position, Settled
from protocols.portfolio import CopiedFill, TokenFacts

WON_FROM, LOST_TO = Decimal("0.99"), Decimal("0.01")
_MILLION = Decimal(MICRO)


@attrs.define(eq=False)
class CopyBook:
    """`TakesFills`. Fills come in the order of their times; they may be cut into portions anywhere."""

    by_key: dict[tuple[str, str], Position] = attrs.field(factory=dict)
    """By scope and token."""
    days: Days = attrs.field(factory=dict)

    @property
    def positions(self) -> Collection[Position]:
        """Returns positions, and what was sold without one."""
        return self.by_key.values()

    def take(self, fills: Sequence[CopiedFill]) -> None:
        """Takes the next fills."""
        by_key, days = self.by_key, self.days
        # Rows of the database have the fields of a fill and no names: thousands of them are read at once.
        for scope, token_id, order_id, trader, side, shares, usd, fee, at_us, payout, settled_us in fills:
            position = by_key.get((scope, token_id))
            if position is None:
                position = by_key[scope, token_id] = Position(scope, token_id, at_us, days)
            if side == "BUY":
                position.buy(order_id, trader, shares, usd, fee, at_us)
                if payout is not None and settled_us is not None:
                    position.settled_by_engine = (payout * MICRO, settled_us)
            elif side == "SELL":
                position.sell(order_id, trader, shares, usd, fee, at_us)
            else:
                position.close(order_id, shares, usd, at_us)

    def open_tokens(self) -> list[str]:
        """Returns the tokens of which something is left, each once."""
        return list(dict.fromkeys(one.token_id for one in self.positions if one.is_open))

    def settle(self, facts: Mapping[str, TokenFacts], now_us: int) -> None:
        """Closes what is left of resolved markets at what they paid."""
        for position in self.positions:
            if position.is_open:
                settled = settlement_of(position, facts.get(position.token_id), now_us)
                if settled is not None:
                    position.settle(*settled)


def settlement_of(position: Position, facts: TokenFacts | None, now_us: int) -> Settled | None:
    """Returns what a share of a position paid, micro-USD, and when; None while its market is not resolved.

    The payout is told by the token (D57, D64); what live trading settled counts where the row of the market does not know yet.
    """
    engine = position.settled_by_engine
    if facts is None or facts.payout is None:
        return engine
    at_us = facts.resolved_us
    if at_us is None:
        at_us = now_us if engine is None else engine[1]
    return payout_micro(facts.payout), at_us


def payout_micro(payout: Decimal) -> int:
    """Returns what a share pays, micro-USD. Last prices of some old markets end a little off 1 and 0; half and half stays."""
    if payout >= WON_FROM:
        return MICRO
    return 0 if payout <= LOST_TO else round(EXACT.multiply(payout, _MILLION))
