from decimal import Decimal

import pytest
from actors_strategy.judged_trades import NOW_MS, TRADE, TRADER, market, reason_of, record, settings_of, trade
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK, examples
from property.made_trades import wallet
from reference.random_strategies import batches

from actors.rules.strategy.conflict_gates import CONFLICT_GATES
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.gates import GATES
from actors.rules.strategy.stands import fill_in_room
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import Verdict, explain, judge
from protocols.decisions import Absent, Present, Reason
from protocols.strategies import AbsentScore, AllocationMethod, ProportionalBasis, StrategySettings, WinRateSource

D = Decimal
PORTFOLIO = {"allocation_method": AllocationMethod.PROPORTIONAL, "proportional_basis": ProportionalBasis.PORTFOLIO}


def test_a_strategy_without_filters_takes_the_trade():
    assert reason_of(settings_of()) == "taken"


@pytest.mark.parametrize(
    ("passes", "fails", "reason"),
    [
        ({"price_min": D("0.40")}, {"price_min": D("0.4001")}, "price_out_of_range"),
        ({"price_max": D("0.40")}, {"price_max": D("0.3999")}, "price_out_of_range"),
        ({"min_trader_win_rate": D("0.6")}, {"min_trader_win_rate": D("0.600001")}, "low_win_rate"),
        ({"min_edge": D("0.1988")}, {"min_edge": D("0.198801")}, "insufficient_edge"),
        ({"min_trader_resolved_count": 40}, {"min_trader_resolved_count": 41}, "low_trade_count"),
        ({"min_conviction": D(2)}, {"min_conviction": D("2.000001")}, "low_conviction"),
        ({"max_trader_win_rate": D("0.6")}, {"max_trader_win_rate": D("0.599999")}, "high_win_rate"),
        ({"max_edge": D("0.1988")}, {"max_edge": D("0.198799")}, "high_edge"),
        ({"max_conviction": D(2)}, {"max_conviction": D("1.999999")}, "high_conviction"),
        ({"min_original_trade_usd": D(40)}, {"min_original_trade_usd": D("40.01")}, "trade_too_small"),
        ({"max_original_trade_usd": D(40)}, {"max_original_trade_usd": D("39.99")}, "trade_too_large"),
        ({"market_categories": ("tennis", "lakers")}, {"market_categories": ("tennis",)}, "wrong_category"),
        ({"bet_structures": ("head_to_head",)}, {"bet_structures": ("YES_NO",)}, "wrong_structure"),
        ({"exclude_market_keywords": ("tennis",)}, {"exclude_market_keywords": ("LAKERS",)}, "excluded_category"),
        ({"max_trade_age_s": 5}, {"max_trade_age_s": 4}, "trade_too_old"),
        ({"start_date": NOW_MS - 5_000}, {"start_date": NOW_MS - 4_999}, "outside_window"),
        ({"end_date": NOW_MS - 4_999}, {"end_date": NOW_MS - 5_000}, "outside_window"),
        ({"is_active": True}, {"is_active": False}, "outside_window"),
        ({"excluded_traders": (wallet(2),)}, {"excluded_traders": (wallet(2), TRADER)}, "excluded_trader"),
        (
            {"use_model": True, "model_threshold": D("0.7")},
            {"use_model": True, "model_threshold": D("0.700001")},
            "low_ml_score",
        ),
    ],
)
def test_each_limit_belongs_to_what_passes(passes, fails, reason):
    assert reason_of(settings_of(**passes)) == "taken"
    assert reason_of(settings_of(**fails)) == reason


@pytest.mark.parametrize(
    ("changes", "settings", "reason"),
    [
        ({"side": "SELL"}, {}, "not_buy"),
        ({"market": None}, {}, "market_not_found"),
        ({"market": market(closed=True)}, {}, "market_resolved"),
        ({"market": market(resolved=True)}, {}, "market_resolved"),
        ({"market": market(end_ms=NOW_MS - 5_000)}, {}, "after_market_end"),
        ({"market": market(end_ms=NOW_MS - 4_999)}, {}, "taken"),
        ({}, {"trade_live_only": True}, "no_game_start_time"),
        ({"market": market(game_start_ms=NOW_MS + 1)}, {"trade_live_only": True}, "pre_game"),
        ({"market": market(game_start_ms=NOW_MS)}, {"trade_live_only": True}, "taken"),
        ({}, PORTFOLIO, "portfolio_unknown"),
        ({"portfolio_usd": D(0)}, PORTFOLIO, "portfolio_unknown"),
        ({"portfolio_usd": D(4000)}, PORTFOLIO, "taken"),
        ({}, {"bet_size": D(0)}, "zero_stake"),
        ({}, {"bet_size": D("1000.01"), "max_bet": D(2000)}, "insufficient_cash"),
        ({}, {"bet_size": D(1000), "max_bet": D(2000)}, "taken"),
    ],
)
def test_what_the_market_and_the_account_say(changes, settings, reason):
    assert reason_of(settings_of(**settings), trade(**changes)) == reason


def test_d18_zero_is_a_value_and_none_is_off():
    assert reason_of(settings_of(min_trader_resolved_count=0), trade(trader=None)) == "taken"
    losing = trade(trader=record(win_rate=D("0.4011")))
    assert reason_of(settings_of(min_edge=None), losing) == "taken"
    assert reason_of(settings_of(min_edge=D(0)), losing) == "insufficient_edge"
    assert reason_of(settings_of(max_conviction=D(0))) == "high_conviction"
    assert reason_of(settings_of(max_original_trade_usd=D(0))) == "trade_too_large"


def test_d46_a_trade_that_arrives_late_is_judged_by_its_age_and_by_no_cursor():
    late = trade(trade_ms=NOW_MS - 90_000)
    assert reason_of(settings_of(), late) == "taken"
    assert reason_of(settings_of(max_trade_age_s=90), late) == "taken"
    assert reason_of(settings_of(max_trade_age_s=89), late) == "trade_too_old"


def test_d49_a_model_without_a_threshold_still_has_to_answer_and_leaves_the_win_rate_alone():
    asks = settings_of(use_model=True, model_threshold=None, min_trader_win_rate=D("0.9"))
    assert reason_of(asks) == "low_win_rate"
    silent = trade(score=Absent(reason="timeout"))
    assert reason_of(settings_of(use_model=True, model_threshold=None), silent) == "ml_unavailable"


def test_d50_an_absent_score_passes_no_threshold_and_is_ignored_only_where_the_strategy_says_so():
    silent = trade(score=Absent(reason="timeout"))
    asks = {"use_model": True, "model_threshold": D("0.5")}
    assert reason_of(settings_of(**asks), silent) == "ml_unavailable"
    assert reason_of(settings_of(**asks, absent_score=AbsentScore.IGNORE), silent) == "taken"
    assert reason_of(settings_of(**asks, absent_score=AbsentScore.IGNORE), trade(score=Present(probability=D(0)))) == (
        "low_ml_score"
    )
    assert reason_of(settings_of(model_threshold=D(1)), silent) == "taken"


def test_d52_an_empty_list_of_targets_is_nobody_and_none_is_everyone():
    assert reason_of(settings_of(), targets=()) == "not_target_trader"
    assert reason_of(settings_of(), targets=(wallet(2),)) == "not_target_trader"
    assert reason_of(settings_of(), targets=(wallet(2), TRADER)) == "taken"
    assert reason_of(settings_of(), targets=None) == "taken"


def test_d53_dollars_are_compared_with_dollars_and_words_with_title_category_and_tags():
    # 100 shares, but 40 USD.
    assert reason_of(settings_of(min_original_trade_usd=D(50))) == "trade_too_small"
    assert reason_of(settings_of(max_original_trade_usd=D(50))) == "taken"
    for word in ("celtics", "SPORTS", "basketball"):
        assert reason_of(settings_of(market_categories=(word,))) == "taken"
        assert reason_of(settings_of(exclude_market_keywords=(word,))) == "excluded_category"


def test_d54_who_has_no_record_fails_a_least_count_of_one():
    unknown = trade(trader=None)
    assert reason_of(settings_of(min_trader_resolved_count=1), unknown) == "low_trade_count"
    profile = settings_of(min_trader_resolved_count=1, wr_source=WinRateSource.PROFILE)
    assert reason_of(profile, unknown) == "low_trade_count"


# Everything that can fail at once, in the order of domain.md §2.6; repaired from the top, the next one shows.
REPAIRS = [
    ("excluded_trader", {"excluded_traders": ()}, {}),
    ("not_buy", {}, {"side": "BUY"}),
    ("outside_window", {"start_date": None}, {}),
    ("trade_too_old", {"max_trade_age_s": 300}, {}),
    ("market_not_found", {}, {"market": market(closed=True, end_ms=1)}),
    ("market_resolved", {}, {"market": market(end_ms=1)}),
    ("after_market_end", {}, {"market": market()}),
    ("no_game_start_time", {}, {"market": market(game_start_ms=NOW_MS + 1)}),
    ("pre_game", {}, {"market": market(game_start_ms=NOW_MS)}),
    ("price_out_of_range", {"price_min": D(0)}, {}),
    ("low_win_rate", {"min_trader_win_rate": None}, {}),
    ("insufficient_edge", {"min_edge": None}, {}),
    ("low_trade_count", {"min_trader_resolved_count": 0}, {}),
    ("low_conviction", {"min_conviction": None}, {}),
    ("high_win_rate", {"max_trader_win_rate": None}, {}),
    ("high_edge", {"max_edge": None}, {}),
    ("high_conviction", {"max_conviction": None}, {}),
    ("wrong_category", {"market_categories": ("nba",)}, {}),
    ("wrong_structure", {"bet_structures": ()}, {}),
    ("excluded_category", {"exclude_market_keywords": ()}, {}),
    ("trade_too_small", {"min_original_trade_usd": None}, {}),
    ("trade_too_large", {"max_original_trade_usd": None}, {}),
    ("ml_unavailable", {}, {"score": Present(probability=D("0.1"))}),
    ("low_ml_score", {"use_model": False}, {}),
    ("portfolio_unknown", {"allocation_method": AllocationMethod.FIXED, "bet_size": D(0)}, {}),
    ("zero_stake", {"bet_size": D("5"), "max_bet": D(10)}, {}),
]


def test_the_first_failure_in_the_order_of_the_table_wins():
    settings = {
        **PORTFOLIO, "excluded_traders": (TRADER,), "start_date": NOW_MS, "max_trade_age_s": 1, "trade_live_only": True,
        "price_min": D("0.9"), "min_trader_win_rate": D(1), "min_edge": D(1), "min_trader_resolved_count": 10**6,
        "min_conviction": D(10), "max_trader_win_rate": D(0), "max_edge": D(-1), "max_conviction": D(0),
        "market_categories": ("tennis",), "bet_structures": ("PROP",), "exclude_market_keywords": ("nba",),
        "min_original_trade_usd": D(1000), "max_original_trade_usd": D(0), "use_model": True,
        "model_threshold": D("0.9"),
    }  # fmt: skip
    changes = {"side": "SELL", "market": None, "score": Absent(reason="timeout")}
    for reason, to_settings, to_trade in REPAIRS:
        assert reason_of(settings_of(**settings), trade(**changes), bankroll=D(4)) == reason
        settings |= to_settings
        changes |= to_trade
    assert reason_of(settings_of(**settings), trade(**changes), bankroll=D(4)) == "insufficient_cash"
    assert reason_of(settings_of(**settings), trade(**changes), bankroll=D(5)) == "taken"


def test_gates_stand_in_the_order_of_their_names():
    names = list(Reason)
    order = [gate.reason for gate in GATES] + [gate.reason for gate in CONFLICT_GATES]
    assert [name for name in names if name in order] == order


def fee_does_not_fit(settings, inputs, verdict, stand):
    taken = verdict.reason is Reason.TAKEN
    return taken and fill_in_room(settings, inputs, verdict.stake, stand) is Reason.EVENT_EXPOSURE


@examples(25)
@given(batches())
def test_the_first_failed_report_is_the_reason_and_what_is_off_never_fails(batch):
    for pair in batch.pairs[:8]:
        chain = Chain.of(pair.settings, pair.targets)
        for one, bankroll, stand in list(zip(batch.trades, pair.bankrolls, pair.stands, strict=True))[:4]:
            traits = traits_of(one)
            verdict = judge(chain, traits, bankroll, stand)
            if fee_does_not_fit(pair.settings, one, verdict, stand):
                verdict = Verdict(Reason.EVENT_EXPOSURE)
            reports = explain(pair.settings, pair.targets, traits, bankroll, stand)
            failed = [report for report in reports if not report.passed]
            assert all(report.is_on for report in failed)
            assert (failed[0].reason if failed else Reason.TAKEN) is verdict.reason
            assert (verdict.stake > 0) == (verdict.reason is Reason.TAKEN)


def test_the_report_shows_value_and_limit_and_also_what_is_off():
    settings = settings_of(min_trader_win_rate=D("0.65"))
    reports = {report.reason: report for report in explain(settings, None, traits_of(TRADE), D(1000))}
    low = reports[Reason.LOW_WIN_RATE]
    assert (low.is_on, low.passed, low.value, low.limit) == (True, False, "0.6", "0.65")
    off = reports[Reason.LOW_CONVICTION]
    assert (off.is_on, off.passed, off.value, off.limit) == (False, True, "2", None)
    assert len(reports) == len(GATES) + len(CONFLICT_GATES)


@QUICK
@given(st.sampled_from([None, TRADE.market]), st.sampled_from([None, TRADE.trader]))
def test_a_report_of_any_lack_of_data_never_raises(known_market, known_trader):
    everything = StrategySettings(
        trade_live_only=True, use_model=True, model_threshold=D(1), market_categories=("a",), bet_structures=("B",),
        exclude_market_keywords=("c",), wr_source=WinRateSource.PROFILE, **PORTFOLIO,
    )  # fmt: skip
    inputs = trade(market=known_market, trader=known_trader, score=Absent(reason="not_asked"))
    assert explain(everything, (), traits_of(inputs), D(5))
