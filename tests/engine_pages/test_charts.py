import json
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pages.charts.bar_chart import bar_chart
from engine.pages.charts.line_chart import line_chart
from engine.pages.charts.meter import meter
from engine.pages.charts.sparkline import sparkline
from engine.pages.charts.thinning import thinned
from engine.pages.charts.value_axis import Unit, value_axis, value_text

SVG = "{http://www.w3.org/2000/svg}"
START_MS = 1_760_000_000_000
DAY_MS = 86_400_000
BYTES_MAX = 30_000
ALLOWED = {"svg", "title", "desc", "path", "line", "rect", "circle", "text", "tspan"}
values = st.one_of(
    st.decimals(-(10**24), 10**24, allow_nan=False, allow_infinity=False),
    st.decimals(-5, 5, places=3),
    st.sampled_from([Decimal(0), Decimal("1e-30"), Decimal("-1e-17"), Decimal(10) ** 24]),
)
series = st.lists(st.tuples(st.integers(0, 200_000_000_000_000), values | st.none()), max_size=40).map(
    lambda points: sorted(points, key=lambda point: point[0])
)
hostile = st.text() | st.sampled_from(
    ["<script>alert(1)</script>", '" style="x" onload="y', "]]>&#0;", "\0\ud800\uffff\u202e"]
)


def parsed(text):
    assert len(text.encode()) <= BYTES_MAX
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ALLOWED
        refused = {
            name for name in element.attrib if name.startswith("on") or name in {"style", "href", "fill", "stroke"}
        }
        assert not refused
    assert root.attrib["role"] == "img"
    return root


def plot_of(text):
    return next(one for one in parsed(text).iter() if one.get("class") == "chart-plot")


@given(points=series, baseline=series, title=hostile, name=hostile, area=st.booleans(), unit=st.sampled_from(Unit))
def test_a_line_of_anything_is_harmless_xml(points, baseline, title, name, area, unit):
    text = line_chart(points, title=title, name=name, baseline=baseline, baseline_name=name, area=area, unit=unit)
    parsed(text)
    assert "<script" not in text


@given(points=series, title=hostile, unit=st.sampled_from(Unit))
def test_bars_and_sparklines_of_anything_are_harmless_xml(points, title, unit):
    parsed(bar_chart(points, title=title, unit=unit))
    parsed(sparkline([value for _, value in points], label=title, unit=unit))


def test_the_label_is_the_title_and_reads_as_it_was():
    root = parsed(line_chart([(START_MS, Decimal(1))], title='<b>"A & B"</b>'))
    assert root.attrib["aria-label"] == root.find(f"{SVG}title").text == '<b>"A & B"</b>'


@given(numbers=st.lists(values, min_size=1), with_zero=st.booleans())
def test_all_values_lie_on_a_short_axis(numbers, with_zero):
    axis = value_axis(numbers, Unit.USD, with_zero=with_zero)
    assert 2 <= len(axis.ticks) <= 7
    assert all(0 <= axis.y(number) <= 1_000 for number in numbers)
    assert all(later - earlier > 0 for earlier, later in pairwise(axis.ticks))
    assert axis.zero_y is not None or not with_zero


@given(points=st.lists(st.tuples(st.integers(), values | st.none())), most=st.integers(5, 60))
def test_fewer_points_keep_ends_extremes_and_order(points, most):
    kept = list(thinned(points, most))
    assert len(kept) <= most
    rest = iter(points)
    assert all(any(one is point for point in rest) for one in kept)
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
    present = [value for _, value in points if value is not None]
    assert [edge([value for _, value in kept if value is not None]) for edge in (min, max) if present] == [
        edge(present) for edge in (min, max) if present
    ]
    assert any(value is None for _, value in kept) == any(value is None for _, value in points)


def test_a_hundred_thousand_points_are_a_small_picture_of_400():
    points = [(START_MS + 60_000 * minute, Decimal(minute * 7_919 % 100_003) / 7) for minute in range(100_000)]
    shown = json.loads(plot_of(line_chart(points, title="t", area=True)).attrib["data-points"])
    assert len(shown) <= 400
    assert shown[-1][0] == 99_999 * 60_000
    parsed(line_chart(points, title="t", baseline=points, area=True))
    assert len(json.loads(plot_of(bar_chart(points, title="t", width_ms=60_000)).attrib["data-points"])) <= 366


def test_gaps_break_the_line_and_a_lone_point_is_a_dot():
    points = [
        (START_MS + index * DAY_MS, value) for index, value in enumerate((Decimal(1), None, Decimal(3), Decimal(2)))
    ]
    line = next(one for one in parsed(line_chart(points, title="t")).iter() if one.get("class") == "chart-line")
    assert line.attrib["d"].count("M") == 2
    assert json.loads(plot_of(line_chart(points, title="t")).attrib["data-points"])[1] == [DAY_MS, None]


@pytest.mark.parametrize("draw", [line_chart, bar_chart])
@pytest.mark.parametrize("points", [[], [(START_MS, None)]])
def test_nothing_says_that_there_is_nothing_yet(draw, points):
    root = parsed(draw(points, title="t"))
    assert [one.text for one in root.iter(f"{SVG}text")] == ["no data yet"]


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1e25", "sNaN"])
def test_what_is_no_amount_is_refused(bad):
    for draw in (line_chart, bar_chart):
        with pytest.raises(ValueError, match="cannot show"):
            draw([(START_MS, Decimal(bad))], title="t")
    with pytest.raises(ValueError, match="cannot show"):
        sparkline([Decimal(bad)], label="t")


@pytest.mark.parametrize("draw", [line_chart, bar_chart])
def test_times_out_of_order_are_refused(draw):
    with pytest.raises(ValueError, match="in order"):
        draw([(START_MS, Decimal(1)), (START_MS - 1, Decimal(1))], title="t")


def test_bars_add_up_and_go_both_ways():
    bars = [(START_MS + day * DAY_MS, Decimal(day - 500)) for day in range(1_000)]
    plot = plot_of(bar_chart(bars, title="t"))
    assert sum(value for _, value in json.loads(plot.attrib["data-points"])) == sum(value for _, value in bars)
    assert {"chart-gain", "chart-loss"} <= {one.get("class") for one in plot}


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        ("12345.678", Unit.USD, "$12,345.68"),
        ("-0.5", Unit.USD, "−$0.50"),
        ("-50000000", Unit.USD, "−$50.00M"),
        ("0.0523", Unit.PERCENT, "5.2%"),
        ("0", Unit.USD, "$0"),
        ("0.000000049", Unit.NUMBER, "4.9e-8"),
    ],
)
def test_amounts_read_like_amounts(value, unit, said):
    assert value_text(Decimal(value), unit) == said


def test_a_meter_says_how_full_it_is():
    assert [parsed(meter(used, 100, label="heap")).get("class") for used in (10, 70, 95, 300)] == [
        "meter meter-calm", "meter meter-warn", "meter meter-full", "meter meter-full",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no share"):
        meter(1, 0, label="heap")
