"""Grades, sentences and the size at which nothing is left."""

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.copyability.bootstrap import Interval
from actors.rules.copyability.capacity import Rung, capacity_of
from actors.rules.copyability.verdict import (
    COPIES_MIN,
    DAYS_MIN,
    OUTCOMES_MIN,
    Evidence,
    grade_of,
    missing,
    sentence_of,
)

ENOUGH = Evidence(copied=COPIES_MIN, days=DAYS_MIN, won=OUTCOMES_MIN, lost=COPIES_MIN - OUTCOMES_MIN)


def interval(low, estimate, high):
    return Interval(estimate=Decimal(estimate), low=Decimal(low), high=Decimal(high), level=Decimal("0.90"))


@pytest.mark.parametrize(
    ("low", "estimate", "high", "grade"),
    [
        ("0.01", "0.05", "0.1", "good"),
        ("0", "0.05", "0.1", "likely"),
        ("-0.01", "0.05", "0.1", "likely"),
        ("-0.1", "0", "0.1", "unlikely"),
        ("-0.1", "-0.05", "0", "unlikely"),
        ("-0.1", "-0.05", "-0.01", "bad"),
    ],
)
def test_a_grade_says_on_which_side_of_nothing_the_interval_lies(low, estimate, high, grade):
    found = interval(low, estimate, high)
    assert grade_of(found, ENOUGH) == grade
    sentence = sentence_of(grade, found, ENOUGH, Decimal("20.00"))
    assert all(text in sentence for text in ("20 USD", f"{Decimal(estimate) * 100:+.1f} %", "90 %"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"copied": COPIES_MIN - 1}, f"{COPIES_MIN - 1} of {COPIES_MIN} finished copies"),
        ({"days": 3}, f"3 of {DAYS_MIN} days"),
        ({"won": 2}, f"2 of {OUTCOMES_MIN} gains"),
        ({"lost": 0}, f"0 of {OUTCOMES_MIN} losses"),
    ],
)
def test_too_little_evidence_is_said_and_gives_no_number(changes, says):
    little = attrs.evolve(ENOUGH, **changes)
    assert says in (missing(little) or "")
    grade = grade_of(interval("0.1", "0.2", "0.3"), little)
    assert grade == "not_enough"
    sentence = sentence_of(grade, None, little, Decimal(20))
    assert says in sentence
    assert "%" not in sentence


def test_days_that_are_all_alike_are_no_evidence():
    assert grade_of(None, ENOUGH) == "not_enough"
    assert "same" in sentence_of("not_enough", None, ENOUGH, Decimal(20))


def rungs(*pairs):
    return [Rung(size_usd=Decimal(size), net_return=None if part is None else Decimal(part)) for size, part in pairs]


@pytest.mark.parametrize(
    ("made", "state", "usd"),
    [
        ([], "unknown", None),
        ([(5, None)], "unknown", None),
        ([(5, "-0.01"), (10, "0.5")], "none", None),
        ([(5, "0.02"), (10, "0.01")], "above", 10),
        ([(5, "0.02"), (105, "-0.02")], "found", 55),
        ([(105, "-0.02"), (5, "0.02")], "found", 55),
        ([(5, "0.03"), (10, "0")], "found", 10),
        ([(5, "0.02"), (50, None), (105, "-0.02"), (200, "1")], "found", 55),
    ],
)
def test_capacity_is_where_the_return_falls_to_nothing(made, state, usd):
    found = capacity_of(rungs(*made))
    assert (found.state, found.usd) == (state, usd)


@given(st.integers(2, 400), st.lists(st.integers(1, 1_000), min_size=2, max_size=8, unique=True))
def test_the_capacity_of_a_straight_line_is_where_it_crosses(crossing, sizes):
    made = [Rung(size_usd=Decimal(size), net_return=Decimal(crossing - size) / 1_000) for size in sizes]
    found = capacity_of(made)
    if min(sizes) >= crossing:
        assert found.state == "none"
    elif max(sizes) < crossing:
        assert (found.state, found.usd) == ("above", max(sizes))
    else:
        assert found.state == "found"
        assert abs(found.usd - crossing) <= 1
