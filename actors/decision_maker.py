"""Puts the inputs of a decision together, has it made by the rules, and reserves what it spends."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs
import msgspec
import trio

from actors.conflict_desk import NOBODY_ASKED, ConflictDesk, Crowds
from actors.holding_desk import HoldingDesk
from actors.market_desk import MarketDesk
from actors.paper_book import PaperBook
from actors.record_desk import RecordDesk
from actors.rules.fill_groups import summed
from actors.rules.live.signals import Mirrors, exit_signal_of, intents_of
from actors.rules.log_limit import LogLimit
from actors.rules.recent_set import RecentSet
from actors.rules.strategy.deciding import aggregated, decide, decide_sale, wants_fill
from actors.rules.strategy_index import Runner
from protocols.clock import WallClock
from protocols.decisions import Absent, Book, Decision, Inputs, MarketInput, Reason, Score
from protocols.live.orders import LiveIntent
from protocols.paper import OpenOrder
from protocols.trades import Trade

_log = logging.getLogger(__name__)
_NOT_ASKED = Absent(reason="not_asked")
COPIED_MAX = 50_000
_RESULTS = {
    Reason.TAKEN.value: "taken",
    Reason.TRADER_SELL.value: "closed",
    Reason.RULE_ERROR.value: "error",
}


@attrs.frozen(kw_only=True)
class Extras:
    """What some strategies wait for."""

    score: Score = _NOT_ASKED
    portfolio_usd: Decimal | None = None
    book: Book | None = None


NOTHING = Extras()


@attrs.define(eq=False, kw_only=True)
class DecisionMaker:
    """Synchronous: between looking at bankrolls and reserving nothing else can happen (D21)."""

    book: PaperBook
    markets: MarketDesk
    records: RecordDesk
    holdings: HoldingDesk
    conflicts: ConflictDesk
    clock: WallClock
    mirrors: Mirrors = lambda _: ()
    """Live strategies that mirror a paper strategy: none unless money may be spent."""
    warm: Callable[[Sequence[LiveIntent]], None] = lambda _: None
    """Told what may soon be bought with money; never waits."""
    counts: Counter[tuple[str, str]] = attrs.field(init=False, factory=Counter)
    """Decisions of single strategies by (result, reason)."""
    rule_errors: Counter[str] = attrs.field(init=False, factory=Counter)
    """By wallet_id of the strategy whose rule failed."""
    _copied: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(COPIED_MAX))
    """Strategy and trade of what was bought lately; the database decides where memory ends."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def is_ready(self, trade: Trade) -> bool:
        """Returns whether market and trader are at hand."""
        return self.records.knows(trade.wallet) and self._market_at_hand(trade) is not None

    def buy(
        self, part: str, runners: Sequence[Runner], trades: Sequence[Trade], *, members: bool, extras: Extras
    ) -> Decision:
        """Returns the decision of strategies about a BUY, or several that are one; what it spends is reserved."""
        self._take_back((trades[0].trade_id, part))
        crowds = self.conflicts.crowds(runners, trades)
        inputs = self._inputs(trades, members=members, extras=extras, crowds=crowds)
        ids = inputs.members or (inputs.trade_id,)
        decision = decide(
            runners,
            inputs,
            part,
            self.book.available,
            lambda runner: any(_copy(runner.strategy.number, id_) in self._copied for id_ in ids),
            self._on_error,
            self.conflicts.stands(inputs, crowds),
        )
        intents = intents_of(decision, inputs, runners, self.mirrors, trades[0].seen_s)
        if intents:
            decision = msgspec.structs.replace(decision, intents=intents)
            self.warm(intents)
            self.holdings.track(inputs.wallet, inputs.condition_id, inputs.token_id)
        self._keep(decision)
        for order in decision.orders:
            self.holdings.track(order.trader, order.condition_id, order.token_id)
        if decision.orders:
            for trade in trades:
                self.holdings.note(trade)
            for copy in _copies(decision):
                self._copied.add(copy)
        return decision

    def forget(self, decision: Decision) -> None:
        """Forgets what a decision bought, since it did not happen."""
        for copy in _copies(decision):
            self._copied.discard(copy)

    def wants_book(self, runners: Sequence[Runner], trades: Sequence[Trade], *, members: bool, extras: Extras) -> bool:
        """Returns whether some strategy would buy if the book lets it."""
        crowds = self.conflicts.crowds(runners, trades)
        inputs = self._inputs(trades, members=members, extras=extras, crowds=crowds)
        return wants_fill(runners, inputs, self.book.available, self.conflicts.stands(inputs, crowds))

    def sale(self, part: str, runners: Sequence[Runner], trade: Trade, *, book: Book | None) -> Decision:
        """Returns the decision of strategies about a SELL; the shares that it sells are reserved."""
        self._take_back((trade.trade_id, part))
        inputs = self._inputs([trade], members=False, extras=Extras(book=book))
        orders: dict[str, list[OpenOrder]] = {}
        for order in self.book.open_orders(trade.wallet, trade.token_id):
            orders.setdefault(order.wallet_id, []).append(order)
        decision = decide_sale(
            runners, inputs, part, lambda runner: orders.get(runner.strategy.wallet_id, ()), self._on_error
        )
        signal = exit_signal_of(inputs, runners, self.mirrors)
        if signal is not None:
            decision = msgspec.structs.replace(decision, exit_signal=signal)
        self._keep(decision)
        return decision

    def late_member(self, part: str, runners: Sequence[Runner], trade: Trade) -> Decision:
        """Returns the decision about a fill whose aggregate was decided before it came."""
        decision = aggregated(runners, self._inputs([trade], members=False, extras=NOTHING), part)
        self._keep(decision)
        return decision

    def inputs(self, trades: Sequence[Trade], *, members: bool) -> Inputs:
        """Returns the inputs as they stand now, for who is asked for a score."""
        return self._inputs(trades, members=members, extras=NOTHING)

    def _inputs(
        self, trades: Sequence[Trade], *, members: bool, extras: Extras, crowds: Crowds = NOBODY_ASKED
    ) -> Inputs:
        first = trades[0]
        total = summed(trades)
        market = self._market_at_hand(first)
        is_sale = first.side == "SELL"
        return Inputs(
            trade_id=first.trade_id,
            members=tuple([trade.trade_id for trade in trades]) if members else (),
            wallet=first.wallet,
            token_id=first.token_id,
            condition_id=first.condition_id,
            side=first.side,
            price=total.price,
            size_micro=total.size_micro,
            trade_ms=first.trade_ms,
            now_ms=self.clock.now_ms(),
            outcome=_outcome(market, first),
            title=first.market_title,
            market=market,
            trader=self.records.record(first.wallet),
            score=extras.score,
            book=extras.book,
            portfolio_usd=extras.portfolio_usd,
            holding_micro=self.holdings.before(first) if is_sale else None,
            crowds=crowds.found,
        )

    def _market_at_hand(self, trade: Trade) -> MarketInput | None:
        """Returns the market, unless the token of the trade is none of its (D59, D64)."""
        market = self.markets.known(trade.condition_id, self.clock.now_ms())
        if market is not None and market.token_ids and trade.token_id not in market.token_ids:
            return None
        return market

    def _take_back(self, key: tuple[str, str]) -> None:
        """A crash may have left a decision that was never passed on: deciding again must not see its own traces."""
        if (left := self.book.release(key)) is not None:
            self.forget(left)

    def _keep(self, decision: Decision) -> None:
        self.book.reserve(decision)
        for reason, count in Counter(decision.reasons).items():
            self.counts[_RESULTS.get(reason, "skipped"), reason] += count

    def _on_error(self, runner: Runner, error: Exception) -> None:
        wallet_id = runner.strategy.wallet_id
        self.rule_errors[wallet_id] += 1
        held = self._log_limit.allows(wallet_id, trio.current_time())
        if held is not None:
            fields = {"bot": wallet_id, "version": runner.strategy.version, "more_since_last": held}
            _log.error("a rule failed, the decision of this strategy is dead", extra=fields, exc_info=error)


def _copies(decision: Decision) -> list[str]:
    ids = decision.members or (decision.trade_id,)
    pairs = zip(decision.strategies, decision.reasons, strict=True)
    return [_copy(number, id_) for number, reason in pairs if reason == Reason.TAKEN for id_ in ids]


def _copy(number: int, trade_id: str) -> str:
    return f"{number}:{trade_id}"


def _outcome(market: MarketInput | None, trade: Trade) -> str | None:
    """Returns the label of the token; by the token, never by position (D39, D57)."""
    if market is not None and trade.token_id in market.token_ids:
        return market.outcomes[market.token_ids.index(trade.token_id)]
    return trade.outcome
