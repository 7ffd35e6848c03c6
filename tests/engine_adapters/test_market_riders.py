"""Markets of the catalogue that ride in calls for prices, as the venue is asked and as it answers."""

import json

import pytest
import trio

from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.price_upstream import GammaPrices
from engine.runtime.market_rides import MarketRides
from protocols.errors import RejectedError, TransientError
from protocols.prices import MarketKey


def condition(number):
    return f"0x{number:063x}1"


def market(number, **changed):
    fields = {"id": str(number), "conditionId": condition(number), "outcomes": '["Yes", "No"]', "slug": f"m{number}",
              "clobTokenIds": f'["{number}1", "{number}2"]', "outcomePrices": '["0.4", "0.6"]', "closed": False}  # fmt: skip
    return fields | changed


class Gamma:
    """Answers by condition ids and `closed`; refuses what it dislikes."""

    def __init__(self, *markets, dislikes=()):
        self.markets, self.dislikes, self.calls, self.fails = markets, set(dislikes), [], False

    async def get(self, path, params):
        await trio.sleep(0.01)
        ids = [value for name, value in params if name == "condition_ids"]
        closed = dict(params).get("closed") == "true"
        self.calls.append((path, ids, closed, dict(params).get("include_tag")))
        if self.fails:
            raise TransientError("gamma: 503")
        if self.dislikes.intersection(ids):
            raise RejectedError("gamma: /markets/keyset answered 422")
        found = [one for one in self.markets if one["conditionId"] in ids and one["closed"] is closed]
        return json.dumps({"markets": found} if "keyset" in path else found).encode()


def shared(gamma):
    rides = MarketRides()
    return GammaPrices(api=gamma, rides=rides), GammaCatalog(api=gamma, shown_rides=rides, closed_rides=rides)


async def with_riders(prices, ask, *, closed=None):
    """A price is asked for, somebody waits, and the next price call goes out two seconds later."""
    await prices.find(MarketKey.CONDITION, [condition(1)], closed=closed)
    answers = []

    async def wait():
        answers.append(await ask())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(2)
        found = await prices.find(MarketKey.CONDITION, [condition(1)], closed=closed)
    return found, answers[0]


@pytest.mark.parametrize("closed", [None, True])
async def test_markets_ride_in_the_call_for_prices(autojump_clock, closed):
    gamma = Gamma(*(market(number, closed=closed is True) for number in (1, 2, 3)))
    prices, catalog = shared(gamma)
    found, riders = await with_riders(
        prices, lambda: catalog.markets([condition(2), condition(7)], closed=closed), closed=closed
    )
    assert [facts.condition_id for facts in found.markets] == [condition(1)]
    assert found.complete
    assert [one.condition_id for one in riders] == [condition(2)]
    assert json.loads(riders[0].raw) == market(2, closed=closed is True)
    assert prices.strangers == 0
    assert [sorted(ids) for _, ids, _, _ in gamma.calls] == [
        [condition(1)], sorted([condition(1), condition(2), condition(7)])
    ]  # fmt: skip
    # Tags are a part of a whole market, and of no price.
    assert [tags for _, _, _, tags in gamma.calls] == [None, "true"]


async def test_a_market_that_is_priced_and_wanted_comes_to_both(autojump_clock):
    gamma = Gamma(market(1))
    prices, catalog = shared(gamma)
    found, riders = await with_riders(prices, lambda: catalog.markets([condition(1)], closed=None))
    assert [facts.condition_id for facts in found.markets] == [one.condition_id for one in riders] == [condition(1)]


async def test_a_rider_that_is_refused_costs_no_price_and_is_refused_by_itself(autojump_clock):
    gamma = Gamma(market(1), dislikes=[condition(5)])
    prices, catalog = shared(gamma)

    async def refused():
        with pytest.raises(RejectedError):
            await catalog.markets([condition(5)], closed=None)
        return True

    found, was_refused = await with_riders(prices, refused)
    assert [facts.condition_id for facts in found.markets] == [condition(1)]
    assert was_refused


async def test_a_rider_that_makes_no_sense_costs_no_price(autojump_clock):
    gamma = Gamma(market(1), market(2, clobTokenIds='["1"]'))
    prices, catalog = shared(gamma)
    found, riders = await with_riders(prices, lambda: catalog.markets([condition(2)], closed=None))
    assert found.complete
    assert [facts.condition_id for facts in found.markets] == [condition(1)]
    assert riders == []


async def test_while_price_calls_fail_the_markets_are_asked_for_as_ever(autojump_clock):
    gamma = Gamma(market(1), market(2))
    prices, catalog = shared(gamma)
    await prices.find(MarketKey.CONDITION, [condition(1)], closed=None)
    gamma.fails = True
    async with trio.open_nursery() as nursery:
        answers = []

        async def wait():
            answers.append(await catalog.markets([condition(2)], closed=None))

        nursery.start_soon(wait)
        await trio.sleep(1)
        with pytest.raises(TransientError):
            await prices.find(MarketKey.CONDITION, [condition(1)], closed=None)
        gamma.fails = False
    assert [one.condition_id for one in answers[0]] == [condition(2)]
    assert gamma.calls[-1][:2] == ("/markets", [condition(2)])


async def test_a_full_call_takes_nobody_along(autojump_clock):
    gamma = Gamma(market(1), market(200))
    prices, catalog = shared(gamma)
    many = [condition(number) for number in range(1, 101)]
    await prices.find(MarketKey.CONDITION, many, closed=None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: catalog.markets([condition(200)], closed=None))
        for _ in range(2):
            await trio.sleep(2)
            await prices.find(MarketKey.CONDITION, many, closed=None)
    assert [ids for path, ids, _, _ in gamma.calls if path == "/markets"] == [[condition(200)]]


def hailing(gamma):
    rides = MarketRides()
    return rides, GammaPrices(api=gamma, rides=rides), GammaCatalog(api=gamma, hailed_rides=rides)


async def test_who_cannot_wait_hails_the_call_for_prices_and_costs_no_other(autojump_clock):
    gamma = Gamma(market(1), market(2))
    rides, prices, catalog = hailing(gamma)
    await prices.find(MarketKey.CONDITION, [condition(1)], closed=None)
    await trio.sleep(1)
    async with trio.open_nursery() as nursery:

        def hail():
            nursery.start_soon(lambda: prices.find(MarketKey.CONDITION, [condition(1)], closed=None))
            return True

        rides.hail = hail
        before_s = trio.current_time()
        riders = await catalog.markets([condition(2), condition(7)], closed=None)
    assert [one.condition_id for one in riders] == [condition(2)]
    assert trio.current_time() - before_s == pytest.approx(0.01)
    assert [sorted(ids) for _, ids, _, _ in gamma.calls] == [
        [condition(1)], sorted([condition(1), condition(2), condition(7)])
    ]  # fmt: skip


@pytest.mark.parametrize(
    "why", ["no call departs", "the call fails", "it departs without him", "none went out lately", "full"]
)
async def test_a_hail_in_vain_costs_half_a_second_at_most(autojump_clock, why):
    gamma = Gamma(market(1), market(2))
    rides, prices, catalog = hailing(gamma)
    many = [condition(number) for number in range(1, 96 if why == "full" else 2)]
    await prices.find(MarketKey.CONDITION, many, closed=None)
    await trio.sleep(4 if why == "none went out lately" else 1)
    hailed = []
    async with trio.open_nursery() as nursery:

        async def departs():
            gamma.fails = True
            with pytest.raises(TransientError):
                await prices.find(MarketKey.CONDITION, [condition(1)], closed=None)
            gamma.fails = False

        def hail():
            hailed.append(trio.current_time())
            if why == "the call fails":
                nursery.start_soon(departs)
            return why != "no call departs"

        rides.hail = hail
        before_s = trio.current_time()
        found = await catalog.markets([condition(2)], closed=None)
    assert [one.condition_id for one in found] == [condition(2)]
    assert gamma.calls[-1][:2] == ("/markets", [condition(2)])
    assert trio.current_time() - before_s <= 0.52
    assert bool(hailed) is (why not in {"none went out lately", "full"})
