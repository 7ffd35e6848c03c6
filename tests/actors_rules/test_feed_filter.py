"""Filters of the feed against a table of what each means."""

from decimal import Decimal

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.fake_feed import feed_row

from actors.rules.feed_filter import CATEGORIES, FeedFilter, TradeFacts, facts_pass, row_passes
from actors.rules.market_kind import SPORTS_NICHES
from protocols.decisions import MarketInput

NOW_MS = 1_780_000_000_000
HOUR_MS = 3_600_000


def row(**changes):
    return msgspec.structs.replace(feed_row(1, 1), **{"price": Decimal("0.4"), "size": Decimal(100), **changes})


def market(**changes):
    return MarketInput(condition_id="0x1", **changes)


def passes(wanted, facts=None, made=None):
    return row_passes(wanted, made or row()) and facts_pass(wanted, facts or TradeFacts(), NOW_MS)


def test_without_a_filter_everything_passes_and_nothing_is_looked_up():
    assert passes(FeedFilter())
    assert FeedFilter().is_empty
    assert not FeedFilter().wants_facts


@pytest.mark.parametrize(
    ("wanted", "price", "size", "expected"),
    [
        (FeedFilter(usd_min=Decimal(40)), "0.4", "100", True),
        (FeedFilter(usd_min=Decimal("40.01")), "0.4", "100", False),
        (FeedFilter(price_min=Decimal("0.4"), price_max=Decimal("0.4")), "0.4", "1", True),
        (FeedFilter(price_min=Decimal("0.41")), "0.4", "1", False),
        (FeedFilter(price_max=Decimal("0.39")), "0.4", "1", False),
        (FeedFilter(price_max=Decimal(0)), "0", "1", True),
    ],
)
def test_size_and_price_include_their_ends(wanted, price, size, expected):
    assert passes(wanted, made=row(price=Decimal(price), size=Decimal(size))) is expected


def test_wallets_side_and_market_are_those_of_the_trade():
    mine = row()
    assert passes(FeedFilter(wallets=frozenset({mine.trader_wallet, "0x2"}), side=mine.side))
    assert not passes(FeedFilter(wallets=frozenset({"0x2"})))
    assert not passes(FeedFilter(side="SELL" if mine.side == "BUY" else "BUY"))
    assert passes(FeedFilter(condition_id=mine.condition_id))
    assert not passes(FeedFilter(condition_id="0x9"))


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_is_a_set_of_niches_and_an_unknown_market_is_in_none(category):
    wanted = FeedFilter(category=category)
    assert not passes(wanted)
    for niche in {"NBA", "CRYPTO", "POLITICS", "GEOPOLITICS", "FINANCE", "TECH", "CULTURE", "WEATHER", "OTHER"}:
        assert passes(wanted, TradeFacts(market=market(niche=niche))) is (niche in CATEGORIES[category])


def test_every_niche_belongs_to_at_most_one_category():
    niches = [niche for group in CATEGORIES.values() for niche in group]
    assert len(niches) == len(set(niches))
    assert set(niches) > SPORTS_NICHES


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"game_start_ms": NOW_MS - 1}, True),
        ({"game_start_ms": NOW_MS}, True),
        ({"game_start_ms": NOW_MS + 1}, False),
        ({}, False),
        ({"game_start_ms": NOW_MS - 1, "closed": True}, False),
        ({"game_start_ms": NOW_MS - 1, "resolved": True}, False),
    ],
)
def test_live_is_a_game_that_runs(changes, expected):
    assert passes(FeedFilter(is_live=True), TradeFacts(market=market(**changes))) is expected


@pytest.mark.parametrize(
    ("end_ms", "closed", "expected"),
    [
        (NOW_MS + HOUR_MS, False, True),
        (NOW_MS + HOUR_MS + 1, False, False),
        (NOW_MS, False, True),
        (NOW_MS - 1, False, False),
        (None, False, False),
        (NOW_MS + 5, True, False),
    ],
)
def test_resolving_within_is_of_open_markets_that_say_when(end_ms, closed, expected):
    facts = TradeFacts(market=market(end_ms=end_ms, closed=closed))
    assert passes(FeedFilter(ends_within_ms=HOUR_MS), facts) is expected


def test_score_holding_and_copies():
    assert passes(FeedFilter(score_min=60), TradeFacts(score=Decimal(60)))
    assert not passes(FeedFilter(score_min=60), TradeFacts(score=Decimal("59.99")))
    assert not passes(FeedFilter(score_min=0), TradeFacts())
    assert passes(FeedFilter(is_held=True), TradeFacts(is_held=True))
    assert not passes(FeedFilter(is_held=True), TradeFacts())
    assert passes(FeedFilter(is_copied=True), TradeFacts(copied_by=["A"]))
    assert not passes(FeedFilter(is_copied=True), TradeFacts())
    assert passes(FeedFilter(strategy="A"), TradeFacts(copied_by=["B", "A"]))
    assert not passes(FeedFilter(strategy="A"), TradeFacts(copied_by=["B"]))


ONE_EACH = {
    "side": "SELL", "category": "CRYPTO", "is_live": True, "is_held": True, "usd_min": Decimal(1_000),
    "price_min": Decimal("0.9"), "score_min": 90, "ends_within_ms": 5, "is_copied": True, "strategy": "A",
}  # fmt: skip


@given(st.sets(st.sampled_from(sorted(ONE_EACH))))
def test_all_filters_have_to_pass(names):
    """With each of these the trade fails alone; so it does with any of them together, and passes with none."""
    wanted = FeedFilter(**{name: ONE_EACH[name] for name in names})
    facts = TradeFacts(market=market(game_start_ms=NOW_MS + 1, end_ms=NOW_MS + 6), score=Decimal(89))
    assert passes(wanted, facts, row(side="BUY")) is (not names)
    assert wanted.is_empty is (not names)
    asks = {"category", "is_live", "is_held", "score_min", "ends_within_ms", "is_copied", "strategy"}
    assert attrs.evolve(wanted).wants_facts is bool(names & asks)
