"""Whoever uses an API takes from the same published limits (venue.md §6)."""

import trio

from engine.runtime.traffic import PUBLISHED, Traffic
from protocols.cluster import Api


async def calls_within(seconds: float, traffic: Traffic, api: str, *paths: str) -> int:
    """Returns how many calls get through when every path is asked for by several users as fast as they may."""
    passed = 0

    async def ask(path: str) -> None:
        nonlocal passed
        while True:
            await traffic.admit(api, path)
            passed += 1

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for path in paths * 3:
                nursery.start_soon(ask, path)
    return passed


async def test_a_window_of_ten_seconds_never_holds_more_than_what_is_published(autojump_clock):
    published = {"/v2/trades": 200, "/v2/positions": 150, "/closed-positions": 150}
    for path, limit in published.items():
        passed = await calls_within(10, Traffic(), "data", path)
        assert 0.9 * limit <= passed <= limit, path
    assert await calls_within(10, Traffic(), "data", *published, "/v2/value", "/v2/activity") <= 1_000
    assert await calls_within(10, Traffic(), "gamma", "/markets", "/markets/12") <= 300


async def test_both_spellings_of_a_path_share_one_limit(autojump_clock):
    passed = await calls_within(10, Traffic(), "data", "/v2/trades", "/trades")
    assert passed <= 200


async def test_retry_after_holds_everybody_who_asks_for_such_paths_and_nobody_else(autojump_clock):
    traffic = Traffic()
    traffic.block_for("data", "/v2/positions", 30)
    with trio.move_on_after(5) as scope:
        await traffic.admit("data", "/v2/trades")
    assert not scope.cancelled_caught
    began_s = trio.current_time()
    await traffic.admit("data", "/positions")
    assert trio.current_time() - began_s == 30


async def test_retry_after_of_a_path_without_a_limit_of_its_own_holds_no_other_path(autojump_clock):
    traffic = Traffic()
    traffic.block_for("data", "/v2/leaderboard", 60)
    began_s = trio.current_time()
    await traffic.admit("data", "/v2/trades")
    await traffic.admit("data", "/v2/positions")
    assert trio.current_time() == began_s


def test_a_rate_and_a_burst_fit_into_the_published_windows():
    per_10_s = {"data": [200, 150, 150, 1_000], "gamma": [300, 500, 4_000], "clob": [500, 1_500, 9_000]}
    for api, limits in PUBLISHED.items():
        for limit, published in zip(limits, per_10_s[api], strict=True):
            assert limit.burst + 10 * limit.rate_per_s <= published


async def test_a_share_fills_before_it_is_used_and_the_whole_is_there_without_one(autojump_clock):
    shared, alone = Traffic(), Traffic()
    shared.grant({Api.CLOB: 500}, until_s=60, cut_off={}, cut_off_until_s=60)
    await trio.sleep(5)
    for traffic, at_once in ((shared, 25), (alone, 50)):
        began_s = trio.current_time()
        for _ in range(at_once):
            await traffic.admit("clob", "/books")
        assert trio.current_time() == began_s
        await traffic.admit("clob", "/books")
        assert trio.current_time() > began_s
    assert (shared.share_ratio("clob"), alone.share_ratio("clob")) == (0.5, 1.0)


async def test_whoever_waits_goes_on_when_there_is_a_share_again(autojump_clock):
    traffic = Traffic()
    traffic.grant({}, until_s=0, cut_off={}, cut_off_until_s=0)

    async def later():
        await trio.sleep(7)
        traffic.grant({Api.DATA: 1000}, until_s=60, cut_off={}, cut_off_until_s=60)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(later)
        await traffic.admit("data", "/trades")
    assert 7 < trio.current_time() < 7.1
