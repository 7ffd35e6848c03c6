"""Live orders, fills, positions, obligations and money in memory, and what one transaction writes of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

import attrs
import msgspec

from actors.rules.live.ledger import Line
from actors.rules.live.settlement import FINAL_AFTER_S
from protocols.errors import RejectedError
from protocols.live.exits import ExitKind, ExitStatus, LiveExit, Lot, LotSale
from protocols.live.money import CooldownEntry, DayFigures, LiveBalance
from protocols.live.orders import MANUAL, Fill, LiveIntent, LiveOrder, Side
from protocols.timestamps import utc_datetime

_PREFIX = f"{MANUAL}:"


@attrs.define(kw_only=True)
class MemoryStrategy:
    """What the store of orders looks at of a live strategy."""

    account: str
    ft_wallet_id: str
    cooldown_hours: Decimal = Decimal(0)
    copy_sells: bool = True
    exit_deadline_s: int = 300
    is_active: bool = True
    breaker: str | None = None


@attrs.define(kw_only=True)
class KeptOrder:
    """An order as a row has it."""

    order: LiveOrder
    account: str
    ft_wallet_id: str | None
    number: int
    """In the order of claims."""
    inputs: str | None
    """Of its decision, while it is a claim."""
    outcome: str = "NONE"
    first_fill_ms: int | None = None

    @property
    def lot(self) -> Lot:
        """Returns what is open of it."""
        intent = self.order.intent
        return Lot(
            order_id=intent.order_id,
            strategy_id=intent.strategy_id,
            trader=intent.trader,
            condition_id=intent.condition_id,
            token_id=intent.token_id,
            signal_ms=intent.signal_ms,
            bought_ms=intent.signal_ms if self.first_fill_ms is None else self.first_fill_ms,
            shares=self.order.shares_open,
            cost=self.order.cost_open,
            event_slug=intent.event_slug,
        )


@attrs.define(kw_only=True)
class KeptCooldown:
    """Proceeds that wait, or have waited."""

    entry: CooldownEntry
    is_released: bool = False


@attrs.define(eq=False, kw_only=True)
class LiveState:
    """Tables of live trading. A cause of the ledger is written once: twice is `RejectedError`, as in the database."""

    strategies: dict[str, MemoryStrategy] = attrs.field(factory=dict)
    balances: dict[str, LiveBalance] = attrs.field(factory=dict)
    orders: dict[str, KeptOrder] = attrs.field(factory=dict)
    by_hash: dict[str, str] = attrs.field(factory=dict)
    by_cause: dict[tuple[str, str], list[str]] = attrs.field(factory=dict)
    """Attempts by strategy and cause."""
    members: dict[tuple[str, str], str] = attrs.field(factory=dict)
    """By strategy and trade: which order copied it."""
    fills: dict[str, dict[str, Fill]] = attrs.field(factory=dict)
    sales: dict[tuple[str, str], list[LotSale]] = attrs.field(factory=dict)
    """By hash and trade id; those that were taken back are gone."""
    ledger: dict[tuple[str, str], Line] = attrs.field(factory=dict)
    cooldowns: dict[tuple[str, str], KeptCooldown] = attrs.field(factory=dict)
    days: dict[tuple[str, date], DayFigures] = attrs.field(factory=dict)
    exits: dict[str, LiveExit] = attrs.field(factory=dict)

    def claim(self, intent: LiveIntent) -> bool:
        """Makes a claim; False where it, or what it copies, was claimed before, or its strategy is gone."""
        account = self._account_of(intent)
        if account is None or intent.order_id in self.orders:
            return False
        same = [self.orders[id_].order for id_ in self.by_cause.get((intent.strategy_id, intent.cause), ())]
        if any(one.intent.attempt == intent.attempt or not one.ended for one in same):
            return False
        copied = (intent.members or (intent.cause,)) if intent.origin.value == "copy" else ()
        keys = [(intent.strategy_id, trade_id) for trade_id in copied]
        if any(key in self.members for key in keys):
            return False
        self.by_cause.setdefault((intent.strategy_id, intent.cause), []).append(intent.order_id)
        self.members.update(dict.fromkeys(keys, intent.order_id))
        strategy = self.strategies.get(intent.strategy_id)
        self.orders[intent.order_id] = KeptOrder(
            order=LiveOrder(intent=msgspec.structs.replace(intent, inputs=None, seen_s=None)),
            account=account,
            ft_wallet_id=None if strategy is None else strategy.ft_wallet_id,
            number=len(self.orders),
            inputs=intent.inputs,
        )
        return True

    def write_lines(self, lines: Sequence[Line]) -> None:
        """Appends to the ledger. Raises `RejectedError` for a cause that is there."""
        for line in lines:
            key = (line.posting.strategy_id, line.posting.cause)
            if key in self.ledger:
                raise RejectedError(f"{key[1]} was booked before")
            self.ledger[key] = line

    def add_days(self, strategy_id: str, days: Mapping[date, DayFigures]) -> None:
        """Adds to the figures of UTC days; orders by hand have none."""
        if strategy_id.startswith(_PREFIX):
            return
        for day, new in days.items():
            old = self.days.get((strategy_id, day), DayFigures())
            self.days[strategy_id, day] = DayFigures(
                spent_usd=old.spent_usd + new.spent_usd,
                lost_usd=old.lost_usd + new.lost_usd,
                pnl_usd=old.pnl_usd + new.pnl_usd,
            )

    def day(self, at_ms: int) -> dict[str, DayFigures]:
        """Returns the figures of the UTC day in which a time lies, by strategy."""
        wanted = utc_datetime(at_ms).date()
        return {strategy_id: figures for (strategy_id, day), figures in self.days.items() if day == wanted}

    def lots_of(self, strategy_id: str, token_id: str) -> list[KeptOrder]:
        """Returns buys of a token with something open."""
        return [
            one
            for one in self.orders.values()
            if one.order.shares_open > 0
            and (one.order.strategy_id, one.order.intent.token_id) == (strategy_id, token_id)
        ]

    def is_at_rest(self, kept: KeptOrder, now_ms: int) -> bool:
        """Returns whether nothing is on its way that may still sell or undo what a BUY has bought."""
        order, fresh_ms = kept.order, now_ms - FINAL_AFTER_S * 1000
        place = (order.strategy_id, order.intent.token_id)
        selling = any(
            one.order.intent.side is Side.SELL and _may_still_sell(one.order, fresh_ms)
            for one in self.orders.values()
            if (one.order.strategy_id, one.order.intent.token_id) == place
        )
        fills = self.fills.get(order.signed.order_hash, {}).values() if order.signed is not None else ()
        return not selling and all(one.status in ("CONFIRMED", "FAILED") or one.match_ms <= fresh_ms for one in fills)

    def carry_dust(self, one: LiveExit) -> Decimal:
        """Takes over what earlier obligations of the same lots did not sell, since it was too little."""
        carried = Decimal(0)
        for other in list(self.exits.values()):
            same = (other.strategy_id, other.token_id, other.trader) == (one.strategy_id, one.token_id, one.trader)
            ended = other.status in (ExitStatus.DUST, ExitStatus.DONE) and other.kind is ExitKind.TRADER_SELL
            if same and ended and other.left_shares:
                carried += other.left_shares
                self.exits[other.exit_id] = attrs.evolve(
                    other, target_shares=other.sold_shares, detail="the rest is sold with the next"
                )
        return carried

    def saved(self, old: LiveExit, new: LiveExit) -> LiveExit:
        """Returns an obligation as it is kept: one that has ended stays so; one that ends owes no more than it says."""
        ends = old.status is ExitStatus.OPEN and new.status is not ExitStatus.OPEN
        target = old.target_shares
        if ends and target is not None and new.target_shares is not None:
            target = max(old.sold_shares, min(target, new.target_shares))
        return attrs.evolve(
            old, status=new.status if ends else old.status, target_shares=target,
            attempts=max(old.attempts, new.attempts), next_try_ms=new.next_try_ms, detail=new.detail,
        )  # fmt: skip

    def rivals(self, one: LiveExit) -> list[LiveExit]:
        """Returns other obligations that sell of the same lots, as far as they are fixed."""
        return [
            other
            for other in self.exits.values()
            if (other.strategy_id, other.token_id) == (one.strategy_id, one.token_id)
            and other.status is ExitStatus.OPEN
            and other.target_shares is not None
            and other.exit_id != one.exit_id
            and (other.trader is None or one.trader is None or other.trader == one.trader)
        ]

    def buys_for(self, one: LiveExit) -> list[LiveOrder]:
        """Returns buys that an obligation sells of: open ones, and those that still work."""
        return [
            kept.order
            for kept in self.orders.values()
            if kept.order.intent.side is Side.BUY
            and (kept.order.strategy_id, kept.order.intent.token_id) == (one.strategy_id, one.token_id)
            and (kept.order.shares_open > 0 or not kept.order.ended)
            and (one.trader is None or kept.order.intent.trader == one.trader)
            and (one.kind is not ExitKind.TRADER_SELL or kept.order.intent.signal_ms <= one.signal_ms)
        ]

    def is_of(self, strategy_id: str, accounts: Collection[str] | None) -> bool:
        """Returns whether a strategy, archived ones and orders by hand included, trades one of the accounts; None: any."""
        if accounts is None:
            return True
        strategy = self.strategies.get(strategy_id)
        return (strategy_id.removeprefix(_PREFIX) if strategy is None else strategy.account) in accounts

    def orders_of(self, accounts: Collection[str] | None) -> Iterable[KeptOrder]:
        """Returns all orders of some accounts; None: of all."""
        kept = self.orders.values()
        return kept if accounts is None else [one for one in kept if one.account in accounts]

    def _account_of(self, intent: LiveIntent) -> str | None:
        strategy = self.strategies.get(intent.strategy_id)
        if strategy is not None:
            return strategy.account if strategy.is_active or intent.origin.value == "exit" else None
        return intent.strategy_id.removeprefix(_PREFIX) if intent.strategy_id.startswith(_PREFIX) else None


def _may_still_sell(order: LiveOrder, fresh_ms: int) -> bool:
    return order.signed is not None and not order.ended and order.signed.signed_ms > fresh_ms
