"""What a look at a portfolio asks of the price cache, and what it does when that is slow, down or too small."""

from decimal import Decimal

import attrs
import pytest
import trio

from actors.portfolio_desk import MARKETS_MAX, QUOTES_WAIT_S, PortfolioDesk
from actors.rules.portfolio.matching import MICRO
from actors.rules.portfolio.pricing import PriceSource
from protocols.errors import TransientError
from protocols.portfolio import CopiedFill, PortfolioQuery, TokenFacts
from protocols.prices import MarketFacts, Quote
from protocols.prices import PriceSource as Upstream

D = Decimal
NOW_MS = 1_800_000_000_000
QUERY = PortfolioQuery(user_id="ann")


class Clock:
    def now_ms(self):
        return NOW_MS


@attrs.define
class Stored:
    """A user with one share of each of some tokens, the later ones dearer; one of them was resolved."""

    tokens: int = 2
    resolved: int | None = None

    async def read(self, query, known, into):
        book = into([f"t{n}" for n in range(self.tokens)])
        book.take([CopiedFill("s", f"t{n}", f"o{n}", None, "BUY", MICRO, 100 + n, 0, 0) for n in range(self.tokens)])
        return {}, self.facts()

    def facts(self):
        return {
            f"t{n}": TokenFacts(
                token_id=f"t{n}", condition_id=f"m{n}", outcome_index=0, mark=D("0.3"), mark_us=0,
                payout=D(1) if n == self.resolved else None, resolved_us=5,
            )
            for n in range(self.tokens)
        }  # fmt: skip


@attrs.define
class Cache:
    """Answers after some time, or never."""

    takes_s: float = 0.0
    fails: bool = False
    asked: list = attrs.field(factory=list)

    async def quotes(self, condition_ids, max_age_ms=0):
        self.asked.append(list(condition_ids))
        await trio.sleep(self.takes_s)
        if self.fails:
            raise TransientError("no upstream answers")
        facts = {id_: MarketFacts(condition_id=id_, outcome_prices=(D("0.4"), D("0.6"))) for id_ in condition_ids}
        return {
            id_: Quote(
                facts=one, source=Upstream.GAMMA, resolved=False, as_of_ms=NOW_MS, observed_s=0, document=b"", stamp=b""
            )
            for id_, one in facts.items()
        }


def sources(portfolio):
    return {one.position.token_id: one.price and one.price.source for one in portfolio.valued}


@pytest.mark.parametrize("cache", [Cache(takes_s=1_000), Cache(takes_s=1, fails=True)])
async def test_a_price_cache_that_does_not_answer_holds_nobody_up(autojump_clock, cache):
    began_s = trio.current_time()
    portfolio = await PortfolioDesk(store=Stored(), quotes=cache, clock=Clock()).portfolio(QUERY)
    assert trio.current_time() - began_s <= QUOTES_WAIT_S
    assert set(sources(portfolio).values()) == {PriceSource.CURRENT_PRICE}


async def test_only_what_is_open_is_asked_for_and_all_of_it_at_once(autojump_clock):
    cache = Cache()
    portfolio = await PortfolioDesk(store=Stored(3, resolved=1), quotes=cache, clock=Clock()).portfolio(QUERY)
    assert [sorted(one) for one in cache.asked] == [["m0", "m2"]]
    assert sources(portfolio) == {"t0": PriceSource.QUOTE, "t1": None, "t2": PriceSource.QUOTE}


async def test_a_larger_portfolio_has_quotes_where_the_most_money_is(autojump_clock):
    cache = Cache()
    portfolio = await PortfolioDesk(store=Stored(MARKETS_MAX + 2), quotes=cache, clock=Clock()).portfolio(QUERY)
    found = sources(portfolio)
    assert len(cache.asked[0]) == MARKETS_MAX
    assert [token for token, source in found.items() if source is not PriceSource.QUOTE] == ["t0", "t1"]


async def test_without_a_cache_stored_prices_are_used_and_nobody_is_asked():
    portfolio = await PortfolioDesk(store=Stored(), quotes=None, clock=Clock()).portfolio(QUERY)
    assert set(sources(portfolio).values()) == {PriceSource.CURRENT_PRICE}
    count, marks = await PortfolioDesk(store=Stored(), quotes=Cache(), clock=Clock()).fresh_marks(QUERY)
    assert (count, [mark.price for mark in marks]) == (2, [D("0.4")] * 2)


async def test_others_have_their_turn_while_many_positions_are_valued():
    turns = []

    async def other():
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await PortfolioDesk(store=Stored(3_000), quotes=None, clock=Clock()).portfolio(QUERY)
        nursery.cancel_scope.cancel()
    assert len(turns) >= 4
