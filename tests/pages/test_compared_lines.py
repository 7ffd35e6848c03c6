"""Several lines in one chart: told apart by class, in one scale, with names that mean harm as text."""

from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages.page_world import HOSTILE

from engine.pages.charts.compared_lines import LINES_MAX, compared_lines

D = Decimal
values = st.none() | st.integers(-(10**9), 10**9).map(lambda value: D(value) / 10_000)
points = st.lists(st.tuples(st.integers(0, 10**12), values), max_size=30).map(
    lambda found: sorted(found, key=lambda one: one[0])
)
SVG = "{http://www.w3.org/2000/svg}"


def lines_of(text):
    return [one for one in ElementTree.fromstring(text).iter(f"{SVG}path") if "chart-line" in one.get("class", "")]


@given(st.lists(points, max_size=LINES_MAX))
def test_each_series_with_a_value_is_a_line_of_its_own_class(series):
    text = compared_lines([(f"s{n}", one) for n, one in enumerate(series)], title="Return")
    wanted = [f"chart-line series-{n}" for n, one in enumerate(series, 1) if any(value is not None for _, value in one)]
    assert [one.get("class") for one in lines_of(text)] == wanted
    assert "style=" not in text


def test_a_line_lies_where_its_values_are_and_a_gap_lifts_the_pen():
    series = [("a", [(0, D(0)), (50, None), (100, D(1))]), ("b", [(0, D(1)), (100, D(0))])]
    first, second = (one.get("d") for one in lines_of(compared_lines(series, title="Return")))
    assert first.count("M") == 2
    assert second.count("M") == 1
    heights = [float(part.split()[-1]) for part in second.replace("L", "M").split("M") if part.strip()]
    assert heights[0] < heights[-1]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text(name):
    text = compared_lines([(name, [(0, D(1)), (1, D(2))])], title=name)
    root = ElementTree.fromstring(text)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "title", "desc", "path", "line", "text"}


def test_more_than_six_and_times_out_of_order_are_refused():
    one = ("a", [(0, D(1))])
    with pytest.raises(ValueError, match="more than 6"):
        compared_lines([one] * 7, title="x")
    with pytest.raises(ValueError, match="order of time"):
        compared_lines([("a", [(1, D(1)), (0, D(1))])], title="x")
    assert "no data" in compared_lines([], title="x")
