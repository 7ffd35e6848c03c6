"""All copies of a user: fills in, positions out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
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

    by_token: dict[str, dict[str, Position]] = attrs.field(factory=dict)
    """Positions, and what was sold without one, by token and scope."""
    days: dict[str, Days] = attrs.field(factory=dict)
    """By token."""

    @property
    def positions(self) -> Iterator[Position]:
        """Yields positions, and what was sold without one."""
        for scopes in self.by_token.values():
            yield from scopes.values()

    @property
    def orders(self) -> int:
        """Returns how many orders there are."""
        return sum(len(one.orders) for one in self.positions)

    def renewed(self, token_ids: Collection[str], fresh: "CopyBook") -> "CopyBook":
        """Returns a book that has some tokens as another one has them; what that does not have is not there any more."""
        gone = set(token_ids)
        return CopyBook(
            by_token={one: scopes for one, scopes in self.by_token.items() if one not in gone} | fresh.by_token,
            days={one: days for one, days in self.days.items() if one not in gone} | fresh.days,
        )

    def take(self, fills: Sequence[CopiedFill]) -> None:
        """Takes the next fills."""
        by_token, days = self.by_token, self.days
        # Rows of the database have the fields of a fill and no names: thousands of them are read at once.
        for scope, token_id, order_id, trader, side, shares, usd, fee, at_us, payout, settled_us in fills:
            scopes = by_token.get(token_id)
            if scopes is None:
                scopes, days[token_id] = {}, {}
                by_token[token_id] = scopes
            position = scopes.get(scope)
            if position is None:
                position = scopes[scope] = Position(scope, token_id, at_us, days[token_id])
            if side == "BUY":
                position.buy(order_id, trader, shares, usd, fee, at_us)
                if payout is not None and settled_us is not None:
                    position.settled_by_engine = (payout * MICRO, settled_us)
            elif side == "SELL":
                position.sell(order_id, trader, shares, usd, fee, at_us)
            else:
                position.close(order_id, shares, usd, at_us)

    def open_tokens(self) -> list[str]:
        """Returns the tokens of which something is left, or was when their markets were resolved."""
        return [token_id for token_id, scopes in self.by_token.items() if any(one.is_unsold for one in scopes.values())]

    def settle(self, facts: Mapping[str, TokenFacts], now_us: int) -> None:
        """Closes what is left of resolved markets at what they paid."""
        for position in self.positions:
            if position.is_open:
                one = facts.get(position.token_id)
                settled = settlement_of(position, one, now_us)
                if settled is not None:
                    position.settle(*settled)
                    position.settled_as = _ground(position, one)

    def is_settled_as(self, facts: Mapping[str, TokenFacts]) -> bool:
        """Returns whether what is settled was settled as it is said now: a payout may have been corrected."""
        return all(
            one.settled_as == _ground(one, facts.get(one.token_id)) for one in self.positions if one.settled_shares
        )


def _ground(position: Position, facts: TokenFacts | None) -> object:
    if facts is None or facts.payout is None:
        return position.settled_by_engine
    return facts.payout, facts.resolved_us


def settlement_of(position: Position, facts: TokenFacts | None, now_us: int) -> Settled | None:
    """Returns what a share of a position paid, micro-USD, and when; None while its market is not resolved.

    The payout is told by the token (D57, D64); what live trading settled counts where the row of the market does not know yet.
    """
    engine = position.settled_by_engine
    if facts is None or facts.payout is None:
        return engine
    at_us = now_us if facts.resolved_us is None else facts.resolved_us
    # A market that does not say when it closed has the time of its last price, which moves.
    return payout_micro(facts.payout), at_us if engine is None else min(at_us, engine[1])


def payout_micro(payout: Decimal) -> int:
    """Returns what a share pays, micro-USD. Last prices of some old markets end a little off 1 and 0; half and half stays."""
    if payout >= WON_FROM:
        return MICRO
    return 0 if payout <= LOST_TO else round(EXACT.multiply(payout, _MILLION))
