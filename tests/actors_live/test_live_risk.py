from decimal import Decimal
from typing import Any

import attrs
import pytest
from actors_live.live_cases import T0, D
from actors_live.live_risk_reference import failures
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.live.risk import RULES, EntryFacts, RiskState, early_failure, first_failure, risk_reports
from protocols.live.market import MarketTerms, OrderBook
from protocols.live.money import DayFigures
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings

OFF: dict[str, Any] = dict.fromkeys(
    ("max_position_size_usd", "max_total_exposure_usd", "daily_budget_usd", "max_daily_loss_usd", "circuit_breaker_loss_pct",
     "max_price_rise_pct", "max_price_fall_pct", "min_book_depth_pct", "max_spread_pct", "max_market_exposure_usd",
     "max_event_exposure_usd", "max_orders_per_minute")
)  # fmt: skip
BOOK = OrderBook(
    token_id="77", condition_id="0xc0", bids=((D("0.49"), D(100)),), asks=((D("0.50"), D(10)), (D("0.52"), D(50))),
    tick=D("0.01"), min_shares=D(5), negative_risk=False, last_trade_price=None, observed_s=0.0,
)  # fmt: skip
TERMS = MarketTerms(
    condition_id="0xc0", token_ids=("77", "78"), accepting_orders=True, fee_rate=D(0), fee_exponent=1,
    negative_risk=False, taker_delay=False,
)  # fmt: skip
STATE = RiskState(
    halted=None, paused=False, breaker=None, drift=D(0), available=D(10), locked=D(0), equity=D(100), peak_equity=D(100),
    day=DayFigures(), pending=D(0), account_spendable=D(1_000), market_exposure=D(0), event_exposure=D(0),
    entries_last_minute=0,
)  # fmt: skip
FACTS = EntryFacts(
    cost_usd=D(6), size_shares=D(12), limit_price=D("0.51"), signal_price=D("0.50"), signal_ms=T0, now_ms=T0 + 1_000,
    book=BOOK, terms=TERMS,
)  # fmt: skip
PAPER = StrategySettings()


def verdict(settings: dict[str, Any] | None = None, state: RiskState = STATE, facts: EntryFacts = FACTS) -> str | None:
    failure = first_failure(risk_reports(LiveSettings(**{**OFF, **(settings or {})}), PAPER, state, facts))
    return None if failure is None else failure.rule


@pytest.mark.parametrize("cost", ["5.000001", "6", "9.99", "10"])
def test_between_half_and_all_of_the_cash_passes(cost):
    # A rule that saw the order's own lock would refuse every one of these (D6).
    assert verdict(facts=attrs.evolve(FACTS, cost_usd=D(cost))) is None
    assert verdict(facts=attrs.evolve(FACTS, cost_usd=D("10.000001"))) == "AVAILABLE_CASH"


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("max_position_size_usd", "MAX_POSITION_SIZE"),
        ("max_total_exposure_usd", "MAX_TOTAL_EXPOSURE"),
        ("daily_budget_usd", "DAILY_BUDGET"),
        ("max_daily_loss_usd", "DAILY_LOSS_LIMIT"),
        ("circuit_breaker_loss_pct", "DRAWDOWN_BREAKER"),
        ("max_market_exposure_usd", "MAX_MARKET_EXPOSURE"),
        ("max_event_exposure_usd", "MAX_EVENT_EXPOSURE"),
    ],
)
def test_zero_is_a_limit_and_absent_is_none(setting, rule):
    assert verdict({setting: D(0)}) == rule
    assert verdict({setting: None}) is None


def test_zero_entries_a_minute_is_none_at_all():
    assert verdict({"max_orders_per_minute": 0}) == "MAX_ORDERS_PER_MINUTE"
    one = {"max_orders_per_minute": 1}
    assert verdict(one) is None
    assert verdict(one, attrs.evolve(STATE, entries_last_minute=1)) == "MAX_ORDERS_PER_MINUTE"


def test_a_rise_of_nothing_is_a_limit_too():
    dear = attrs.evolve(FACTS, signal_price=D("0.499999"))
    assert verdict({"max_price_rise_pct": D(0)}) is None
    assert verdict({"max_price_rise_pct": D(0)}, facts=dear) == "PRICE_ROSE"


def test_limits_are_reached_exactly_and_passed():
    state = attrs.evolve(STATE, locked=D(4), day=DayFigures(spent_usd=D(3), lost_usd=D("4.999999")), pending=D(1))
    limits = {
        "max_position_size_usd": D(6), "max_total_exposure_usd": D(10), "daily_budget_usd": D(10), "max_daily_loss_usd": D(5),
    }  # fmt: skip
    assert verdict(limits, state) is None
    assert verdict(limits, attrs.evolve(state, day=DayFigures(lost_usd=D(5)))) == "DAILY_LOSS_LIMIT"


def test_what_an_account_has_left_is_asked_for_by_all_its_strategies_and_unknown_is_no_money():
    assert verdict(state=attrs.evolve(STATE, account_spendable=D("5.99"))) == "ACCOUNT_BALANCE"
    assert verdict(state=attrs.evolve(STATE, account_spendable=None)) == "ACCOUNT_BALANCE"


def test_a_market_that_collapsed_is_left_alone_with_bids_and_without():
    collapsed = attrs.evolve(BOOK, bids=((D("0.01"), D(9)),), asks=((D("0.03"), D(900)),))
    for book in (collapsed, attrs.evolve(collapsed, bids=())):
        assert verdict(facts=attrs.evolve(FACTS, book=book)) == "DEAD_MARKET"
    # Bought low, still low: not collapsed.
    low = attrs.evolve(FACTS, book=collapsed, signal_price=D("0.03"), limit_price=D("0.03"))
    assert verdict(facts=low) is None


def test_depth_counts_what_is_offered_up_to_the_limit_and_applies_slippage_once():
    half = {"min_book_depth_pct": D(50)}
    # 10 shares at 0.50 are within 0.51; the 50 at 0.52 would be if slippage came on top again (D45).
    assert verdict(half, facts=attrs.evolve(FACTS, size_shares=D(20))) is None
    assert verdict(half, facts=attrs.evolve(FACTS, size_shares=D("20.01"))) == "BOOK_DEPTH"
    assert verdict(half, facts=attrs.evolve(FACTS, book=attrs.evolve(BOOK, asks=()))) == "BOOK_DEPTH"


def test_the_first_of_several_is_the_reason_and_every_rule_reports():
    state = attrs.evolve(STATE, halted="by ops: test", paused=True, breaker="x", drift=D(1))
    reports = risk_reports(LiveSettings(**OFF), PAPER, state, FACTS)
    assert [report.rule for report in reports] == [rule for rule, _ in RULES]
    assert [report.rule for report in reports if not report.passed] == ["HALTED", "PAUSED", "BREAKER", "DRIFT"]
    failure = first_failure(reports)
    assert failure is not None
    assert (failure.rule, failure.value) == ("HALTED", "by ops: test")


def test_a_report_shows_value_and_limit():
    reports = {
        one.rule: one for one in risk_reports(LiveSettings(**{**OFF, "daily_budget_usd": D(5)}), PAPER, STATE, FACTS)
    }
    assert (reports["DAILY_BUDGET"].value, reports["DAILY_BUDGET"].limit) == ("6", "5")
    assert (reports["SIGNAL_AGE"].value, reports["SIGNAL_AGE"].limit) == ("1", "30")
    assert reports["MAX_POSITION_SIZE"].is_on is False


USD = st.sampled_from([D(0), D("0.01"), D(5), D("5.5"), D("6.000001"), D(10), D(12), D(90), D(100)])
PERCENT = st.none() | st.sampled_from([D(0), D(1), D(2), D(4), D(10), D(50), D(80), D(100)])
LIMIT = st.none() | USD
PRICES = st.sampled_from(
    [D(text) for text in ("0.01", "0.03", "0.04", "0.05", "0.2", "0.48", "0.5", "0.51", "0.52", "0.9")]
)
SIDES = st.lists(st.tuples(PRICES, st.sampled_from([D(1), D(6), D(20)])), max_size=3)


@st.composite
def cases(draw: st.DrawFn) -> tuple[LiveSettings, StrategySettings, RiskState, EntryFacts]:
    money = ("max_position_size_usd", "max_total_exposure_usd", "daily_budget_usd", "max_daily_loss_usd",
             "max_market_exposure_usd", "max_event_exposure_usd")  # fmt: skip
    percents = (
        "circuit_breaker_loss_pct",
        "max_price_rise_pct",
        "max_price_fall_pct",
        "min_book_depth_pct",
        "max_spread_pct",
    )
    settings = LiveSettings(
        **{name: draw(LIMIT) for name in money},
        **{name: draw(PERCENT) for name in percents},
        max_orders_per_minute=draw(st.none() | st.integers(0, 3)),
        max_signal_age_s=draw(st.sampled_from([1, 2, 30])),
    )
    paper = StrategySettings(
        dead_market_guard=draw(st.booleans()),
        dead_market_floor=draw(PRICES),
        dead_market_max_drift_pct=draw(PERCENT) or D(0),
    )
    state = RiskState(
        halted=draw(st.sampled_from([None, None, None, "by ops"])), paused=draw(st.sampled_from([False, False, True])),
        breaker=draw(st.sampled_from([None, None, None, "why"])), drift=draw(st.sampled_from([D(0), D(0), D("0.000001")])),
        available=draw(USD), locked=draw(USD), equity=draw(USD), peak_equity=draw(USD),
        day=DayFigures(spent_usd=draw(USD), lost_usd=draw(USD)), pending=draw(USD), account_spendable=draw(LIMIT),
        market_exposure=draw(USD), event_exposure=draw(USD), entries_last_minute=draw(st.integers(0, 3)),
    )  # fmt: skip
    book = attrs.evolve(BOOK, bids=tuple(sorted(draw(SIDES), reverse=True)), asks=tuple(sorted(draw(SIDES))))
    facts = EntryFacts(
        cost_usd=draw(USD), size_shares=draw(st.sampled_from([D(1), D(6), D("12.02"), D(40)])), limit_price=draw(PRICES),
        signal_price=draw(PRICES), signal_ms=T0, now_ms=T0 + draw(st.sampled_from([-500, 0, 1_000, 1_001, 2_000, 30_001])),
        book=book, terms=attrs.evolve(TERMS, accepting_orders=draw(st.sampled_from([True, True, False]))),
    )  # fmt: skip
    return settings, paper, state, facts


@given(cases())
@MANY
def test_every_rule_is_what_a_second_opinion_says_it_is(case):
    settings, paper, state, facts = case
    reports = risk_reports(settings, paper, state, facts)
    assert [report.rule for report in reports if not report.passed] == failures(settings, paper, state, facts)
    assert all(isinstance(report.value, str) for report in reports)


@given(cases())
@MANY
def test_what_is_refused_before_a_price_is_asked_for_no_price_could_have_saved(case):
    settings, paper, state, facts = case
    early = early_failure(settings, state)
    failed = failures(settings, paper, state, facts)
    assert early is None or early.rule in failed
    if early is None:
        assert not set(failed) & {
            "HALTED", "PAUSED", "BREAKER", "DRIFT", "DAILY_LOSS_LIMIT", "DRAWDOWN_BREAKER", "MAX_ORDERS_PER_MINUTE",
        }  # fmt: skip


def test_the_reference_and_the_rules_know_the_same_names():
    worst = attrs.evolve(
        STATE, halted="x", paused=True, breaker="x", drift=D(1), available=D(0), locked=D(9), equity=D(0),
        account_spendable=None, market_exposure=D(9), event_exposure=D(9), entries_last_minute=9,
        day=DayFigures(spent_usd=D(9), lost_usd=D(9)),
    )  # fmt: skip
    zero: dict[str, Any] = {name: D(0) for name in OFF} | {
        "max_orders_per_minute": 0,
        "min_book_depth_pct": Decimal(100),
    }
    names = set()
    for asks in (((D("0.02"), D(1)),), ((D("0.9"), D(1)),)):
        book = attrs.evolve(BOOK, bids=((D("0.01"), D(1)),), asks=asks)
        facts = attrs.evolve(FACTS, book=book, now_ms=T0 + 10**9, terms=attrs.evolve(TERMS, accepting_orders=False))
        names |= set(failures(LiveSettings(**zero), PAPER, worst, facts))
    assert names == {rule for rule, _ in RULES}
