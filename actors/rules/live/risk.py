"""Whether a live strategy may make an entry: every rule with what it looked at and what it allows (domain.md §4.4).

Rules look at the state without the order itself (D6), in this order, and the first that fails is the reason. Zero is a value; a
rule that is absent is off (D18). Exits pass none of them: nothing may keep a strategy from selling.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import attrs

from actors.rules.exact import EXACT, ZERO
from actors.rules.live.pricing import HUNDRED, depth_shares
from protocols.live.market import MarketTerms, OrderBook
from protocols.live.money import DayFigures
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings

C = TypeVar("C", bound="_Standing")
DEAD_SIGNAL_MARGIN = Decimal("0.01")
"""A market counts as collapsed only where the trader bought so much above the floor."""


@attrs.frozen(kw_only=True)
class RiskState:
    """A strategy as it stands without the order: with everything else that is on its way. USD."""

    halted: str | None
    paused: bool
    breaker: str | None
    drift: Decimal
    available: Decimal
    locked: Decimal
    equity: Decimal
    peak_equity: Decimal
    day: DayFigures
    pending: Decimal
    """What working and prepared buys may still spend: it counts against the budget of the day, and not when it is over (D4)."""
    account_spendable: Decimal | None
    """What its account can still pay, over all of its strategies; None: the venue has not said."""
    market_exposure: Decimal
    event_exposure: Decimal
    entries_last_minute: int


@attrs.frozen(kw_only=True)
class EntryFacts:
    """The order, its signal and its market."""

    cost_usd: Decimal
    """What it locks: the most that it can cost, with fee."""
    size_shares: Decimal
    limit_price: Decimal
    signal_price: Decimal
    signal_ms: int
    now_ms: int
    book: OrderBook
    terms: MarketTerms


@attrs.frozen(kw_only=True)
class RiskReport:
    """One rule as it was found."""

    rule: str
    is_on: bool
    passed: bool
    value: str
    limit: str


@attrs.frozen
class _Standing:
    settings: LiveSettings
    state: RiskState


@attrs.frozen(kw_only=True)
class _Case(_Standing):
    paper: StrategySettings
    facts: EntryFacts

    @property
    def ask(self) -> Decimal | None:
        """What a share costs now."""
        return self.facts.book.asks[0][0] if self.facts.book.asks else None


Found = tuple[bool, bool, object, object]
"""Whether the rule is on, whether it passes, what it looked at and what it allows."""
Check = Callable[[_Case], Found]
EarlyCheck = Callable[[_Standing], Found]
"""One that looks at the strategy alone, whatever the order costs."""


def risk_reports(
    settings: LiveSettings, paper: StrategySettings, state: RiskState, facts: EntryFacts
) -> list[RiskReport]:
    """Returns every rule in its order, those that are off too."""
    case = _Case(settings, state, paper=paper, facts=facts)
    return [_report(rule, check(case)) for rule, check in RULES]


def early_failure(settings: LiveSettings, state: RiskState) -> RiskReport | None:
    """Returns the first rule that fails whatever an order would cost, so that nobody asks for a price in vain; or None."""
    standing = _Standing(settings, state)
    return first_failure([_report(rule, check(standing)) for rule, check in EARLY_RULES])


def first_failure(reports: list[RiskReport]) -> RiskReport | None:
    """Returns the first rule that does not pass, or None."""
    return next((report for report in reports if not report.passed), None)


def _report(rule: str, found: Found) -> RiskReport:
    is_on, passed, value, limit = found
    return RiskReport(rule=rule, is_on=is_on, passed=passed or not is_on, value=_text(value), limit=_text(limit))


def _at_most(
    read: Callable[[C], Decimal | int], limit: Callable[[_Standing], Decimal | int | None]
) -> Callable[[C], Found]:
    def check(case: C) -> Found:
        value, allowed = read(case), limit(case)
        return allowed is not None, allowed is not None and value <= allowed, value, allowed

    return check


def _set(name: str) -> Callable[[_Standing], Decimal | int | None]:
    def limit(case: _Standing) -> Decimal | int | None:
        value: Decimal | int | None = getattr(case.settings, name)
        return value

    return limit


def _cost(case: _Case) -> Decimal:
    return case.facts.cost_usd


def _halted(case: _Standing) -> Found:
    return True, case.state.halted is None, case.state.halted or "no", "not halted"


def _paused(case: _Standing) -> Found:
    return True, not case.state.paused, "paused" if case.state.paused else "no", "not paused"


def _breaker(case: _Standing) -> Found:
    return True, case.state.breaker is None, case.state.breaker or "no", "not latched"


def _account(case: _Case) -> Found:
    spendable = case.state.account_spendable
    return True, spendable is not None and case.facts.cost_usd <= spendable, case.facts.cost_usd, spendable


def _daily_loss(case: _Standing) -> Found:
    limit = case.settings.max_daily_loss_usd
    return limit is not None, limit is not None and case.state.day.lost_usd < limit, case.state.day.lost_usd, limit


def _drawdown(case: _Standing) -> Found:
    limit, state = case.settings.circuit_breaker_loss_pct, case.state
    fall = max(ZERO, state.peak_equity - state.equity)
    pct = EXACT.divide(fall * HUNDRED, state.peak_equity) if state.peak_equity > 0 else ZERO
    return limit is not None, limit is not None and pct < limit, pct, limit


def _market(case: _Case) -> Found:
    accepts = case.facts.terms.accepting_orders
    return True, accepts, "open" if accepts else "takes no orders", "open"


def _dead_market(case: _Case) -> Found:
    """D44: bought at a price that has collapsed since."""
    paper, middle, signal = case.paper, case.facts.book.middle, case.facts.signal_price
    if middle is None:
        # Nobody bids in a market that is dead: what a share costs says enough.
        middle = case.ask
    if not paper.dead_market_guard or middle is None:
        return False, True, middle, None
    collapsed = middle < paper.dead_market_floor and signal >= paper.dead_market_floor + DEAD_SIGNAL_MARGIN
    fell = EXACT.divide((signal - middle) * HUNDRED, signal) if signal > 0 else ZERO
    limit = f"at least {paper.dead_market_floor}, fallen by at most {paper.dead_market_max_drift_pct} %"
    return True, not collapsed and fell <= paper.dead_market_max_drift_pct, middle, limit


def _rise(case: _Case) -> Decimal:
    ask, signal = case.ask, case.facts.signal_price
    return EXACT.divide((ask - signal) * HUNDRED, signal) if ask is not None and signal > 0 else ZERO


def _fall(case: _Case) -> Decimal:
    return -_rise(case)


def _spread(case: _Case) -> Found:
    limit, book = case.settings.max_spread_pct, case.facts.book
    middle = book.middle
    if limit is None:
        return False, True, None, None
    if middle is None or middle <= 0:
        # A side is empty: there is no spread that could be narrow enough.
        return True, False, "one side of the book is empty", limit
    spread = EXACT.divide((book.asks[0][0] - book.bids[0][0]) * HUNDRED, middle)
    return True, spread <= limit, spread, limit


def _depth(case: _Case) -> Found:
    limit, facts = case.settings.min_book_depth_pct, case.facts
    if limit is None or facts.size_shares <= 0:
        return False, True, None, None
    depth = depth_shares(facts.book.asks, facts.limit_price, buys=True)
    pct = EXACT.divide(depth * HUNDRED, facts.size_shares)
    return True, pct >= limit, min(pct, Decimal(9_999)), limit


def _drift(case: _Standing) -> Decimal:
    return case.state.drift


def _entries(case: _Standing) -> int:
    return case.state.entries_last_minute + 1


def _age_s(case: _Case) -> Decimal:
    return Decimal(case.facts.now_ms - case.facts.signal_ms) / 1000


RULES: tuple[tuple[str, Check], ...] = (
    ("HALTED", _halted),
    ("PAUSED", _paused),
    ("BREAKER", _breaker),
    ("DRIFT", _at_most(_drift, lambda _: ZERO)),
    ("SIGNAL_AGE", _at_most(_age_s, _set("max_signal_age_s"))),
    ("AVAILABLE_CASH", _at_most(_cost, lambda case: case.state.available)),
    ("MAX_POSITION_SIZE", _at_most(_cost, _set("max_position_size_usd"))),
    (
        "MAX_TOTAL_EXPOSURE",
        _at_most(lambda case: case.state.locked + case.facts.cost_usd, _set("max_total_exposure_usd")),
    ),
    (
        "DAILY_BUDGET",
        _at_most(
            lambda case: case.state.day.spent_usd + case.state.pending + case.facts.cost_usd, _set("daily_budget_usd")
        ),
    ),
    ("DAILY_LOSS_LIMIT", _daily_loss),
    ("DRAWDOWN_BREAKER", _drawdown),
    ("ACCOUNT_BALANCE", _account),
    (
        "MAX_MARKET_EXPOSURE",
        _at_most(lambda case: case.state.market_exposure + case.facts.cost_usd, _set("max_market_exposure_usd")),
    ),
    (
        "MAX_EVENT_EXPOSURE",
        _at_most(lambda case: case.state.event_exposure + case.facts.cost_usd, _set("max_event_exposure_usd")),
    ),
    ("MAX_ORDERS_PER_MINUTE", _at_most(_entries, _set("max_orders_per_minute"))),
    ("MARKET_CLOSED", _market),
    ("DEAD_MARKET", _dead_market),
    ("PRICE_ROSE", _at_most(_rise, _set("max_price_rise_pct"))),
    ("PRICE_FELL", _at_most(_fall, _set("max_price_fall_pct"))),
    ("SPREAD", _spread),
    ("BOOK_DEPTH", _depth),
)
EARLY_RULES: tuple[tuple[str, EarlyCheck], ...] = (
    ("HALTED", _halted),
    ("PAUSED", _paused),
    ("BREAKER", _breaker),
    ("DRIFT", _at_most(_drift, lambda _: ZERO)),
    ("DAILY_LOSS_LIMIT", _daily_loss),
    ("DRAWDOWN_BREAKER", _drawdown),
    ("MAX_ORDERS_PER_MINUTE", _at_most(_entries, _set("max_orders_per_minute"))),
)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.quantize(Decimal("0.000001")).normalize(), "f")
    return "unknown" if value is None else str(value)
