"""Made-up books, the fees of markets that do not say theirs, and what a leg cost."""

from decimal import Decimal
from fractions import Fraction

import pytest
from bench.copyability_sources import cumulative_usd, recorded_books
from hypothesis import given
from hypothesis import strategies as st
from reference.reference_copyability import asks_around

from actors.rules.copyability.category_fees import with_fee
from actors.rules.copyability.copies import Leg, costs_of, summed
from actors.rules.copyability.depth import DepthModel
from actors.rules.decision_market import with_kind
from protocols.decisions import MarketInput

MODEL = DepthModel()
prices = st.decimals("0", "1", places=6)
amounts = st.decimals("0", "10000000", places=2)


@given(prices, amounts)
def test_a_book_is_what_the_slow_reference_says(price, day_usd):
    asks = [(Fraction(at), Fraction(size)) for at, size in MODEL.book(price, day_usd, 7).asks]
    expected = asks_around(Fraction(price), Fraction(day_usd))
    assert [at for at, _ in asks] == [at for at, _ in expected]
    assert all(abs(one - other) <= Fraction(1, 100) for (_, one), (_, other) in zip(asks, expected, strict=True))


@given(prices, amounts)
def test_a_book_is_sorted_within_range_and_around_its_price(price, day_usd):
    book = MODEL.book(price, day_usd, 7)
    asks, bids = [at for at, _ in book.asks], [at for at, _ in book.bids]
    assert asks == sorted(set(asks))
    assert bids == sorted(set(bids), reverse=True)
    assert all(Decimal("0.001") <= at <= Decimal("0.999") for at in asks + bids)
    assert not asks or asks[0] >= price or price > Decimal("0.998")
    assert not bids or bids[0] <= price or price < Decimal("0.002")
    assert book.observed_ms == 7


@given(prices, amounts, amounts)
def test_more_trade_never_makes_a_book_thinner(price, one, more):
    thin, deep = MODEL.book(price, min(one, more), 0), MODEL.book(price, max(one, more), 0)
    assert all(a[1] <= b[1] for a, b in zip(thin.asks + thin.bids, deep.asks + deep.bids, strict=True))


def test_a_recorded_book_of_a_game_is_deeper_than_the_model_almost_always(recorded):
    """As the sources in engine/copyability/README.md: a tenth of the recorded books had less, the model has less still."""
    books = recorded_books(recorded / "data" / "clob-market-channel-2025-06-17.csv.gz")
    assert len(books) > 100
    for ticks in (1, 2, 3, 5):
        within = sorted(cumulative_usd(side, ticks) for book in books for side in (book.asks, book.bids))
        ours = cumulative_usd(MODEL.book(Decimal("0.5"), Decimal(10_000), 0).asks, ticks)
        assert ours <= within[len(within) // 10]


@pytest.mark.parametrize(
    ("facts", "rate"),
    [
        ({"title": "Bitcoin above 100k?"}, "0.07"),
        ({"title": "Lakers vs. Celtics", "tags": ("NBA",)}, "0.05"),
        ({"title": "Will Trump win?"}, "0.04"),
        ({"title": "Ceasefire in Gaza?"}, "0.05"),
        ({"title": "Ceasefire in Gaza?", "tags": ("Geopolitics",)}, "0"),
        ({"title": "Something else"}, "0.05"),
        ({"title": "Bitcoin above 100k?", "fee_rate": Decimal("0.01")}, "0.01"),
        ({"title": "Bitcoin above 100k?", "fee_rate": Decimal(0)}, "0"),
    ],
)
def test_a_market_without_a_rate_gets_that_of_its_category(facts, rate):
    market = with_kind(MarketInput(condition_id="0x1", **facts))
    assert with_fee(market).fee_rate == Decimal(rate)


legs = st.builds(
    Leg,
    is_buy=st.booleans(),
    shares=st.decimals("0", "1000", places=6),
    price=prices,
    leader_price=prices,
    middle=prices,
    touch=prices,
    fee=st.decimals("0", "10", places=5),
)


@given(st.lists(legs, max_size=5))
def test_the_parts_of_costs_add_up_to_all_that_was_lost_against_the_leader(made):
    lost = sum(
        (leg.shares * (leg.price - leg.leader_price) * (1 if leg.is_buy else -1) + leg.fee for leg in made), Decimal(0)
    )
    assert summed(costs_of(leg) for leg in made).total == lost
