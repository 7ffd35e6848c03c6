from decimal import Decimal

import attrs
import msgspec
import pytest
from actors_portfolio.portfolio_cases import NOW_US, micro

from actors.rules.portfolio.pricing import PriceSource, price_of, quoted_prices, value_of
from protocols.portfolio import TokenFacts
from protocols.prices import MarketFacts, Quote
from protocols.prices import PriceSource as Upstream

D = Decimal
STORED = TokenFacts(
    token_id="t", condition_id="m", outcome_index=0, mark=D("0.3"), mark_us=NOW_US - 60_000_000,
    market_price=D("0.2"), market_us=NOW_US - 5_000_000,
)  # fmt: skip
QUOTE = Quote(
    facts=MarketFacts(condition_id="m", outcomes=("No", "Yes"), token_ids=("u", "t"), outcome_prices=(D("0.6"), D("0.4"))),
    source=Upstream.GAMMA, resolved=False, as_of_ms=NOW_US // 1000 - 2_999, observed_s=0, document=b"", stamp=b"",
)  # fmt: skip


def valued(facts=STORED, **changes):
    quotes = {"m": attrs.evolve(QUOTE, **changes)}
    return price_of(facts, quoted_prices([facts], quotes, NOW_US).get("t"))


def test_a_fresh_quote_is_told_by_the_token_and_says_its_age():
    price = valued()
    assert (price.usd, price.source, price.age_ms(NOW_US)) == (D("0.4"), PriceSource.QUOTE, 2_999)


@pytest.mark.parametrize("changes", [{"as_of_ms": NOW_US // 1000 - 3_001}, {"stale": True}, {"as_of_ms": None}])
def test_an_older_quote_makes_room_for_the_current_price(changes):
    price = valued(**changes)
    assert (price.usd, price.source, price.age_ms(NOW_US)) == (D("0.3"), PriceSource.CURRENT_PRICE, 60_000)


def test_then_comes_the_row_of_the_market_then_nothing():
    without = msgspec.structs.replace(STORED, mark=None)
    price = valued(without, stale=True)
    assert (price.usd, price.source, price.age_ms(NOW_US)) == (D("0.2"), PriceSource.MARKET, 5_000)
    assert valued(msgspec.structs.replace(without, market_price=None), stale=True) is None
    assert price_of(None, None) is None


def test_a_price_of_nought_is_a_price():
    assert valued(msgspec.structs.replace(STORED, mark=D(0)), stale=True).usd == 0


def test_payouts_do_not_grow_old():
    assert valued(resolved=True, as_of_ms=0).source is PriceSource.QUOTE


def test_a_quote_that_does_not_know_the_token_says_nothing_of_it():
    facts = msgspec.structs.replace(QUOTE.facts, token_ids=("u", "v"))
    quotes = {"m": attrs.evolve(QUOTE, facts=facts)}
    assert quoted_prices([STORED], quotes, NOW_US) == {}


def test_values_are_exact_to_the_micro():
    assert value_of(micro("3"), D("0.333333333333333333")) == micro("1")
    assert value_of(1, D("0.5")) == 1
    assert value_of(1, D("0.499999999999999999")) == 0
