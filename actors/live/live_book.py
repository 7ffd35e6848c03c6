"""What live strategies have at hand: balances, working orders, positions, obligations, and the cash of accounts.

Everything here was committed, or is about to be: an entry that the executor is preparing holds its part of the money until it
is journaled or declined. Nothing here waits.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

import attrs
import trio

from actors.live.account_cash import AccountCash
from actors.live.commitments import Commitments, Reserved
from actors.live.live_copies import copied_pairs, copies
from actors.live.live_registry import LiveRegistry
from protocols.live.exits import ExitStatus, LiveExit, Lot
from protocols.live.holdings import LiveCopy
from protocols.live.money import DayFigures, LiveBalance
from protocols.live.orders import MANUAL, LiveIntent, LiveOrder
from protocols.live.ports import Applied, Journaled, LiveSnapshot, Settled
from protocols.live.settings import LiveStrategy
from protocols.venue.clob_account import BalanceAllowance

ZERO = Decimal(0)
MICRO = Decimal(1_000_000)
DAY_MS = 86_400_000
MINUTE_MS = 60_000


@attrs.define(eq=False, kw_only=True)
class LiveBook:
    """The memory that risk rules look at. Read once from the database, then kept by what was committed."""

    registry: LiveRegistry
    loaded: trio.Event = attrs.field(init=False, factory=trio.Event)
    balances: dict[str, LiveBalance] = attrs.field(init=False, factory=dict)
    _days: dict[str, DayFigures] = attrs.field(init=False, factory=dict)
    _day: int = attrs.field(init=False, default=0)
    """The UTC day that `_days` is of."""
    _claims: dict[str, LiveIntent] = attrs.field(init=False, factory=dict)
    _working: dict[str, LiveOrder] = attrs.field(init=False, factory=dict)
    """By order_id."""
    _by_hash: dict[str, str] = attrs.field(init=False, factory=dict)
    _lots: dict[str, Lot] = attrs.field(init=False, factory=dict)
    _exits: dict[str, LiveExit] = attrs.field(init=False, factory=dict)
    _entries_ms: dict[str, deque[int]] = attrs.field(init=False, factory=dict)
    _reserved: dict[str, Reserved] = attrs.field(init=False, factory=dict)
    in_hand: set[str] = attrs.field(init=False, factory=set)
    """Hashes of journaled orders that this process may still be about to send: their absence at the venue says nothing."""
    cash: AccountCash = attrs.field(init=False, factory=AccountCash)
    _bound: Commitments = attrs.field(init=False, factory=Commitments)

    def load(self, snapshot: LiveSnapshot, now_ms: int) -> None:
        """Takes over what the database had."""
        # The table of strategies comes over another connection, and may be younger.
        known = self.balances
        self.balances = {}
        self._take_balances(snapshot.balances)
        self._take_balances(known[id_] for id_ in self.balances.keys() & known.keys())
        self._claims = {one.order_id: one for one in snapshot.claims}
        self._working, self._by_hash = {}, {}
        self._bound.clear()
        for order in snapshot.working:
            self._keep(order)
        self._lots = {}
        for lot in snapshot.lots:
            self._take_lot(lot)
        self._exits = {one.exit_id: one for one in snapshot.exits}
        self._days, self._day = dict(snapshot.days), now_ms // DAY_MS
        self._entries_ms = {id_: deque(times) for id_, times in snapshot.entries_ms.items()}
        self._reserved = {}
        self.loaded.set()

    def refresh(self, snapshot: LiveSnapshot, now_ms: int) -> None:
        """Takes over what the database has: somebody may not have been told what he committed. What is prepared stays held.

        A claim that memory does not have is not taken over: it is declined, or offered to the executor.
        """
        known, held = self._claims, self._reserved
        self.load(snapshot, now_ms)
        self._claims = {id_: one for id_, one in self._claims.items() if id_ in known}
        for one in held.values():
            self.reserve(one)

    def claimed(self, intents: Iterable[LiveIntent]) -> None:
        """Takes claims that were committed."""
        for intent in intents:
            self._claims[intent.order_id] = intent

    def declined(self, order_ids: Iterable[str]) -> None:
        """Forgets claims that ended, and what was held for them."""
        for order_id in order_ids:
            self._claims.pop(order_id, None)
            self._unreserve(order_id)

    def reserve(self, reserved: Reserved) -> None:
        """Holds what an entry will lock until it is journaled or declined."""
        self._reserved[reserved.order_id] = reserved
        self._bound.hold(reserved)

    def journaled(self, result: Journaled) -> None:
        """Takes what commit 2 did."""
        self._take_balances(result.balances)
        for order in result.orders:
            self._claims.pop(order.order_id, None)
            held = self._unreserve(order.order_id)
            if held is not None:
                self._entries_ms.setdefault(held.strategy_id, deque()).append(held.at_ms)
            self._keep(order)
        self.declined(result.refused)

    def applied(self, result: Applied, now_ms: int) -> None:
        """Takes what events did."""
        self._take_balances(result.balances)
        for account, usd in result.spent_usd.items():
            self.cash.spend(account, usd, trio.current_time())
        for order in result.orders:
            self._keep(order)
        for lot in result.lots:
            self._take_lot(lot)
        self._take_exits(result.exits)
        self._turn_day(now_ms)
        self._days.update(result.days)

    def settled(self, result: Settled, now_ms: int) -> None:
        """Takes what resolutions did."""
        self._take_balances(result.balances)
        for lot in result.lots:
            self._lots.pop(lot.order_id, None)
            self._bound.lots.drop(lot.order_id)
        self._take_exits(result.exits)
        self._turn_day(now_ms)
        self._days.update(result.days)

    def take_balances(self, balances: Iterable[LiveBalance]) -> None:
        """Takes balances that were committed."""
        self._take_balances(balances)

    def take_exits(self, exits: Iterable[LiveExit]) -> None:
        """Takes obligations that were committed."""
        self._take_exits(exits)

    def note_cash(self, account: str, collateral: BalanceAllowance, observed_s: float) -> None:
        """Takes what the venue says an account has, asked for at monotonic time `observed_s`."""
        self.cash.note(account, Decimal(collateral.balance_micro) / MICRO, observed_s)

    @property
    def strategies(self) -> Mapping[str, LiveStrategy]:
        """Returns all live strategies by id."""
        return self.registry.strategies

    def order(self, order_hash: str) -> LiveOrder | None:
        """Returns a working order by its hash."""
        order_id = self._by_hash.get(order_hash)
        return None if order_id is None else self._working.get(order_id)

    def working_orders(self, account: str | None = None) -> Sequence[LiveOrder]:
        """Returns journaled orders that have not ended, of one account or all."""
        return [one for one in self._working.values() if account is None or _signed_for(one) == account]

    def claims(self) -> Sequence[LiveIntent]:
        """Returns claims that are not journaled yet."""
        return list(self._claims.values())

    def lots(self) -> Sequence[Lot]:
        """Returns open positions."""
        return list(self._lots.values())

    def lots_of(self, strategy_id: str, token_id: str) -> Sequence[Lot]:
        """Returns open positions of a strategy in a token."""
        return [lot for lot in self._lots.values() if (lot.strategy_id, lot.token_id) == (strategy_id, token_id)]

    def exits(self) -> Sequence[LiveExit]:
        """Returns open obligations to sell."""
        return list(self._exits.values())

    def account_of(self, strategy_id: str) -> str | None:
        """Returns the account that a strategy trades with."""
        if strategy_id.startswith(f"{MANUAL}:"):
            return strategy_id.removeprefix(f"{MANUAL}:")
        strategy = self.registry.strategies.get(strategy_id)
        return None if strategy is None else strategy.account

    def positions(self, account: str) -> Mapping[str, Decimal]:
        """Returns shares by token that an account should hold."""
        shares: dict[str, Decimal] = {}
        for lot in self._lots.values():
            if self.account_of(lot.strategy_id) == account:
                shares[lot.token_id] = shares.get(lot.token_id, ZERO) + lot.shares
        return shares

    def locked_working(self, account: str) -> Decimal:
        """Returns what working and prepared buys of an account may still cost, USD."""
        return self._bound.buying("account", account)

    def spendable(self, account: str) -> Decimal | None:
        """Returns what an account can still pay for new buys, USD; None while the venue has not said."""
        left = self.cash.left(account)
        return None if left is None else left - self.locked_working(account)

    def available(self, strategy_id: str) -> Decimal:
        """Returns what a strategy may stake: spendable cash less what is being prepared (D23)."""
        balance = self.balances.get(strategy_id)
        return ZERO if balance is None else balance.available - self._held(strategy_id)

    def locked(self, strategy_id: str) -> Decimal:
        """Returns what a strategy has locked, with what is being prepared."""
        balance = self.balances.get(strategy_id)
        return (ZERO if balance is None else balance.locked) + self._held(strategy_id)

    def exposure(self, strategy_id: str, *, condition_id: str | None = None, event_slug: str | None = None) -> Decimal:
        """Returns what a market, or all markets of an event, have locked of a strategy."""

        if condition_id is not None:
            return self._bound.bound("market", strategy_id, condition_id)
        return ZERO if event_slug is None else self._bound.bound("event", strategy_id, event_slug)

    def pending(self, strategy_id: str) -> Decimal:
        """Returns what working and prepared buys of a strategy may still cost."""
        return self._bound.buying("strategy", strategy_id)

    def day(self, strategy_id: str, now_ms: int) -> DayFigures:
        """Returns the figures of this UTC day."""
        self._turn_day(now_ms)
        return self._days.get(strategy_id, DayFigures())

    def entries_last_minute(self, strategy_id: str, now_ms: int) -> int:
        """Returns entries of the last 60 s, with what is being prepared."""
        times = self._entries_ms.get(strategy_id, deque())
        while times and times[0] <= now_ms - MINUTE_MS:
            times.popleft()
        return len(times) + self._bound.held.count(("strategy", strategy_id))

    async def wait_loaded(self) -> None:
        """Returns when the book has been read."""
        await self.loaded.wait()

    def holders(self, trader: str, token_id: str) -> Collection[str]:
        """Returns wallet_ids of paper strategies whose mirrors hold or buy what a trader was copied in."""
        return {one.wallet_id for one in self.copies() if (one.trader, one.token_id) == (trader, token_id)}

    def copies(self) -> list[LiveCopy]:
        """Returns what mirrors hold or buy."""
        return copies(self._lots.values(), self._coming(), self.registry.strategies)

    def pairs(self) -> Iterable[tuple[str, str, str]]:
        """Returns (trader, condition_id, token_id) of everything held or being bought."""
        return copied_pairs(self._lots.values(), self._coming())

    def _coming(self) -> list[LiveIntent]:
        return [*self._claims.values(), *(order.intent for order in self._working.values())]

    def _held(self, strategy_id: str) -> Decimal:
        return self._bound.held.total(("strategy", strategy_id))

    def _unreserve(self, order_id: str) -> Reserved | None:
        self._bound.held.drop(order_id)
        return self._reserved.pop(order_id, None)

    def _keep(self, order: LiveOrder) -> None:
        self._bound.take_order(order)
        if order.signed is not None:
            self._by_hash[order.signed.order_hash] = order.order_id
        if not order.ended:
            self._working[order.order_id] = order
            return
        self._working.pop(order.order_id, None)
        if order.signed is not None:
            self._by_hash.pop(order.signed.order_hash, None)

    def _take_lot(self, lot: Lot) -> None:
        self._bound.take_lot(lot)
        if lot.shares > 0:
            self._lots[lot.order_id] = lot
        else:
            self._lots.pop(lot.order_id, None)

    def _take_exits(self, exits: Iterable[LiveExit]) -> None:
        for one in exits:
            if one.status is ExitStatus.OPEN:
                self._exits[one.exit_id] = one
            else:
                self._exits.pop(one.exit_id, None)

    def _take_balances(self, balances: Iterable[LiveBalance]) -> None:
        for one in balances:
            known = self.balances.get(one.strategy_id)
            if known is None or one.version > known.version:
                self.balances[one.strategy_id] = one

    def _turn_day(self, now_ms: int) -> None:
        if now_ms // DAY_MS != self._day:
            self._day = now_ms // DAY_MS
            self._days.clear()


def _signed_for(order: LiveOrder) -> str | None:
    return None if order.signed is None else order.signed.account
