"""Money in buckets that add up whatever they hold, and risk rules as meters."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pages.live_money import RULES, buckets, drawdown_pct, meters

D = Decimal
micro = st.integers(0, 10**15).map(lambda value: D(value) / 10**6)


@st.composite
def standings(draw):
    """A strategy whose balance keeps I1: available + locked + cooldown = initial + realised + drift."""
    available, locked, cooldown, drift = (draw(micro) for _ in range(4))
    realized = draw(st.integers(-(10**15), 10**15)) / D(10**6)
    positions = draw(st.integers(0, 1_000)) * locked / 1_000
    return {
        "available": available, "locked": locked, "cooldown": cooldown, "drift": drift, "realizedPnl": realized,
        "positionsUsd": positions, "initial": available + locked + cooldown - realized - drift,
    }  # fmt: skip


@given(standings())
def test_the_parts_add_up_to_the_equity_and_fill_the_bar(strategy):
    found = buckets(strategy)
    assert found.adds_up
    assert (
        sum(part.usd for part in found.parts)
        == found.total
        == strategy["initial"] + strategy["realizedPnl"] + strategy["drift"]
    )
    assert all(part.usd >= 0 and part.width >= 0 for part in found.parts)
    widths = sum(part.width for part in found.parts)
    assert abs(widths - 100) <= D("0.02") if found.total else widths == 0
    for left, right in zip(found.parts, found.parts[1:], strict=False):
        assert left.x + left.width == right.x


@given(standings(), st.integers(1, 10**9))
def test_a_balance_that_does_not_add_up_is_said_not_to(strategy, off):
    assert not buckets({**strategy, "initial": strategy["initial"] + D(off) / 10**6}).adds_up


@pytest.mark.parametrize(
    ("peak", "initial", "realized", "pct"),
    [("100", "100", "0", "0"), ("120", "100", "-10", "25"), ("100", "100", "5", "0"), ("0", "0", "0", "0")],
)
def test_the_fall_is_below_the_peak(peak, initial, realized, pct):
    strategy = {"peakEquity": D(peak), "initial": D(initial), "realizedPnl": D(realized)}
    assert drawdown_pct(strategy) == D(pct)


@pytest.mark.parametrize(
    ("spent", "limit", "state"),
    [("0", "10", "calm"), ("7.99", "10", "calm"), ("8", "10", "warn"), ("10", "10", "full"), ("11", "10", "full"),
     ("0", "0", "full"), ("5", None, "off")],
)  # fmt: skip
def test_a_rule_is_calm_close_or_reached_and_zero_is_a_limit(spent, limit, state):
    rules = {name: None for name, *_ in RULES} | {"daily_budget_usd": limit, "max_signal_age_s": 30}
    risk = {"rules": rules, "locked": D(0), "spentTodayUsd": D(spent), "lostTodayUsd": D(0)}
    found = {one.name: one for one in meters({"peakEquity": D(1), "initial": D(1), "realizedPnl": D(0)}, risk)}
    assert found["daily_budget_usd"].state == state
    assert (found["max_signal_age_s"].state, found["max_market_exposure_usd"].state) == ("each", "off")
