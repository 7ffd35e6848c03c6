import itertools
import json

import attrs
import pytest
import trio
from property.fake_markets import FakeCatalog, FakeMarketStore
from property.made_trades import condition
from property.registry_world import RegistryWorld

from engine.adapters.market_catalog import GammaCatalog


def ids(count, first=1):
    return [condition(number) for number in range(first, first + count)]


def pauses(times_s):
    return [later - earlier for earlier, later in itertools.pairwise(times_s)]


def asked_at(world, closed=None):
    return [at_s for at_s, _, was_closed in world.catalog.calls if was_closed is closed]


def test_an_unknown_market_costs_one_call_however_many_trades_name_it():
    (id_,) = ids(1)
    world = RegistryWorld(FakeMarketStore(), FakeCatalog({id_}, script=["slow"]))
    world.run([(n * 0.1, id_) for n in range(200)], 60)
    assert len(world.catalog.calls) == world.registry.calls == 1
    assert list(world.store.stored) == [id_]
    assert world.registry.learned == 1


def test_many_unknown_markets_share_calls():
    wanted = ids(120)
    world = RegistryWorld(FakeMarketStore(), FakeCatalog(set(wanted)))
    world.run([(1, id_) for id_ in wanted], 60)
    assert len(world.catalog.calls) == 3
    assert set(world.store.stored) == set(wanted)


def test_markets_that_become_known_one_after_the_other_share_a_call():
    wanted = ids(30)
    world = RegistryWorld(FakeMarketStore(), FakeCatalog(set(wanted)), {"linger_s": 9.5})
    world.run([(n * 1.0, id_) for n, id_ in enumerate(wanted)], 60)
    assert asked_at(world) == [9.5, 19.5, 29.5]
    assert set(world.store.stored) == set(wanted)


def test_a_full_call_waits_for_nobody_and_who_lingers_not_at_all_asks_at_once():
    wanted = ids(50)
    full = RegistryWorld(FakeMarketStore(), FakeCatalog(set(wanted)), {"linger_s": 300.0})
    full.run([(1, id_) for id_ in wanted], 60)
    assert asked_at(full) == [1]
    eager = RegistryWorld(FakeMarketStore(), FakeCatalog(set(wanted)), {"linger_s": 0.0})
    eager.run([(n, id_) for n, id_ in enumerate(wanted[:3])], 60)
    assert asked_at(eager) == [0, 1, 2]


def test_a_stored_market_costs_no_call():
    known = FakeCatalog(set(ids(3)))
    first = RegistryWorld(FakeMarketStore(), known).run([(0, id_) for id_ in ids(3)], 10)
    again = RegistryWorld(first.store, FakeCatalog(set(ids(3)))).run([(0, id_) for id_ in ids(3)], 10)
    assert not again.catalog.calls


def test_a_closed_market_is_found_by_a_second_call():
    (id_,) = ids(1)
    world = RegistryWorld(FakeMarketStore(), FakeCatalog(closed={id_})).run([(0, id_)], 40)
    assert [closed for _, _, closed in world.catalog.calls] == [None, True]
    assert list(world.store.stored) == [id_]


def test_an_absent_market_is_asked_again_with_growing_pauses_up_to_a_day():
    (id_,) = ids(1)
    world = RegistryWorld(FakeMarketStore(), FakeCatalog(), {"retry_missing_s": 60.0})
    world.run([(0, id_), (5, id_)], 400_000)
    waits = pauses(asked_at(world))
    # The second request, five seconds later, counts as a try of its own.
    steps = [wait_s for wait_s in waits if wait_s > 6]
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(steps) if later < 86_000)
    assert max(steps) <= 86_400 + 1
    assert 8 <= len(steps) <= 16


def test_an_absent_market_that_appears_is_learned():
    (id_,) = ids(1)
    catalog = FakeCatalog()
    world = RegistryWorld(FakeMarketStore(), catalog)
    first = world.run([(0, id_)], 50)
    assert id_ in first.registry.absent
    catalog.known.add(id_)
    second = RegistryWorld(first.store, catalog).run([(0, id_)], 50)
    assert id_ in second.store.stored
    assert not second.registry.absent


def test_weather_is_retried_within_the_actor():
    wanted = ids(3)
    store = FakeMarketStore(fails=3)
    world = RegistryWorld(store, FakeCatalog(set(wanted), script=["transient"] * 6))
    world.run([(0, id_) for id_ in wanted], 600)
    assert set(store.stored) == set(wanted)
    waits = [wait_s for wait_s in pauses(asked_at(world)) if wait_s > 0.1]
    assert waits == sorted(waits)
    assert max(waits) <= 60


def test_requests_lost_on_the_way_are_found_by_the_sweep():
    wanted = ids(30)
    store = FakeMarketStore(traded=wanted)
    world = RegistryWorld(store, FakeCatalog(set(wanted), script=["slow"]), capacity=2)
    world.run([(0, id_) for id_ in wanted], 700)
    assert world.requests.statistics().dropped > 0
    assert set(store.stored) == set(wanted)
    assert pauses(store.sweeps_s) == pytest.approx([300.0] * len(pauses(store.sweeps_s)), abs=5)


def test_a_sweep_that_fails_is_tried_again_at_the_next():
    store = FakeMarketStore(traded=ids(2), fails=1)
    world = RegistryWorld(store, FakeCatalog(set(ids(2)))).run([], 400)
    assert set(store.stored) == set(ids(2))
    assert len(world.store.sweeps_s) == 2


def test_one_market_that_the_database_refuses_costs_no_other():
    wanted = ids(9)
    store = FakeMarketStore(refused=frozenset({wanted[4]}))
    world = RegistryWorld(store, FakeCatalog(set(wanted))).run([(0, id_) for id_ in wanted], 50)
    assert set(store.stored) == set(wanted) - {wanted[4]}
    assert set(world.registry.absent) == {wanted[4]}


def test_the_memory_of_absent_markets_is_bounded():
    wanted = ids(2_500)
    world = RegistryWorld(FakeMarketStore(), FakeCatalog(), {"retry_missing_s": 86_400.0}, capacity=5_000)
    world.run([(0, id_) for id_ in wanted], 30)
    assert len(world.registry.absent) <= 2_000


@attrs.define
class Answers:
    """An upstream whose every answer is the same."""

    body: bytes

    async def get(self, path, params=()):
        await trio.lowlevel.checkpoint()
        assert path == "/markets"
        return self.body


async def test_strangers_are_never_taken_for_what_was_asked():
    wanted, stranger = ids(2)
    body = json.dumps([{"conditionId": id_, "id": "1"} for id_ in (stranger, wanted, wanted.upper().replace("X", "x"))])
    catalog = GammaCatalog(api=Answers(body.encode()))
    found = await catalog.markets([wanted], closed=None)
    assert [one.condition_id for one in found] == [wanted]
    assert catalog.strangers >= 1


async def test_a_short_spelling_is_the_market_that_was_asked_for():
    wanted = condition(5)[:-2] + "00"
    catalog = GammaCatalog(api=Answers(json.dumps([{"conditionId": wanted[:-2]}]).encode()))
    assert [one.condition_id for one in await catalog.markets([wanted], closed=None)] == [wanted]


def with_places(catalog):
    world = RegistryWorld(FakeMarketStore(), catalog)
    world.registry.has_places = lambda: True
    return world


def test_where_calls_of_others_have_places_nobody_lingers():
    wanted = ids(3)
    world = with_places(FakeCatalog(set(wanted)))
    world.run([(n, id_) for n, id_ in enumerate(wanted)], 10)
    assert asked_at(world) == [0, 1, 2]
    assert asked_at(world, closed=True) == []
    assert set(world.store.stored) == set(wanted)


def test_the_list_of_closed_markets_is_asked_as_seldom_as_ever():
    closed, gone = ids(20), ids(20, first=30)
    world = with_places(FakeCatalog(set(), set(closed)))
    world.run([(n, id_) for n, id_ in enumerate([*closed, *gone])], 300)
    assert min(pauses(asked_at(world, closed=True))) >= world.registry.config.linger_s
    assert set(world.store.stored) == set(closed)
    assert world.registry.absent.keys() == set(gone)
