"""Where decisions wait for what they need: an unknown market, more fills of an order, a score, a book."""

import logging
import math
from collections.abc import Callable, Sequence

import attrs
import msgspec
import trio

from actors.book_desk import BookDesk
from actors.decision_maker import NOTHING, DecisionMaker, Extras
from actors.rules.fill_groups import GroupKey, belongs, group_key
from actors.rules.recent_set import RecentSet
from actors.rules.strategy_index import TRANSACTION, Needs, Runner
from actors.score_desk import ScoreDesk
from config.schema import ForwardTestingConfig
from protocols.channels import Outbox
from protocols.decide_shards import whole_part
from protocols.decisions import DecidedTrade, Decision
from protocols.trades import LanedTrade, Trade

_log = logging.getLogger(__name__)
TRIES_MAX = 3
RECORD_WAIT_S = 2.0
CLOSED_GROUPS_MAX = 5_000
Pair = tuple[str, str]


@attrs.define(eq=False, kw_only=True)
class Pending:
    """A decision that waits. Its trade is stored already; if the engine dies, the next start decides it."""

    laned: LanedTrade
    part: str
    needs: Needs
    runners: Sequence[Runner]
    after: Sequence["Pending"] = ()
    """What has to be decided before, since it is about the same trader and token."""
    before: Sequence["Pending"] = ()
    """Whose turn comes first, since it may buy in the same market or event."""
    members: list[Trade] = attrs.field(factory=list)
    group: GroupKey | None = None
    hurry: trio.Event = attrs.field(factory=trio.Event)
    """Set when an aggregate is to be decided as it is."""
    overtakes: trio.Event = attrs.field(factory=trio.Event)
    """Set when a sale waits for it: then it does not wait for its turn."""
    done: trio.Event = attrs.field(factory=trio.Event)
    failures: int = 0

    @property
    def trade(self) -> Trade:
        """Returns the trade, or the first one of an aggregate."""
        return self.laned.trade

    @property
    def pair(self) -> Pair:
        """Returns trader and token."""
        return (self.trade.wallet, self.trade.token_id)


@attrs.define(eq=False, kw_only=True)
class DecisionRoom:
    """Bounded: beyond `waiting_max` a decision is made at once with what there is. What waits survives a crash of the actor."""

    maker: DecisionMaker
    scores: ScoreDesk
    books: BookDesk
    kept: Outbox[LanedTrade]
    config: ForwardTestingConfig
    decided: Callable[[Decision], None]
    """Told each decision after it was passed on."""
    failed: Callable[[tuple[str, str]], None] = lambda _key: None
    """Told trade id and part of a decision that was given up: what it reserved is in doubt."""
    dead: int = attrs.field(init=False, default=0)
    """Decisions that could not be made."""
    _waiting: dict[tuple[str, str], Pending] = attrs.field(init=False, factory=dict)
    _by_pair: dict[Pair, list[Pending]] = attrs.field(init=False, factory=dict)
    _groups: dict[GroupKey, Pending] = attrs.field(init=False, factory=dict)
    _queues: dict[tuple[str, str], Pending] = attrs.field(init=False, factory=dict)
    """Who came last, by part and market or event, of parts that decide one after the other."""
    _closed_groups: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(CLOSED_GROUPS_MAX))
    _nursery: trio.Nursery | None = attrs.field(init=False, default=None)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Returns whether nothing more may wait."""
        return len(self._waiting) >= self.config.waiting_max

    def open(self, nursery: trio.Nursery) -> None:
        """Works in `nursery` from now on, also on what was left waiting by a crash."""
        self._nursery = nursery
        for pending in list(self._waiting.values()):
            nursery.start_soon(self._work, pending)

    def at_hand(self, trade: Trade, needs: Needs) -> Extras | None:
        """Returns what a decision on a BUY needs beyond the trade, if nothing of it has to be waited for, else None."""
        if needs.book_delay_ms is not None or not self._is_ready(trade, needs):
            return None
        extras = NOTHING
        if needs.portfolio:
            if not self.maker.holdings.portfolio_at_hand(trade.wallet):
                return None
            extras = attrs.evolve(extras, portfolio_usd=self.maker.holdings.last_portfolio_usd(trade.wallet))
        if needs.model:
            score = self.scores.at_hand(self.maker.inputs([trade], members=False))
            if score is None:
                return None
            extras = attrs.evolve(extras, score=score)
        return extras

    def waits(self, trade_id: str, part: str) -> bool:
        """Returns whether a decision is waiting; not for a member of an aggregate other than its first."""
        return (trade_id, part) in self._waiting

    def has_queue(self, trade: Trade, part: str, needs: Needs) -> bool:
        """Returns whether something waits that has to be decided before a BUY."""
        return needs.order and any(key in self._queues for key in _queue_keys(trade, part))

    def waiting_for(self, pair: Pair) -> list[Pending]:
        """Returns what waits for a trader and token, oldest first."""
        return list(self._by_pair.get(pair, ()))

    def add(self, pending: Pending) -> None:
        """Begins to wait."""
        if pending.needs.order:
            keys = _queue_keys(pending.trade, pending.part)
            pending.before = [self._queues[key] for key in keys if key in self._queues]
            self._queues.update(dict.fromkeys(keys, pending))
        self._waiting[pending.trade.trade_id, pending.part] = pending
        self._by_pair.setdefault(pending.pair, []).append(pending)
        if self._nursery is not None:
            self._nursery.start_soon(self._work, pending)

    def join(self, laned: LanedTrade, part: str, needs: Needs, runners: Sequence[Runner]) -> bool:
        """Puts a fill into its group, which is begun if need be; False when that was decided already."""
        key = group_key(part, needs, laned.trade)
        open_group = self._groups.get(key)
        if open_group is not None and belongs(needs, open_group.trade, laned.trade):
            if all(member.trade_id != laned.trade.trade_id for member in open_group.members):
                open_group.members.append(laned.trade)
            return True
        if needs.transaction and repr(key) in self._closed_groups:
            return False
        if open_group is not None:
            open_group.hurry.set()
        pending = Pending(laned=laned, part=part, needs=needs, runners=runners, members=[laned.trade], group=key)
        self._groups[key] = pending
        self.add(pending)
        return True

    def note_decided(self, trade: Trade, part: str) -> None:
        """Says that a run before decided a part of a trade: what else comes of its transaction comes too late."""
        if TRANSACTION in whole_part(part).split("+"):
            self._closed_groups.add(repr(GroupKey(part, trade.wallet, trade.token_id, trade.transaction_hash)))

    async def _work(self, pending: Pending) -> None:
        while True:
            try:
                decision = await self._decision(pending)
                await self.kept.send(DecidedTrade(_written_before(pending.trade), pending.laned.lane, (decision,)))
            except Exception as error:
                pending.failures += 1
                _log.error("a waiting decision failed", extra={"trade_id": pending.trade.trade_id}, exc_info=error)
                if pending.failures < TRIES_MAX:
                    await trio.sleep(0.1)
                    continue
                self.dead += 1
                self.failed((pending.trade.trade_id, pending.part))
            else:
                self.decided(decision)
            break
        self._remove(pending)

    def _remove(self, pending: Pending) -> None:
        self._close_group(pending)
        del self._waiting[pending.trade.trade_id, pending.part]
        for key in _queue_keys(pending.trade, pending.part):
            if self._queues.get(key) is pending:
                del self._queues[key]
        self._by_pair[pending.pair].remove(pending)
        if not self._by_pair[pending.pair]:
            del self._by_pair[pending.pair]
        pending.done.set()

    async def _decision(self, pending: Pending) -> Decision:
        for earlier in pending.after:
            await earlier.done.wait()
        if pending.group is not None:
            await self._collect(pending)
        if pending.trade.side == "SELL":
            return await self._sale(pending)
        trades = pending.members or [pending.trade]
        members = pending.group is not None
        await self._basics(pending)
        extras = await self._extras(pending, trades, members=members)
        if pending.needs.book_delay_ms is not None and self.maker.wants_book(
            pending.runners, trades, members=members, extras=extras
        ):
            await trio.sleep(pending.needs.book_delay_ms / 1000)
            extras = attrs.evolve(extras, book=await self.books.depth(pending.trade.token_id))
            # Meanwhile what is known of the market may have become too old.
            await self._basics(pending)
        await self._turn(pending)
        return self.maker.buy(pending.part, pending.runners, trades, members=members, extras=extras)

    async def _turn(self, pending: Pending) -> None:
        """Waits until those that came before have decided: what they buy counts. A sale is never kept waiting by it."""
        for earlier in pending.before:
            if earlier.done.is_set() or pending.overtakes.is_set():
                continue
            async with trio.open_nursery() as nursery:
                for event in (earlier.done, pending.overtakes):
                    nursery.start_soon(_cancel_after, event, nursery.cancel_scope)
        pending.before = ()

    async def _sale(self, pending: Pending) -> Decision:
        wallet, token_id = pending.pair
        deadline_s = trio.current_time() + RECORD_WAIT_S
        await self.maker.holdings.fetch(wallet, token_id, deadline_s=deadline_s)
        book = None
        if pending.needs.book_delay_ms is not None:
            await trio.sleep(pending.needs.book_delay_ms / 1000)
            book = await self.books.depth(token_id)
        return self.maker.sale(pending.part, pending.runners, pending.trade, book=book)

    async def _collect(self, pending: Pending) -> None:
        """Waits for more fills of the group, then lets no more in."""
        wait_s = pending.needs.window_s or self.config.aggregate_linger_ms / 1000
        with trio.move_on_after(wait_s):
            await pending.hurry.wait()
        self._close_group(pending)

    def _close_group(self, pending: Pending) -> None:
        if pending.group is not None and self._groups.get(pending.group) is pending:
            del self._groups[pending.group]
            if pending.needs.transaction:
                self._closed_groups.add(repr(pending.group))

    async def _basics(self, pending: Pending) -> None:
        """Waits for market and trader, within the age that some strategy still accepts."""
        trade, now_s = pending.trade, trio.current_time()
        if self._is_ready(trade, pending.needs):
            return
        age_s = (self.maker.clock.now_ms() - trade.trade_ms) / 1000
        oldest_s = max(runner.settings.max_trade_age_s for runner in pending.runners)
        wait_s = max(0.0, min(self.config.market_wait_s, oldest_s - age_s))
        await self.maker.records.fetch([trade.wallet], deadline_s=now_s + RECORD_WAIT_S)
        if pending.needs.sides:
            await self.maker.conflicts.sides.fetch(trade.condition_id, deadline_s=now_s + RECORD_WAIT_S)
        await self.maker.markets.wait_for([trade.condition_id], deadline_s=now_s + wait_s)

    def _is_ready(self, trade: Trade, needs: Needs) -> bool:
        return self.maker.is_ready(trade) and self.maker.conflicts.knows(needs, trade.condition_id)

    async def _extras(self, pending: Pending, trades: Sequence[Trade], *, members: bool) -> Extras:
        extras = Extras()
        if pending.needs.model:
            score = await self.scores.score(self.maker.inputs(trades, members=members))
            extras = attrs.evolve(extras, score=score)
        if pending.needs.portfolio:
            portfolio_usd = await self.maker.holdings.portfolio_usd(pending.trade.wallet)
            extras = attrs.evolve(extras, portfolio_usd=portfolio_usd)
        return extras


def _written_before(trade: Trade) -> Trade:
    """Returns the trade without its arrival: its row went to the writer then, and what is late now is the decision."""
    return msgspec.structs.replace(trade, seen_s=math.nan)


def _queue_keys(trade: Trade, part: str) -> list[tuple[str, str]]:
    places = (trade.condition_id, trade.event_slug)
    return [(part, place) for place in places if place is not None]


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
