"""Bounds, parts, verdicts, and what may be applied."""

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.tuner.applying import Asked, applied_to, rolled_back
from actors.rules.tuner.bounds import BOUNDS, changed, problem_of, searchable
from actors.rules.tuner.parts import DAY_MS, parts_of
from actors.rules.tuner.verdict import DAYS_AFTER_MAX, Measured, Outcome, verdict_of
from config.strategy_settings import document_of
from protocols.strategies import AllocationMethod, Rotation, Strategy, StrategySettings
from protocols.tuner import ProposalKind

MANAGED = StrategySettings(agent_managed=True, price_min=Decimal("0.2"), price_max=Decimal("0.8"))


def strategy(settings=MANAGED, version=4):
    return Strategy(wallet_id="A", number=1, owner_id="ann", version=version, settings=settings)


def asked(after, **changes):
    searched = document_of(MANAGED)
    before = {name: searched[name] for name in after}
    return attrs.evolve(Asked(kind=ProposalKind.CHANGE, before=before, after=after, searched=searched), **changes)


def test_the_bounds_are_those_of_the_seed():
    ends = {name: (str(one.low), str(one.high)) for name, one in BOUNDS.items()}
    assert ends == {
        "model_threshold": ("0.40", "0.75"), "price_min": ("0.01", "0.50"), "price_max": ("0.30", "0.99"),
        "min_edge": ("0", "0.20"), "bet_size": ("0.5", "5"), "min_bet": ("0.5", "2"), "max_bet": ("3", "15"),
        "kelly_fraction": ("0.10", "0.50"), "min_trader_resolved_count": ("10", "300"), "min_conviction": ("0", "3"),
        "bet_allocation_weight": ("0.5", "2"),
    }  # fmt: skip
    for one in BOUNDS.values():
        assert one.at(one.steps) == one.high


@given(st.sampled_from(sorted(BOUNDS)), st.integers(0, 200))
def test_whatever_can_be_tried_can_be_proposed(name, step):
    bound = BOUNDS[name]
    step = min(step, bound.steps)
    settings = changed(StrategySettings(use_model=True, model_threshold=Decimal("0.5")), {name: step})
    assert settings is None or bound.nearest(getattr(settings, name)) == step
    if settings is not None:
        assert problem_of({name: document_of(settings)[name]}) is None


def test_what_contradicts_itself_is_not_tried():
    assert changed(MANAGED, {"price_min": 49, "price_max": 0}) is None


def test_what_is_outside_is_no_proposal():
    assert "outside" in problem_of({"price_min": "0.51"})
    assert "not the tuner's" in problem_of({"starting_balance": "5"})
    assert "4 settings" in problem_of(dict.fromkeys(("price_min", "price_max", "min_edge", "min_conviction"), "0.3"))
    assert problem_of({}) is not None
    assert problem_of({"min_conviction": None}) is not None


def test_only_what_can_matter_is_searched():
    fixed = searchable(StrategySettings())
    assert "bet_size" not in fixed
    assert "model_threshold" not in fixed
    kelly = StrategySettings(allocation_method=AllocationMethod.KELLY, use_model=True, model_threshold=Decimal("0.5"))
    assert {"kelly_fraction", "model_threshold", "max_bet"} <= set(searchable(kelly))
    assert "kelly_fraction" not in searchable(attrs.evolve(kelly, allocation_method=AllocationMethod.CONVICTION))


@given(st.integers(0, 10**13), st.integers(10, 90), st.integers(1, 9))
def test_parts_are_whole_days_that_do_not_overlap(now_ms, days, validation_days):
    parts = parts_of(now_ms, days=days, validation_days=validation_days)
    assert parts.train.until_ms == parts.validation.since_ms
    assert parts.validation.until_ms <= now_ms < parts.validation.until_ms + DAY_MS
    assert parts.validation.until_ms - parts.train.since_ms == days * DAY_MS


def measured(orders, wins, roi, stake=1.0):
    """Orders of the same stake at even odds, whose profits come to a return."""
    staked = orders * stake
    return Measured(
        orders=orders, wins=wins, staked_usd=staked, pnl_usd=staked * roi, squares=orders * stake * stake,
        products=staked * roi * stake, staked_squares=orders * stake * stake,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("win_rate", "roi", "outcome"),
    [
        (0.02, 0, Outcome.IMPROVED),
        (0.019, 0.009, Outcome.NEUTRAL),
        (0, 0.01, Outcome.IMPROVED),
        (-0.05, 0.2, Outcome.DEGRADED),
        (0.2, -0.03, Outcome.DEGRADED),
        (-0.049, -0.029, Outcome.NEUTRAL),
        (0, 0, Outcome.NEUTRAL),
    ],
)
def test_the_limits_of_the_seed(win_rate, roi, outcome):
    before, after = measured(1_000, 500, 0), measured(1_000, 500 + round(1_000 * win_rate), roi)
    assert verdict_of(before, after, days_after=1, orders_min=50, errors_min=0).outcome is outcome


def test_too_few_orders_wait_and_end_neutral():
    before, after = measured(1_000, 500, 0), measured(49, 0, -1)
    for days in range(1, DAYS_AFTER_MAX):
        assert verdict_of(before, after, days_after=days, orders_min=50, errors_min=0) is None
    last = verdict_of(before, after, days_after=DAYS_AFTER_MAX, orders_min=50, errors_min=0)
    assert (last.outcome, last.enough) == (Outcome.NEUTRAL, False)
    nothing = verdict_of(measured(0, 0, 0), measured(0, 0, 0), days_after=7, orders_min=50, errors_min=1)
    assert (nothing.outcome, nothing.win_rate, nothing.roi) == (Outcome.NEUTRAL, None, None)


def test_noise_is_no_verdict():
    before, after = measured(60, 30, 0), measured(60, 27, -0.06)
    assert verdict_of(before, after, days_after=1, orders_min=50, errors_min=0).outcome is Outcome.DEGRADED
    assert verdict_of(before, after, days_after=1, orders_min=50, errors_min=1).outcome is Outcome.NEUTRAL
    many = verdict_of(
        measured(6_000, 3_000, 0), measured(6_000, 2_700, -0.06), days_after=1, orders_min=50, errors_min=1
    )
    assert many.outcome is Outcome.DEGRADED


def test_a_proposal_fits_the_strategy_as_it_was():
    after = {"price_min": "0.3", "min_edge": "0.05"}
    settings = applied_to(asked(after), strategy())
    assert (settings.price_min, settings.min_edge, settings.price_max) == (
        Decimal("0.3"), Decimal("0.05"), Decimal("0.8")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (None, "put away"),
        (attrs.evolve(MANAGED, agent_managed=False), "out of the tuner's care"),
        (attrs.evolve(MANAGED, is_active=False), "paused"),
        (attrs.evolve(MANAGED, bet_size=Decimal(2)), "changed meanwhile: bet_size"),
        (attrs.evolve(MANAGED, target_traders=("0x" + "1" * 40,)), "changed meanwhile: target_traders"),
    ],
)
def test_a_strategy_that_moved_on_refuses(now, reason):
    found = applied_to(asked({"price_min": "0.3"}), None if now is None else strategy(now))
    assert isinstance(found, str)
    assert reason in found


def test_words_and_lists_of_winners_may_change_meanwhile():
    renamed = attrs.evolve(MANAGED, display_name="new", agent_applies=True)
    assert not isinstance(applied_to(asked({"price_min": "0.3"}), strategy(renamed)), str)
    rotating = attrs.evolve(MANAGED, rotation=Rotation.DAILY)
    searched = document_of(rotating)
    filled = attrs.evolve(rotating, target_traders=("0x" + "1" * 40,))
    assert not isinstance(applied_to(asked({"price_min": "0.3"}, searched=searched), strategy(filled)), str)


def test_a_version_from_before_a_setting_was_known_is_no_change():
    searched = document_of(MANAGED)
    del searched["agent_applies"], searched["rotation"]
    assert not isinstance(applied_to(asked({"price_min": "0.3"}, searched=searched), strategy()), str)


def test_values_that_are_written_otherwise_are_refused_and_not_tried_for_ever():
    assert "not written as settings are" in applied_to(asked({"price_min": "0.30"}), strategy())


def test_contradictions_and_bounds_are_looked_at_again():
    assert "more than" in applied_to(asked({"price_min": "0.5", "price_max": "0.3"}), strategy())
    assert "outside" in applied_to(asked({"price_min": "0.6"}), strategy())


def test_what_was_applied_is_taken_back_unless_somebody_changed_it():
    before, after = {"price_min": "0.2"}, {"price_min": "0.3"}
    applied = attrs.evolve(MANAGED, price_min=Decimal("0.3"), bet_size=Decimal(3))
    back = rolled_back(before, after, strategy(applied))
    assert (back.price_min, back.bet_size) == (Decimal("0.2"), Decimal(3))
    assert "somebody has changed price_min" in rolled_back(before, after, strategy())
    assert "put away" in rolled_back(before, after, None)
    foreign = attrs.evolve(applied, agent_managed=False)
    assert "care" in rolled_back(before, after, strategy(foreign))
