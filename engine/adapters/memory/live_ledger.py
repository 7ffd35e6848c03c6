"""Live orders and real money in memory, with the rules of the database: for replay, simulation and tests."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import attrs
import msgspec

from actors.rules.live.booking import HOUR_MS, lock_posting
from actors.rules.live.exits import fixed
from actors.rules.live.ledger import Money, can_lock, post
from actors.rules.live.settlement import release, settle_lot
from actors.rules.live.signals import exit_id_of
from engine.adapters.memory.live_batch import apply_batch
from engine.adapters.memory.live_state import KeptCooldown, KeptOrder, LiveState, MemoryStrategy
from protocols.clock import WallClock
from protocols.decisions import Decision
from protocols.errors import RejectedError
from protocols.live.events import OrderEvent
from protocols.live.exits import ExitKind, ExitSignal, ExitStatus, LiveExit
from protocols.live.money import CooldownEntry, LiveBalance, Posting, PostingKind
from protocols.live.orders import MANUAL, LiveIntent, LiveOrder, OrderOrigin, OrderStatus, Side, SignedOrder
from protocols.live.ports import Applied, Declined, Journaled, LiveSnapshot, Settled, SettledLot
from protocols.paper import Payouts
from protocols.timestamps import utc_datetime

MINUTE_MS = 60_000
LOTS_MAX = 500
Key = tuple[str, str]
_replace = msgspec.structs.replace


@attrs.define(eq=False, kw_only=True)
class MemoryLiveLedger:
    """`LiveOrderStore` over dicts. Nothing waits, so every call is a transaction."""

    clock: WallClock
    not_found_interval_ms: int
    state: LiveState = attrs.field(factory=LiveState)
    accounts: Collection[str] | None = None
    """Whose orders these are; those of others are neither read nor changed. None: of everybody."""

    def add_strategy(self, strategy_id: str, strategy: MemoryStrategy, capital_usd: Decimal) -> None:
        """Makes a strategy with its capital."""
        self.state.strategies[strategy_id] = strategy
        zero = Decimal(0)
        self.state.balances[strategy_id] = LiveBalance(strategy_id=strategy_id, initial=zero, available=zero)
        self.change_capital(strategy_id, capital_usd)

    def change_capital(self, strategy_id: str, delta_usd: Decimal) -> None:
        """Gives or takes capital. Raises `RejectedError` when more would be taken than is available."""
        old = self.state.balances[strategy_id]
        if old.available + delta_usd < 0:
            raise RejectedError(f"{strategy_id} has {old.available} USD available")
        posting = Posting(
            strategy_id=strategy_id, cause=f"capital:{old.version}", kind=PostingKind.CAPITAL, initial=delta_usd,
            available=delta_usd,
        )  # fmt: skip
        money = post(Money(old), posting)
        assert money.balance is not None
        # Capital that was given or taken is no profit and no loss: the peak moves with it (D20).
        peak = max(old.peak_equity + delta_usd, money.balance.equity)
        self._post({strategy_id: Money(attrs.evolve(money.balance, peak_equity=peak), money.lines)})

    def claim_decided(
        self, decisions: Sequence[Decision]
    ) -> tuple[Mapping[Key, list[LiveIntent]], Mapping[Key, list[str]]]:
        """Claims what decisions want, and makes obligations of their sales; returns both by decision, new ones only."""
        now_ms, claims, exits = self.clock.now_ms(), dict[Key, list[LiveIntent]](), dict[Key, list[str]]()
        for decision in decisions:
            for intent in decision.intents:
                if self.state.claim(intent):
                    claims.setdefault(decision.key, []).append(intent)
        for decision in decisions:
            if decision.exit_signal is not None and (made := self._exits_of(decision.exit_signal, now_ms)):
                exits[decision.key] = made
        return claims, exits

    async def snapshot(self, today_ms: int) -> LiveSnapshot:
        """Returns the state of the UTC day in which `today_ms` lies."""
        kept = sorted(self.state.orders_of(self.accounts), key=lambda one: one.number)
        open_exits = [one for one in self.state.exits.values() if one.status is ExitStatus.OPEN]

        def ours(strategy_id: str) -> bool:
            return self.state.is_of(strategy_id, self.accounts)

        entries: dict[str, list[int]] = {}
        for one in kept:
            signed = one.order.signed
            if signed is not None and signed.signed_ms > today_ms - MINUTE_MS and _origin(one) is OrderOrigin.COPY:
                entries.setdefault(one.order.strategy_id, []).append(signed.signed_ms)
        waiting = [one for one in kept if not one.order.ended]
        return LiveSnapshot(
            balances=tuple(one for one in self.state.balances.values() if ours(one.strategy_id)),
            claims=tuple(_replace(one.order.intent, inputs=one.inputs) for one in waiting if one.order.signed is None),
            working=tuple(one.order for one in waiting if one.order.signed is not None),
            lots=tuple(one.lot for one in kept if one.order.shares_open > 0),
            exits=tuple(one for one in open_exits if ours(one.strategy_id)),
            days={id_: figures for id_, figures in self.state.day(today_ms).items() if ours(id_)},
            entries_ms={strategy_id: tuple(sorted(times)) for strategy_id, times in entries.items()},
        )

    async def claim(self, intents: Sequence[LiveIntent]) -> tuple[LiveIntent, ...]:
        """Claims causes that no trade brings; returns those that nobody had claimed before."""
        return tuple(intent for intent in intents if self.state.claim(intent))

    async def decline(self, declined: Sequence[Declined]) -> tuple[LiveOrder, ...]:
        """Ends claims as REJECTED; one that is journaled or ended stays as it is."""
        ended = []
        for one in declined:
            kept = self.state.orders.get(one.order_id)
            if kept is None or kept.order.ended or kept.order.signed is not None:
                continue
            kept.order = _replace(
                kept.order, status=OrderStatus.REJECTED, ended=True, ended_ms=one.at_ms, reason=one.reason,
                detail=one.detail, version=kept.order.version + 1,
            )  # fmt: skip
            ended.append(kept.order)
        return tuple(ended)

    async def journal(self, orders: Sequence[tuple[LiveIntent, SignedOrder]]) -> Journaled:
        """Commit 2: locks money and keeps the signed bytes of claims; again is no harm."""
        done, refused, moneys = list[LiveOrder](), dict[str, str](), dict[str, Money]()
        for intent, signed in orders:
            kept = self.state.orders.get(intent.order_id)
            if kept is None or kept.order.status is not OrderStatus.PLACED:
                refused[intent.order_id] = "gone"
                continue
            if kept.order.signed is None:
                if not self._locks(kept, signed, moneys):
                    refused[intent.order_id] = "insufficient_cash"
                    continue
                kept.order = _replace(kept.order, signed=signed, version=kept.order.version + 1)
                kept.account = signed.account
                self.state.by_hash[signed.order_hash] = intent.order_id
            elif kept.order.signed.order_hash != signed.order_hash:
                refused[intent.order_id] = "gone"
                continue
            done.append(LiveOrder(intent=intent, signed=signed, version=kept.order.version))
        return Journaled(orders=tuple(done), refused=refused, balances=self._post(moneys))

    async def apply(self, events: Sequence[OrderEvent]) -> Applied:
        """Books events in their order, each exactly once however often it comes."""
        return apply_batch(self.state, events, self.not_found_interval_ms, self.clock.now_ms())

    async def settle(self, payouts: Sequence[Payouts], now_ms: int) -> Settled:
        """Closes open positions of resolved markets. A lot leaves OPEN once, whoever settles how often."""
        paid = {(one.condition_id, token_id): usd for one in payouts for token_id, usd in one.by_token.items()}
        found = [
            one
            for one in self.state.orders_of(self.accounts)
            if one.order.shares_open > 0 and _market(one) in paid and self.state.is_at_rest(one, now_ms)
        ]
        lots, moneys, today = list[SettledLot](), dict[str, Money](), utc_datetime(now_ms).date()
        for kept in sorted(found, key=lambda one: (one.order.strategy_id, one.number))[:LOTS_MAX]:
            strategy_id = kept.order.strategy_id
            money = moneys.get(strategy_id) or Money(self.state.balances.get(strategy_id))
            one = settle_lot(kept.order, paid[_market(kept)], money.balance)
            kept.order, kept.outcome = one.lot, one.settled.outcome
            moneys[strategy_id] = Money(one.money.balance, (*money.lines, *one.money.lines))
            self.state.add_days(strategy_id, {today: one.day})
            if one.cooldown is not None:
                self.state.cooldowns[strategy_id, one.cooldown.cause] = KeptCooldown(entry=one.cooldown)
            lots.append(one.settled)
        tokens = {(one.order.strategy_id, one.order.intent.token_id) for one in found}
        dated = {lot.strategy_id for lot in lots}
        days = {id_: figures for id_, figures in self.state.day(now_ms).items() if id_ in dated}
        return Settled(lots=tuple(lots), balances=self._post(moneys), exits=self._end_exits(tokens), days=days)

    async def open_markets(self, after: str, markets_max: int) -> list[tuple[str, frozenset[str]]]:
        """Returns markets with open positions and their tokens, in the order of their ids."""
        tokens: dict[str, set[str]] = {}
        for one in self.state.orders_of(self.accounts):
            if one.order.shares_open > 0:
                tokens.setdefault(one.order.intent.condition_id, set()).add(one.order.intent.token_id)
        return [(id_, frozenset(tokens[id_])) for id_ in sorted(tokens) if id_ > after][:markets_max]

    async def release(self, now_ms: int, redeemed: Sequence[tuple[str, str]] = ()) -> tuple[LiveBalance, ...]:
        """Makes due proceeds spendable, and lets those of redeemed markets begin to cool down."""
        moneys = dict[str, Money]()
        waiting = [
            one
            for one in self.state.cooldowns.values()
            if not one.is_released and self.state.is_of(one.entry.strategy_id, self.accounts)
        ]
        for kept in waiting:
            entry = kept.entry
            if entry.available_ms is None and (entry.strategy_id, entry.condition_id) in redeemed:
                hours = self.state.strategies[entry.strategy_id].cooldown_hours
                kept.entry = attrs.evolve(entry, available_ms=now_ms + int(hours * HOUR_MS))
        for kept in sorted(waiting, key=lambda one: one.entry.available_ms or 0):
            if kept.entry.available_ms is None or kept.entry.available_ms > now_ms:
                continue
            kept.is_released = True
            self._release(kept.entry, moneys)
        return self._post(moneys)

    async def open_exits(self, exits: Sequence[LiveExit]) -> tuple[LiveExit, ...]:
        """Makes obligations; returns those that are new."""
        return tuple(one for one in exits if self._open_exit(one))

    async def save_exits(self, exits: Sequence[LiveExit]) -> None:
        """Keeps status, attempts, times and detail of obligations."""
        for one in exits:
            old = self.state.exits.get(one.exit_id)
            if old is not None:
                self.state.exits[one.exit_id] = self.state.saved(old, one)

    async def fixed_target(self, exit_id: str) -> LiveExit | None:
        """Fixes the target from the open lots of now, once; None while a buy of those lots is still working."""
        one = self.state.exits.get(exit_id)
        if one is None or one.target_shares is not None or one.status is not ExitStatus.OPEN:
            return one
        buys = self.state.buys_for(one)
        if any(not order.ended for order in buys):
            return None
        held = sum((order.shares_open for order in buys), Decimal(0))
        promised = sum((other.left_shares for other in self.state.rivals(one)), Decimal(0))
        self.state.exits[exit_id] = one = fixed(one, held, promised, self.state.carry_dust(one))
        return one

    async def latch(self, strategy_id: str, reason: str | None, at_ms: int) -> None:
        """Latches the breaker of a strategy, or clears it with None."""
        self.state.strategies[strategy_id].breaker = reason

    def _locks(self, kept: KeptOrder, signed: SignedOrder, moneys: dict[str, Money]) -> bool:
        strategy_id = kept.order.strategy_id
        if not signed.lock_usd or strategy_id.startswith(f"{MANUAL}:"):
            return True
        money = moneys.get(strategy_id) or Money(self.state.balances.get(strategy_id))
        if money.balance is None or not can_lock(money.balance, signed.lock_usd):
            return False
        moneys[strategy_id] = post(money, lock_posting(kept.order.order_id, strategy_id, signed.lock_usd))
        return True

    def _release(self, entry: CooldownEntry, moneys: dict[str, Money]) -> None:
        money = moneys.get(entry.strategy_id) or Money(self.state.balances[entry.strategy_id])
        assert money.balance is not None
        released = release(money.balance, entry)
        moneys[entry.strategy_id] = Money(released.balance, (*money.lines, *released.lines))

    def _post(self, moneys: Mapping[str, Money]) -> tuple[LiveBalance, ...]:
        balances = []
        for strategy_id, money in moneys.items():
            self.state.write_lines(money.lines)
            if money.balance is not None:
                self.state.balances[strategy_id] = money.balance
                balances.append(money.balance)
        return tuple(balances)

    def _open_exit(self, one: LiveExit) -> bool:
        key = (one.strategy_id, one.cause, one.token_id)
        if any((old.strategy_id, old.cause, old.token_id) == key for old in self.state.exits.values()):
            return False
        self.state.exits[one.exit_id] = one
        return True

    def _end_exits(self, tokens: set[tuple[str, str]]) -> tuple[LiveExit, ...]:
        ended = []
        for id_, one in list(self.state.exits.items()):
            if one.status is ExitStatus.OPEN and (one.strategy_id, one.token_id) in tokens:
                ended.append(attrs.evolve(one, status=ExitStatus.SETTLED, detail="the market was resolved"))
                self.state.exits[id_] = ended[-1]
        return tuple(ended)

    def _exits_of(self, signal: ExitSignal, now_ms: int) -> list[str]:
        """Obligations of strategies that hold, or are buying, what was copied from a trader before his sale."""
        holders = dict.fromkeys(
            kept.order.strategy_id
            for kept in self.state.orders.values()
            if kept.order.intent.side is Side.BUY
            and (kept.order.intent.trader, kept.order.intent.token_id) == (signal.trader, signal.token_id)
            and (kept.order.shares_open > 0 or not kept.order.ended)
            and kept.ft_wallet_id in signal.ft_wallet_ids
            and kept.order.intent.signal_ms <= signal.trade_ms
        )
        made = []
        for strategy_id in holders:
            strategy = self.state.strategies.get(strategy_id)
            if strategy is None or not strategy.copy_sells:
                continue
            one = LiveExit(
                exit_id=exit_id_of(strategy_id, signal.trade_id, signal.token_id), strategy_id=strategy_id,
                cause=signal.trade_id, kind=ExitKind.TRADER_SELL, condition_id=signal.condition_id,
                token_id=signal.token_id, trader=signal.trader, share=signal.share, signal_price=signal.price,
                signal_ms=signal.trade_ms, created_ms=now_ms, deadline_ms=now_ms + strategy.exit_deadline_s * 1000,
                next_try_ms=now_ms,
            )  # fmt: skip
            if self._open_exit(one):
                made.append(one.exit_id)
        return made


def _origin(kept: KeptOrder) -> OrderOrigin:
    return kept.order.intent.origin


def _market(kept: KeptOrder) -> tuple[str, str]:
    return (kept.order.intent.condition_id, kept.order.intent.token_id)
