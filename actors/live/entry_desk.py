"""Turns a claim into a signed order, or says why not: stake, risk rules, price, rounding, signature."""

import logging
from collections.abc import Mapping
from decimal import Decimal

import attrs
import msgspec
import trio

from actors.live.book_reader import BookReader
from actors.live.breaker import Breaker
from actors.live.commitments import Reserved
from actors.live.entry_glance import EntryGlance
from actors.live.live_book import LiveBook
from actors.rules.live.exits import DUST_SHARES
from actors.rules.live.pricing import Refusal, entry_plan, exit_plan, manual_plan
from actors.rules.live.risk import EntryFacts, RiskReport, first_failure, risk_reports
from actors.rules.live.sizing import stake_for
from protocols.clock import WallClock
from protocols.decisions import Inputs
from protocols.errors import TransientError
from protocols.live.market import MarketTerms, OrderBook
from protocols.live.orders import LiveIntent, OrderOrigin, Side, SignedOrder
from protocols.live.ports import Declined, OrderPlan, TradingAccount
from protocols.live.settings import LiveStrategy

_log = logging.getLogger(__name__)
_decode_inputs = msgspec.json.Decoder(Inputs).decode


class Unpriced:
    """There is no book to price by just now: worth another try while the signal is fresh."""


UNPRICED = Unpriced()
Prepared = SignedOrder | Declined | Unpriced


@attrs.frozen
class _Fetched:
    """What a claim is priced by."""

    order_book: OrderBook | None
    """None: the venue says that there is none; the market is closed."""
    terms: MarketTerms | None
    at_s: float
    """When it came."""


@attrs.define(eq=False, kw_only=True)
class EntryDesk:
    """Claims → signed orders. What it lets through is held in the book until it is journaled: the next is judged with it."""

    book: LiveBook
    reader: BookReader
    breaker: Breaker
    accounts: Mapping[str, TradingAccount]
    clock: WallClock
    glance: EntryGlance = attrs.field(init=False)
    _fetched: dict[str, _Fetched] = attrs.field(init=False, factory=dict)
    """By order_id: what had to be waited for."""

    def __attrs_post_init__(self) -> None:
        self.glance = EntryGlance(book=self.book, reader=self.reader, breaker=self.breaker, clock=self.clock)

    async def fetch(self, intent: LiveIntent) -> None:
        """Waits for book and terms of a claim, two seconds at most; what does not come is missing when it is judged."""
        try:
            order_book = await self.reader.book(intent.token_id)
            terms = await self.reader.terms(intent.condition_id)
        except TransientError as error:
            _log.warning("no order book to price by", extra={"error": str(error), "token_id": intent.token_id})
        else:
            self._fetched[intent.order_id] = _Fetched(order_book, terms, trio.current_time())

    def prepare(self, intent: LiveIntent) -> Prepared:
        """Returns the signed order of a claim, or why there is none."""
        fetched = self._fetched.pop(intent.order_id, None)
        try:
            return self._prepare(intent, fetched)
        except TransientError as error:
            return self._later(intent, "NO_CREDENTIALS", str(error))
        except Exception as error:
            # A rule that fails costs only this claim (D72).
            _log.error("a claim could not be judged", extra={"order_id": intent.order_id}, exc_info=error)
            return self._declined(intent, "RULE_ERROR", type(error).__name__)

    def _prepare(self, intent: LiveIntent, fetched: _Fetched | None) -> Prepared:
        account_name = self.book.account_of(intent.strategy_id)
        account = self.accounts.get(account_name or "")
        if account_name is None or account is None:
            return self._declined(intent, "NO_ACCOUNT", f"the engine has no account {account_name}")
        strategy = self.book.strategies.get(intent.strategy_id)
        too_old = self.glance.age_limit_passed(intent)
        if too_old is not None:
            return self._declined(intent, "SIGNAL_AGE", too_old)
        early = self.glance.fails_early(intent)
        if early is not None:
            return self._failed(intent, early)
        found = self._found(intent, fetched)
        if found is not None and found.order_book is None:
            return self._declined(intent, "MARKET_CLOSED", "the venue has no order book for it")
        if found is None or found.order_book is None or found.terms is None:
            return self._later(intent, "NO_BOOK", "no order book")
        order_book, terms = found.order_book, found.terms
        if intent.origin is not OrderOrigin.EXIT and order_book.condition_id != intent.condition_id:
            # The fee, the exposure and the resolution of another market would be taken for this one's.
            return self._declined(intent, "TOKEN_NOT_IN_MARKET", f"the token is of market {order_book.condition_id}")
        plan: OrderPlan | Refusal | Declined
        if intent.origin is OrderOrigin.COPY:
            if strategy is None:
                return self._declined(intent, "NO_STRATEGY", "the strategy is gone")
            plan = self._entry(intent, strategy, order_book, terms)
        elif intent.origin is OrderOrigin.EXIT:
            plan = self._exit(intent, order_book, terms, account_name)
        else:
            plan = self._manual(intent, account_name, order_book, terms)
        if isinstance(plan, Declined):
            return plan
        if isinstance(plan, Refusal):
            return self._declined(intent, plan.reason, plan.detail)
        signed = account.maker.sign(plan, self.clock.now_ms())
        if plan.side is Side.BUY:
            self.book.reserve(_reserved(plan, account_name, self.clock.now_ms()))
        return signed

    def _entry(
        self, intent: LiveIntent, strategy: LiveStrategy, order_book: OrderBook, terms: MarketTerms
    ) -> OrderPlan | Refusal | Declined:
        now_ms = self.clock.now_ms()
        if intent.inputs is None:
            return Refusal("NO_INPUTS", "the decision that it was made from is gone")
        available = self.book.available(strategy.strategy_id)
        stake = stake_for(_decode_inputs(intent.inputs), strategy.ft_settings, strategy.settings, available)
        spendable = self.book.spendable(strategy.account)
        budget = available if spendable is None else min(available, spendable)
        plan = entry_plan(intent, strategy.settings, stake, order_book, terms, strategy.account, now_ms, budget)
        if isinstance(plan, Refusal):
            return plan
        facts = EntryFacts(
            cost_usd=plan.lock_usd,
            size_shares=plan.size_shares,
            limit_price=plan.limit_price,
            signal_price=intent.signal_price,
            signal_ms=intent.signal_ms,
            now_ms=now_ms,
            book=order_book,
            terms=terms,
        )
        failure = first_failure(self._risk(intent, strategy, facts))
        if failure is not None:
            return self._failed(intent, failure)
        return plan

    def _risk(self, intent: LiveIntent, strategy: LiveStrategy, facts: EntryFacts) -> list[RiskReport]:
        return risk_reports(strategy.settings, strategy.ft_settings, self.glance.state(intent, strategy), facts)

    def _exit(self, intent: LiveIntent, order_book: OrderBook, terms: MarketTerms, account: str) -> OrderPlan | Refusal:
        """An earlier attempt that was taken for lost may have sold meanwhile: no more is sold than is held."""
        held = sum((lot.shares for lot in self.book.lots_of(intent.strategy_id, intent.token_id)), Decimal(0))
        if held < DUST_SHARES:
            return Refusal("NOTHING_HELD", f"{held} shares are open")
        wanted = held if intent.wanted_shares is None else min(intent.wanted_shares, held)
        return exit_plan(msgspec.structs.replace(intent, wanted_shares=wanted), order_book, terms, account)

    def _manual(
        self, intent: LiveIntent, account: str, order_book: OrderBook, terms: MarketTerms
    ) -> OrderPlan | Refusal | Declined:
        plan = manual_plan(intent, order_book, terms, account, self.clock.now_ms())
        if isinstance(plan, Refusal) or plan.side is Side.SELL:
            return plan
        halt = self.book.registry.table.halt
        if halt is not None:
            return self._declined(intent, "HALTED", f"by {halt.by}: {halt.reason}")
        spendable = self.book.spendable(account)
        if spendable is None or spendable < plan.lock_usd:
            return self._declined(intent, "ACCOUNT_BALANCE", f"{spendable} USD, it may cost {plan.lock_usd}")
        return plan

    def _found(self, intent: LiveIntent, fetched: _Fetched | None) -> _Fetched | None:
        """Returns what a claim is priced by, None where it would be older than prices may be."""
        now_s = trio.current_time()
        order_book, terms = self.reader.at_hand(intent.token_id), self.reader.terms_at_hand(intent.condition_id)
        if order_book is not None and terms is not None:
            return _Fetched(order_book, terms, now_s)
        return fetched if fetched is not None and now_s - fetched.at_s <= self.reader.max_age_s else None

    def _later(self, intent: LiveIntent, reason: str, detail: str) -> Declined | Unpriced:
        """Waiting costs an entry its age; what sells, or was placed by hand, has a patience of its own."""
        strategy = self.book.strategies.get(intent.strategy_id)
        age_s = (self.clock.now_ms() - max(intent.signal_ms, intent.decided_ms)) / 1000
        patience_s = strategy.settings.max_signal_age_s if strategy is not None else 30
        return UNPRICED if age_s <= patience_s else self._declined(intent, reason, f"{detail} for {age_s:.0f} s")

    def _failed(self, intent: LiveIntent, report: RiskReport) -> Declined:
        return self._declined(intent, report.rule, f"{report.value}; allowed: {report.limit}")

    def _declined(self, intent: LiveIntent, reason: str, detail: str) -> Declined:
        return Declined(order_id=intent.order_id, reason=reason, detail=detail, at_ms=self.clock.now_ms())


def _reserved(plan: OrderPlan, account: str, now_ms: int) -> Reserved:
    intent = plan.intent
    return Reserved(
        order_id=intent.order_id,
        strategy_id=intent.strategy_id,
        account=account,
        condition_id=intent.condition_id,
        event_slug=intent.event_slug,
        usd=plan.lock_usd,
        at_ms=now_ms,
    )
