"""What an account really holds of a token whose sale the venue refused. Part of exit_keeper.

A buy may fail on the chain after its shares were sold: then the account has less than its lots say, and who wants to sell
all of them is refused each time, though most of it could be sold.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from actors.live.live_book import LiveBook
from protocols.live.orders import LiveOrder, Side
from protocols.live.ports import ClobAccount
from protocols.venue.order_amounts import SIZE_PLACES, floored

NOT_ENOUGH = "not_enough_balance"
_MICRO = Decimal(1_000_000)


@attrs.define(eq=False, kw_only=True)
class ShortPositions:
    """refused sales → how much of the next one the venue would take."""

    book: LiveBook
    accounts: Mapping[str, ClobAccount]
    asked: int = attrs.field(init=False, default=0)
    _refused: set[tuple[str, str]] = attrs.field(init=False, factory=set)
    """By strategy and token."""

    def note(self, orders: Iterable[LiveOrder]) -> None:
        """Remembers sales that were refused because the account has not enough; never waits."""
        for order in orders:
            if order.intent.side is Side.SELL and order.ended and order.reason == NOT_ENOUGH:
                self._refused.add((order.strategy_id, order.intent.token_id))

    async def sellable(self, strategy_id: str, token_id: str, wanted_shares: Decimal) -> Decimal:
        """Returns how many of the shares the account has. Raises `TransientError` and `RejectedError`.

        The venue is asked only after a refusal, until it has as many as are wanted: then it was the allowance, or late.
        """
        place = (strategy_id, token_id)
        account = self.accounts.get(self.book.account_of(strategy_id) or "")
        if place not in self._refused or account is None:
            return wanted_shares
        self.asked += 1
        held = floored(Decimal((await account.conditional(token_id)).balance_micro) / _MICRO, SIZE_PLACES)
        if held >= wanted_shares:
            self._refused.discard(place)
        return min(held, wanted_shares)
