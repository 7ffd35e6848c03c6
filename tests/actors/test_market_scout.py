"""New markets are known before anybody trades in them, at one call a minute."""

import json
from random import Random

import trio
from property.fake_markets import FakeMarketStore, market
from property.made_trades import condition
from property.supervised import run_jumping

from actors.market_scout import MarketScout
from config.markets import MarketsConfig
from engine.adapters.market_catalog import GammaCatalog
from protocols.errors import RejectedError, TransientError
from protocols.markets import Market


class Newest:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls_s = []

    async def newest(self, markets_max: int) -> list[Market]:
        await trio.lowlevel.checkpoint()
        assert markets_max == 100
        self.calls_s.append(trio.current_time())
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return [market(condition(number)) for number in answer]


def scouted(newest, store, seconds, **settings):
    scout = MarketScout(newest=newest, store=store, config=MarketsConfig(**settings), rng=Random(1))

    async def main():
        with trio.move_on_after(seconds):
            await scout.run()

    run_jumping(main)
    return scout


def test_only_what_is_new_is_stored():
    store = FakeMarketStore()
    known = market(condition(1))
    store.stored[known.condition_id] = known
    scout = scouted(Newest([1, 2, 3], [3, 4]), store, 130)
    assert sorted(store.stored) == sorted(condition(number) for number in (1, 2, 3, 4))
    assert store.stored[known.condition_id] is known
    assert scout.learned == 3


def test_it_asks_about_once_in_its_interval_and_never_when_that_is_zero():
    newest = Newest()
    scouted(newest, FakeMarketStore(), 3_600, newest_interval_s=60)
    assert 54 <= len(newest.calls_s) <= 67
    silent = Newest()
    scouted(silent, FakeMarketStore(), 3_600, newest_interval_s=0)
    assert not silent.calls_s


def test_weather_and_refusals_end_nothing():
    store = FakeMarketStore(fails=1)
    scout = scouted(Newest(TransientError("down"), RejectedError("no such list"), [1], [1]), store, 300)
    assert list(store.stored) == [condition(1)]
    assert scout.calls >= 4


async def test_the_list_that_is_not_cached_is_asked_for_the_newest_open_ones():
    asked = []

    class Api:
        async def get(self, path, params):
            asked.append((path, dict(params)))
            row = {"conditionId": condition(7), "id": "7", "question": "?"}
            return json.dumps({"markets": [row, {"id": "8"}], "next_cursor": "x"}).encode()

    found = await GammaCatalog(api=Api()).newest(500)
    assert [one.condition_id for one in found] == [condition(7)]
    ((path, params),) = asked
    assert path == "/markets/keyset"
    assert params == {"order": "id", "ascending": "false", "closed": "false", "limit": 100, "include_tag": "true"}
