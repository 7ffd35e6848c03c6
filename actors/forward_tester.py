"""Decides for every trade of lane 0 what each strategy does with virtual money."""

import logging
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.decision_maker import NOTHING, DecisionMaker
from actors.decision_room import DecisionRoom, Pending
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.recent_set import RecentSet
from actors.rules.strategy_index import NOW, Needs, Runner, StrategyIndex
from actors.strategy_registry import StrategyRegistry
from config.schema import ForwardTestingConfig
from protocols.channels import Inbox, Outbox
from protocols.clock import Random
from protocols.decide_shards import is_decided, is_of_shard, whole_part
from protocols.decisions import DecidedTrade, Decision
from protocols.errors import TransientError
from protocols.ingest import SpillStore
from protocols.live.holdings import LiveHoldings, NoLiveHoldings
from protocols.paper import PaperStore, SettledOrder, UndecidedTrade
from protocols.receipts import Receipt
from protocols.trades import Lane, LanedTrade

_log = logging.getLogger(__name__)
DECIDED_MAX = 50_000
RECOVER_MIN_S, RECOVER_MAX_S = 120, 900
JOURNAL_POLL_S = 0.05
AUDIT_S = 60.0
DOUBT_S = 0.5
NO_LIVE = NoLiveHoldings()


@attrs.define(eq=False, kw_only=True)
class ForwardTester:
    """lane 0 → decided trades. Every strategy that may copy the trader is judged in memory; no query per strategy.

    A trade is decided once for each part: strategies that need nothing decide now, others when what they wait for is there,
    and meanwhile the trade itself is passed on. Begins when the journal of the run before is in the database and accounts are
    read; then it decides what was stored and never decided. A crash repeats decisions, and the database keeps the first.
    """

    trades: Inbox[LanedTrade]
    kept: Outbox[LanedTrade]
    registry: StrategyRegistry
    maker: DecisionMaker
    room: DecisionRoom
    store: PaperStore
    spill: SpillStore | None
    """What was decided and is not in the database yet; None: there is no such place."""
    config: ForwardTestingConfig
    rng: Random
    live: LiveHoldings = NO_LIVE
    stored_before: bool = False
    """Trades come from the database: only decisions are passed on."""
    audit_s: float = AUDIT_S
    """How often accounts at hand are compared with those in the database."""
    dead_letters: int = attrs.field(init=False, default=0)
    """Trades of which no decision could be made; they are kept undecided."""
    recovered: int = attrs.field(init=False, default=0)
    """Trades that a run before had stored and not decided."""
    failures: int = attrs.field(init=False, default=0)
    _index: StrategyIndex = attrs.field(init=False, factory=StrategyIndex)
    """The registry's, once accounts of all its strategies are read."""
    _ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    _doubted: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set when accounts have to be read again."""
    _decided: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(DECIDED_MAX))
    _decided_otherwise: set[str] = attrs.field(init=False, factory=set)
    """Trades of which runs before decided parts that are called otherwise here: by shard, or for all."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Decides until the stream of trades ends; what waits then is left to the next start."""
        async with trio.open_nursery() as nursery:
            self.room.open(nursery)
            task_status.started()
            await self._recover()
            nursery.start_soon(self._follow_strategies)
            while batch := await self.trades.batch(self.config.batch_max):
                await self._take(batch)
            nursery.cancel_scope.cancel()

    def received(self, receipts: Sequence[Receipt]) -> None:
        """Books what became of decisions; never waits. One that did not happen may be decided again when its trade comes."""
        for receipt in receipts:
            if not receipt.applied and (lost := self.maker.book.in_flight.get(receipt.key)) is not None:
                self.maker.forget(lost)
                for trade_id in lost.members or (lost.trade_id,):
                    self._decided.discard(_mark(trade_id, lost.part))
        self.maker.book.received(receipts)
        if self.maker.book.doubts:
            self._doubted.set()

    def settled(self, orders: Sequence[SettledOrder]) -> None:
        """Books what resolutions paid; never waits."""
        self.maker.book.settled(orders)

    def passed_on(self, decision: Decision) -> None:
        """Remembers that a part of a trade was decided and passed on."""
        for trade_id in decision.members or (decision.trade_id,):
            self._decided.add(_mark(trade_id, decision.part))

    async def _take(self, batch: Sequence[LanedTrade]) -> None:
        out: list[LanedTrade] = []
        for laned in batch:
            try:
                self._consider(laned, out)
            except Exception as error:
                self.dead_letters += 1
                _log.error("no decision on a trade", extra={"trade_id": laned.trade.trade_id}, exc_info=error)
                out.append(laned)
        await self.kept.send_many([one for one in out if isinstance(one, DecidedTrade)] if self.stored_before else out)
        for laned in out:
            if isinstance(laned, DecidedTrade):
                for decision in laned.decisions:
                    self.passed_on(decision)

    def _consider(self, laned: LanedTrade, out: list[LanedTrade]) -> None:
        """Decides what can be decided now, lets the rest wait, and puts the trade into `out`."""
        trade = laned.trade
        self.maker.holdings.note(trade)
        self.maker.conflicts.note(trade)
        decisions = self._sale(laned) if trade.side == "SELL" else self._buy(laned)
        out.append(DecidedTrade(trade, laned.lane, tuple(decisions)) if decisions else laned)

    def _buy(self, laned: LanedTrade) -> list[Decision]:
        trade, decisions = laned.trade, list[Decision]()
        for part, planned in self._index.plan(trade.wallet):
            runners = self._left(trade.trade_id, part, planned)
            if not runners:
                continue
            needs = runners[0].needs
            if needs.aggregates and not self.room.is_full:
                if not self.room.join(laned, part, needs, runners):
                    decisions.append(self.maker.late_member(part, runners, trade))
            elif self.room.is_full:
                decisions.append(self.maker.buy(part, runners, [trade], members=needs.aggregates, extras=NOTHING))
            elif (
                not self.room.has_queue(trade, part, needs) and (extras := self.room.at_hand(trade, needs)) is not None
            ):
                decisions.append(self.maker.buy(part, runners, [trade], members=False, extras=extras))
            else:
                self.room.add(Pending(laned=laned, part=part, needs=needs, runners=runners))
        return decisions

    def _sale(self, laned: LanedTrade) -> list[Decision]:
        trade = laned.trade
        pair = (trade.wallet, trade.token_id)
        earlier = self.room.waiting_for(pair)
        holders = self._holders(pair)
        if earlier and not self.room.is_full:
            # Some of what waits may buy what this sells: it goes first, as it is.
            holders |= {runner.strategy.wallet_id for pending in earlier for runner in pending.runners}
            for pending in earlier:
                pending.hurry.set()
                pending.overtakes.set()
        decisions = []
        for part, planned in self._sale_parts(trade.wallet, holders):
            runners = self._left(trade.trade_id, part, planned)
            if not runners:
                continue
            is_now = whole_part(part) == NOW
            delay_ms = None if is_now else runners[0].needs.book_delay_ms
            waits = bool(holders) and (bool(earlier) or not is_now or not self.maker.holdings.knows(*pair))
            if waits and not self.room.is_full:
                needs = Needs(book_delay_ms=delay_ms)
                self.room.add(Pending(laned=laned, part=part, needs=needs, runners=runners, after=earlier))
            else:
                decisions.append(self.maker.sale(part, runners, trade, book=None))
        return decisions

    def _sale_parts(self, wallet: str, holders: set[str]) -> list[tuple[str, tuple[Runner, ...]]]:
        """Strategies that hold something and sell into the book wait for it; all others say at once what they do."""
        copying = {runner.strategy.wallet_id for _, runners in self._index.plan(wallet) for runner in runners}
        parts: dict[str, list[Runner]] = {}
        for wallet_id in sorted(copying | holders):
            runner = self._index.runners.get(wallet_id)
            if runner is not None:
                delay_ms = runner.needs.book_delay_ms if wallet_id in holders else None
                parts.setdefault(runner.sale_part(delay_ms), []).append(runner)
        return [(part, tuple(sorted(runners, key=lambda one: one.strategy.number))) for part, runners in parts.items()]

    def _holders(self, pair: tuple[str, str]) -> set[str]:
        """Strategies that hold something of a trader and token, on paper or by a live mirror."""
        return {order.wallet_id for order in self.maker.book.open_orders(*pair)}.union(self.live.holders(*pair))

    def _left(self, trade_id: str, part: str, runners: tuple[Runner, ...]) -> tuple[Runner, ...]:
        """Returns the strategies that have to decide a part of a trade yet."""
        if _mark(trade_id, part) in self._decided or self.room.waits(trade_id, part):
            return ()
        if trade_id not in self._decided_otherwise:
            return runners
        return _undecided(part, runners, lambda one: _mark(trade_id, one) in self._decided)

    async def _recover(self) -> None:
        """Takes up where the run before ended: its journal first, then accounts, then what it left undecided."""
        if self._ready.is_set():
            return
        while self.spill is not None and self.spill.size_bytes:  # noqa: ASYNC110 - another actor empties it, for seconds at most
            await trio.sleep(JOURNAL_POLL_S)
        await self.live.wait_loaded()
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            try:
                await self._take_over(self.registry.current())
                await self._decide_what_was_left()
                break
            except TransientError as error:
                self._failed("accounts not read, nothing is decided yet", error)
                await trio.sleep(backoff.next_s())
        self._ready.set()

    async def _decide_what_was_left(self) -> None:
        for trader, token_id in self.maker.book.open_pairs():
            condition_id = self.maker.book.open_orders(trader, token_id)[0].condition_id
            self.maker.holdings.track(trader, condition_id, token_id)
        for trader, condition_id, token_id in self.live.pairs():
            self.maker.holdings.track(trader, condition_id, token_id)
        ages_s = [runner.settings.max_trade_age_s for runner in self._index.runners.values()]
        reach_s = min(RECOVER_MAX_S, max([RECOVER_MIN_S, *ages_s]))
        stored = await self.store.recent_decisions(self.maker.clock.now_ms() - reach_s * 1000)
        for one in stored:
            for part in one.parts:
                self._decided.add(_mark(one.trade.trade_id, part))
                self.room.note_decided(one.trade, part)
                if is_of_shard(part) is (self.registry.shards is None):
                    self._decided_otherwise.add(one.trade.trade_id)
        left = [LanedTrade(one.trade, Lane.TARGET) for one in stored if self._is_owed(one)]
        self.recovered += len(left)
        for start in range(0, len(left), self.config.batch_max):
            await self._take(left[start : start + self.config.batch_max])

    def _is_owed(self, stored: UndecidedTrade) -> bool:
        wallet, token_id, sells = stored.trade.wallet, stored.trade.token_id, stored.trade.side == "SELL"
        plan = self._index.plan(wallet)
        parts = self._sale_parts(wallet, self._holders((wallet, token_id))) if sells else plan
        return any(_undecided(part, runners, stored.parts.__contains__) for part, runners in parts)

    async def _follow_strategies(self) -> None:
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            changed = self.registry.changed
            try:
                await self._take_over(self.registry.current())
                backoff.reset()
            except TransientError as error:
                self._failed("accounts not read, strategies stay as they were", error)
                await trio.sleep(backoff.next_s())
                continue
            pairs = {(o.trader, o.token_id) for d in self.maker.book.in_flight.values() for o in d.orders}
            for trader, condition_id, token_id in self.live.pairs():
                self.maker.holdings.track(trader, condition_id, token_id)
                pairs.add((trader, token_id))
            self.maker.holdings.keep_only([*self.maker.book.open_pairs(), *pairs])
            await self._until_worth_reading(changed)

    async def _until_worth_reading(self, changed: trio.Event) -> None:
        """Waits for other strategies, for doubts about an account, or for the next comparison with the database."""
        if self.maker.book.doubts:
            # What is on its way keeps an account from being read; it arrives soon.
            await trio.sleep(DOUBT_S)
            return
        self._doubted = trio.Event()
        async with trio.open_nursery() as nursery:
            for event in (changed, self._doubted):
                nursery.start_soon(_cancel_after, event, nursery.cancel_scope)
            nursery.cancel_scope.deadline = trio.current_time() + self.audit_s

    async def _take_over(self, index: StrategyIndex) -> None:
        """Reads the accounts of all strategies, which also compares those at hand with the database, then runs them."""
        wallet_ids = list(index.runners)
        changes = self.maker.book.changes(wallet_ids)
        accounts = await self.store.accounts(wallet_ids) if wallet_ids else []
        self.maker.book.load(accounts, changes)
        self.maker.conflicts.follow(index)
        self._index = index

    def _failed(self, message: str, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows(message, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error)})


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _undecided(part: str, runners: tuple[Runner, ...], decided: Callable[[str], bool]) -> tuple[Runner, ...]:
    return tuple(runner for runner in runners if not is_decided(part, runner.strategy.number, decided))


def _mark(trade_id: str, part: str) -> str:
    return f"{trade_id}/{part}"
