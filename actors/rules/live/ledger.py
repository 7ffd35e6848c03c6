"""Posting to a balance: exact, and what cannot be paid becomes drift instead of a negative bucket (I1, I3)."""

from decimal import Decimal

import attrs

from actors.rules.exact import ZERO
from protocols.live.money import LiveBalance, Posting


@attrs.frozen
class Line:
    """A posting as it is written: with the drift that it made, or paid back when less than 0."""

    posting: Posting
    drift: Decimal
    available: Decimal
    """What it came to with the drift."""


@attrs.frozen
class Money:
    """A balance and the lines that brought it there; no balance, no lines."""

    balance: LiveBalance | None
    lines: tuple[Line, ...] = ()


def can_lock(balance: LiveBalance, usd: Decimal) -> bool:
    """Returns whether a lock is granted: the only posting that may be refused."""
    return balance.drift == 0 and usd <= balance.available


def post(money: Money, posting: Posting) -> Money:
    """Returns the money after a posting. A fact always books; what is not available goes to drift, which later money repays."""
    old = money.balance
    if old is None:
        return money
    wanted = old.available + posting.available - old.drift
    # Drift is negative cash under another name: only one of the two is more than zero.
    available, drift = max(ZERO, wanted), max(ZERO, -wanted)
    initial, realized = old.initial + posting.initial, old.realized_pnl + posting.realized
    locked, cooldown = old.locked + posting.locked, old.cooldown + posting.cooldown
    assert locked >= 0, f"locked would be {locked}"
    assert cooldown >= 0, f"cooldown would be {cooldown}"
    new = attrs.evolve(
        old,
        initial=initial,
        available=available,
        locked=locked,
        cooldown=cooldown,
        realized_pnl=realized,
        drift=drift,
        peak_equity=max(old.peak_equity, initial + realized),
        version=old.version + 1,
    )
    assert new.available + new.locked + new.cooldown == new.initial + new.realized_pnl + new.drift
    return Money(new, (*money.lines, Line(posting, drift - old.drift, available - old.available)))
