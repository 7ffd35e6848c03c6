"""What a resolved market means for an open position, and how proceeds become spendable."""

from decimal import Decimal

import attrs
import msgspec

from actors.rules.exact import EXACT, MICRO_USD, ZERO, half_up
from actors.rules.live.ledger import Money, post
from protocols.live.money import CooldownEntry, DayFigures, LiveBalance, Posting, PostingKind
from protocols.live.orders import LiveOrder
from protocols.live.ports import SettledLot

FINAL_AFTER_S = 3_600
"""A fill that nobody called final by then is taken for one: the chain takes minutes (venue.md §7)."""


@attrs.frozen(kw_only=True)
class Settlement:
    """What closing one position comes to."""

    lot: LiveOrder
    """With nothing open any more."""
    settled: SettledLot
    money: Money
    cooldown: CooldownEntry | None
    day: DayFigures


def settle_lot(lot: LiveOrder, payout: Decimal, balance: LiveBalance | None) -> Settlement:
    """Closes a position at USD a share.

    What it pays is not spendable before it was redeemed: it waits in `cooldown` until the account holds the token no more. A
    position that pays nothing has nothing to redeem.
    """
    value = half_up(EXACT.multiply(lot.shares_open, payout), MICRO_USD)
    pnl = value - lot.cost_open
    outcome = "WON" if payout == 1 else "LOST" if payout == 0 else "VOID"
    # A position that a late fill or a sale that failed has opened again is settled again.
    cause = f"settle:{lot.order_id}:{lot.version}"
    posting = Posting(
        strategy_id=lot.strategy_id, cause=cause, kind=PostingKind.SETTLEMENT, order_id=lot.order_id,
        locked=-lot.cost_open, cooldown=value, realized=pnl,
    )  # fmt: skip
    cooldown = None
    if value > 0 and balance is not None:
        cooldown = CooldownEntry(
            strategy_id=lot.strategy_id, cause=cause, amount=value, available_ms=None,
            condition_id=lot.intent.condition_id, token_id=lot.intent.token_id, shares=lot.shares_open,
        )  # fmt: skip
    closed = msgspec.structs.replace(
        lot, shares_open=ZERO, cost_open=ZERO, realized_usd=lot.realized_usd + pnl, version=lot.version + 1
    )
    settled = SettledLot(
        order_id=lot.order_id, strategy_id=lot.strategy_id, condition_id=lot.intent.condition_id, outcome=outcome,
        value=value, pnl=pnl,
    )  # fmt: skip
    day = DayFigures(pnl_usd=pnl, lost_usd=max(ZERO, -pnl))
    return Settlement(lot=closed, settled=settled, money=post(Money(balance), posting), cooldown=cooldown, day=day)


def release(balance: LiveBalance, entry: CooldownEntry) -> Money:
    """Makes proceeds spendable; drift is paid back first."""
    posting = Posting(
        strategy_id=entry.strategy_id, cause=f"release:{entry.cause}", kind=PostingKind.RELEASE, available=entry.amount,
        cooldown=-entry.amount,
    )  # fmt: skip
    return post(Money(balance), posting)
