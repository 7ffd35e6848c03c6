"""Who waits for a market rides in a call that goes out anyway, and is never worse off for it than by a few seconds."""

import pytest
import trio
import trio.testing

from engine.runtime.market_rides import CLOSED_PATIENCE_S, SHOWN_PATIENCE_S, MarketRides


def condition(number):
    return f"0x{number:063x}1"


def a_call(rides, room=100, *, closed=False, brings=None):
    """Makes one call; returns who was aboard. Without `brings` it fails."""
    with rides.carrying(room, closed=closed) as carriage:
        aboard = list(carriage.riders)
        if brings is not None:
            carriage.bring(brings)
    return aboard


async def riding(rides, nursery, ids, *, closed=False):
    """Has somebody wait; returns where his answer will be."""
    answer = []

    async def wait(task_status):
        task_status.started()
        answer.append(await rides.told(ids, closed=closed))

    await nursery.start(wait)
    await trio.testing.wait_all_tasks_blocked()
    return answer


@pytest.mark.parametrize(("closed", "pause_s"), [(False, 3.1), (True, 16.1)])
async def test_nobody_waits_while_no_calls_go_out(autojump_clock, closed, pause_s):
    rides = MarketRides()
    before_s = trio.current_time()
    assert await rides.told([condition(1)], closed=closed) == {}
    a_call(rides, closed=closed)
    await trio.sleep(pause_s)
    assert await rides.told([condition(1)], closed=closed) == {}
    assert trio.current_time() - before_s == pytest.approx(pause_s)


async def test_the_next_call_answers_what_it_has_and_says_what_it_has_not(autojump_clock):
    rides = MarketRides()
    a_call(rides, brings={})
    async with trio.open_nursery() as nursery:
        answer = await riding(rides, nursery, [condition(1), condition(2)])
        assert a_call(rides, brings={condition(1): b"one", condition(9): b"of somebody else"}) == [
            condition(1),
            condition(2),
        ]
    assert answer == [{condition(1): b"one", condition(2): None}]
    assert rides.carried == 2
    assert a_call(rides, brings={}) == []


async def test_two_who_want_one_market_cost_one_place(autojump_clock):
    rides = MarketRides()
    a_call(rides)
    async with trio.open_nursery() as nursery:
        first = await riding(rides, nursery, [condition(1)])
        second = await riding(rides, nursery, [condition(1), condition(2)])
        assert a_call(rides, brings={condition(1): b"one"}) == [condition(1), condition(2)]
    assert (first, second) == ([{condition(1): b"one"}], [{condition(1): b"one", condition(2): None}])


async def test_who_finds_no_place_goes_with_the_next_and_two_spellings_take_two(autojump_clock):
    rides, version_2 = MarketRides(), condition(1)[:64] + "00"
    a_call(rides)
    async with trio.open_nursery() as nursery:
        answer = await riding(rides, nursery, [condition(3), version_2, condition(4)])
        assert a_call(rides, 0, brings={}) == []
        assert a_call(rides, 2, brings={condition(3): b"three"}) == [condition(3)]
        assert a_call(rides, 3, brings={version_2: b"two"}) == [version_2, condition(4)]
    assert answer == [{condition(3): b"three", version_2: b"two", condition(4): None}]


async def test_a_call_that_fails_leaves_its_riders_where_they_were(autojump_clock):
    rides = MarketRides()
    a_call(rides)
    async with trio.open_nursery() as nursery:
        answer = await riding(rides, nursery, [condition(1)])
        later = await riding(rides, nursery, [condition(2)])
        assert a_call(rides, 1) == [condition(1)]
        assert a_call(rides, brings={condition(1): b"one"}) == [condition(1), condition(2)]
    assert (answer, later) == ([{condition(1): b"one"}], [{condition(2): None}])


async def test_who_was_put_out_asks_by_himself_at_once(autojump_clock):
    rides = MarketRides()
    a_call(rides)
    before_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        answer = await riding(rides, nursery, [condition(1)])
        with rides.carrying(100, closed=False) as carriage:
            carriage.put_out()
    assert answer == [{}]
    assert trio.current_time() == before_s
    assert rides.carried == 0


@pytest.mark.parametrize(("closed", "patience_s"), [(False, SHOWN_PATIENCE_S), (True, CLOSED_PATIENCE_S)])
async def test_patience_ends(autojump_clock, closed, patience_s):
    rides = MarketRides()
    a_call(rides, closed=closed)
    # A call for the other list is none for these.
    before_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        answer = await riding(rides, nursery, [condition(1)], closed=closed)
        assert a_call(rides, closed=not closed, brings={condition(1): b"one"}) == []
    assert answer == [{}]
    assert trio.current_time() - before_s == pytest.approx(patience_s)
    assert a_call(rides, closed=closed, brings={}) == []


async def test_who_was_cancelled_takes_no_place(autojump_clock):
    rides = MarketRides()
    a_call(rides)
    with trio.move_on_after(1):
        await rides.told([condition(1)], closed=False)
    assert a_call(rides, brings={}) == []


async def test_who_comes_while_a_call_is_away_wants_a_newer_one(autojump_clock):
    rides = MarketRides()
    a_call(rides)
    async with trio.open_nursery() as nursery:
        first = await riding(rides, nursery, [condition(1)])
        with rides.carrying(100, closed=False):
            second = await riding(rides, nursery, [condition(1)])
        # The first call failed, and the newer rider waits for both of them: the first asks by himself.
        await trio.testing.wait_all_tasks_blocked()
        assert first == [{}]
        assert a_call(rides, brings={condition(1): b"one"}) == [condition(1)]
    assert second == [{condition(1): b"one"}]


async def test_there_are_places_while_calls_leave_some_and_bring_something(autojump_clock):
    rides = MarketRides()
    assert not rides.has_places()
    a_call(rides, 50, brings={})
    assert rides.has_places()
    a_call(rides, 5, brings={})
    assert not rides.has_places()
    a_call(rides, 50, brings={})
    a_call(rides, 50)
    assert not rides.has_places()
    a_call(rides, 50, brings={})
    await trio.sleep(3.1)
    assert not rides.has_places()


async def test_who_waited_in_vain_ends_the_places_until_the_next_call(autojump_clock):
    rides = MarketRides()
    a_call(rides, 50, brings={})
    async with trio.open_nursery() as nursery:
        await riding(rides, nursery, [condition(1)])
        with rides.carrying(50, closed=False) as carriage:
            carriage.put_out()
    assert not rides.has_places()
    a_call(rides, 50, brings={})
    assert rides.has_places()
