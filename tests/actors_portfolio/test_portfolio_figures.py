from decimal import Decimal

from actors_portfolio.portfolio_cases import NOW_US, booked, fill, marked, micro

from actors.rules.portfolio.figures import days_of, ratio, totals_of, traders_of, windows_of
from actors.rules.portfolio.matching import DAY_US


def figures(book, **prices):
    return [marked(one, prices.get(one.token_id)) for one in book.positions]


def test_the_reference_formulas():
    book = booked(
        fill("BUY", 10, "4", token="won"),
        fill("BUY", 10, "4", token="lost"),
        fill("BUY", 10, "4", token="sold"),
        fill("SELL", 10, "4", token="sold", day=1),
        fill("BUY", 10, "5", token="open", fee="0.5"),
        won="1",
        lost="0",
    )
    totals = totals_of(figures(book, open="0.7"))
    assert (totals.realized, totals.unrealized, totals.total) == (micro(2), micro("1.5"), micro("3.5"))
    assert totals.volume == micro("17.5")
    assert (totals.buys, totals.sells, totals.open_buys) == (4, 1, 1)
    # The one that was sold for what it cost has neither won nor lost.
    assert (totals.closed_positions, totals.winning, totals.losing) == (3, 1, 1)
    assert totals.win_rate == Decimal("0.333333")


def test_a_missing_price_is_no_price_and_a_price_of_zero_is_one():
    book = booked(fill("BUY", 10, "4", token="dark"), fill("BUY", 10, "5", token="dead"))
    totals = totals_of(figures(book, dead="0"))
    assert (totals.unrealized, totals.unmarked, totals.unmarked_cost) == (micro(-5), 1, micro(4))
    assert totals.open_value == 0
    blind = totals_of(figures(book))
    assert (blind.unrealized, blind.total, blind.unmarked) == (None, None, 2)


def test_an_empty_portfolio_has_no_rates():
    totals = totals_of([])
    assert (totals.realized, totals.unrealized, totals.total, totals.win_rate) == (0, 0, 0, None)
    assert ratio(0, 0) is None


def test_unmatched_sales_are_in_no_gain():
    totals = totals_of(figures(booked(fill("SELL", 10, "4"))))
    assert (totals.total, totals.volume, totals.sells) == (0, 0, 1)
    assert (totals.unmatched_sells, totals.unmatched) == (1, micro(4))
    assert (totals.open_positions, totals.closed_positions) == (0, 0)
    sales = (fill("SELL", 10, "4", order="1"), fill("SELL", 5, "2", order="2"), fill("SELL", 5, "2", order="2"))
    assert totals_of(figures(booked(fill("BUY", 4, "1"), *sales))).unmatched_sells == 2


def test_each_copied_trader_has_his_own_part_of_a_position():
    book = booked(
        fill("BUY", 10, "4", trader="0xa", order="1"),
        fill("BUY", 10, "6", trader="0xb", order="2", day=1),
        fill("SELL", 10, "7", trader="0xa", day=2),
        fill("BUY", 10, "9", trader=None, token="u", order="3"),
    )
    a, nobody, b = traders_of(figures(book, t="0.5"))
    assert (a.trader, a.copies, a.invested, a.realized, a.unrealized) == ("0xa", 1, micro(4), micro(3), 0)
    assert (a.closed, a.won) == (1, 1)
    assert (nobody.trader, nobody.unmarked_cost, nobody.pnl) == (None, micro(9), 0)
    assert (b.trader, b.unrealized, b.closed) == ("0xb", micro(-1), 0)


def test_days_and_windows_end_today():
    today = NOW_US // DAY_US
    fills = [fill("BUY", 100, "40", day=0)]
    fills += [fill("SELL", 1, "1", order=f"s{ago}", day=today - ago) for ago in (95, 89, 30, 6, 0)]
    days = days_of(booked(*sorted(fills, key=lambda one: one.at_us)).days.values())
    assert (days[0].number, days[0].realized) == (0, 0)
    assert days[-1].to_date == 5 * micro("0.6")
    windows = windows_of(days, NOW_US)
    count = {name: gained // micro("0.6") for name, (gained, _) in windows.items()}
    assert count == {"1D": 1, "7D": 2, "30D": 2, "90D": 4, "1Y": 5, "ALL": 5}
    assert windows["ALL"][1] == micro(40)
