"""What accounts have at the venue: its last word, less what we know to have been spent since."""

from collections import deque
from decimal import Decimal

import attrs

ZERO = Decimal(0)


@attrs.define(eq=False)
class _Cash:
    usd: Decimal
    observed_s: float
    spent: deque[tuple[float, Decimal]] = attrs.field(factory=deque)
    left: Decimal = attrs.field(init=False)
    """USD less all of `spent`: asked for with every order."""

    def __attrs_post_init__(self) -> None:
        self.left = self.usd - sum((usd for _, usd in self.spent), ZERO)


@attrs.define(eq=False)
class AccountCash:
    """Never more than there is: a fill that the venue may have counted already is taken off until it is asked again."""

    _by_account: dict[str, _Cash] = attrs.field(init=False, factory=dict)

    def note(self, account: str, usd: Decimal, observed_s: float) -> None:
        """Takes the venue's word, asked for at monotonic time `observed_s`; an older one than the last is ignored."""
        before = self._by_account.get(account)
        if before is not None and before.observed_s > observed_s:
            return
        spent = deque(one for one in (before.spent if before else ()) if one[0] > observed_s)
        self._by_account[account] = _Cash(usd, observed_s, spent)

    def spend(self, account: str, usd: Decimal, at_s: float) -> None:
        """Takes off what a fill cost."""
        cash = self._by_account.get(account)
        if cash is not None and usd > 0:
            cash.spent.append((at_s, usd))
            cash.left -= usd

    def left(self, account: str) -> Decimal | None:
        """Returns USD, or None while the venue has not said."""
        cash = self._by_account.get(account)
        return None if cash is None else cash.left
