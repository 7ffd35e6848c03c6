import json

import httpx
import pytest
import trio
from simulator_clients import SetClock, row, running


async def test_a_storm_of_429_says_when_to_come_back():
    async with running() as venue:
        await venue.fault("http_429", api="data", retry_after_s=7)
        response = await venue.data("/v2/trades")
        assert response.status_code == 429
        assert response.headers["retry-after"] == "7"
        assert (await venue.gamma("/markets")).status_code == 200
        assert (await venue.state())["http_statuses"]["data"] == {"429": 1}


async def test_a_broken_gateway_answers_six_kilobytes_of_html():
    async with running() as venue:
        await venue.fault("http_5xx", api="gamma", path="/markets")
        response = await venue.gamma("/markets")
        assert response.status_code == 502
        assert response.headers["content-type"].startswith("text/html")
        assert 5_000 < len(response.content) < 8_000


async def test_slow_answers_are_slow():
    async with running() as venue:
        await venue.fault("http_slow", api="clob", delay_s=0.2)
        began = trio.current_time()
        assert (await venue.clob("/time")).status_code == 200
        assert trio.current_time() - began >= 0.2


async def test_a_truncated_answer_is_whole_for_http_and_half_for_json():
    async with running() as venue:
        await venue.emit(row())
        await venue.fault("http_truncated", api="data")
        response = await venue.data("/v2/trades")
        assert response.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            response.json()


async def test_empty_pages_keep_their_shape():
    async with running() as venue:
        await venue.emit(row())
        await venue.fault("http_empty")
        page = (await venue.data("/v2/trades")).json()
        assert page["data"] == []
        assert page["pagination"]["has_more"] is False
        assert page["pagination"]["next_cursor"] is None
        assert (await venue.data("/trades")).json() == []
        assert (await venue.gamma("/markets")).json() == []
        assert (await venue.gamma("/markets/keyset")).json() == {"markets": []}


async def test_a_stale_cache_hides_what_happened_since_even_from_new_urls():
    clock = SetClock()
    async with running(clock) as venue:
        await venue.emit(row(size=1))
        clock.time_ms += 1_000
        await venue.fault("http_stale")
        clock.time_ms += 1_000
        await venue.emit(row(size=2))
        clock.time_ms += 60_000
        for busting in ({}, {"_": "1"}, {"_": "2"}):
            assert [each["size"] for each in (await venue.data("/v2/trades", **busting)).json()["data"]] == [1]
        markets = (await venue.gamma("/markets?limit=1")).json()
        await venue.emit(row(price=0.9))
        assert (await venue.gamma("/markets?limit=1")).json() == markets
        await venue.fault("clear")
        assert len((await venue.data("/v2/trades")).json()["data"]) == 3


async def test_a_hanging_request_is_answered_once_the_fault_is_over():
    async with running() as venue:
        await venue.fault("http_hang", api="data")
        with pytest.raises(httpx.ReadTimeout):
            await venue.http.get(venue.urls.data_url + "/v2/trades", timeout=0.2)
        answers = []

        async def ask():
            answers.append(await venue.data("/v2/trades"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await venue.until(lambda state: state["http"]["data"].get("/v2/trades") == 2)
            assert not answers
            await venue.fault("clear")
        assert answers[0].status_code == 200


async def test_moving_pages_repeat_rows_and_skip_some():
    async with running() as venue:
        await venue.emit(*[row(size=number) for number in range(1, 61)])
        await venue.fault("http_moving", rows=3)
        walked = []
        for offset in range(0, 60, 10):
            page = (await venue.data("/trades", limit=10, offset=offset)).json()
            walked += [each["size"] for each in page]
        assert len(set(walked)) < len(walked)
        assert set(walked) < set(range(1, 61))


async def test_cursors_skip_rows_when_the_feed_is_rebuilt_between_pages():
    async with running() as venue:
        await venue.emit(*[row(size=number) for number in range(1, 21)])
        first = (await venue.data("/v2/trades", limit=10)).json()
        cursor = {"cursor": first["pagination"]["next_cursor"]}
        await venue.fault("http_moving", path="/v2/trades", rows=4)
        moved = (await venue.data("/v2/trades", **cursor)).json()
        assert [each["size"] for each in moved["data"]] == [6, 5, 4, 3, 2, 1]


async def test_faults_hit_by_chance_and_by_path():
    async with running(seed=5) as venue:
        await venue.fault("http_5xx", api="data", path="/v2/", probability=0.5, status=503)
        statuses = [(await venue.data("/v2/trades")).status_code for _ in range(40)]
        assert 8 <= statuses.count(503) <= 32
        assert (await venue.data("/trades")).status_code == 200


async def test_requests_are_counted_by_api_and_path():
    async with running() as venue:
        await venue.gamma("/markets")
        await venue.gamma("/markets/123")
        await venue.gamma("/markets/slug/some-slug")
        await venue.clob("/markets/0xabc")
        state = await venue.state()
        assert state["http"]["gamma"] == {"/markets": 1, "/markets/{}": 1, "/markets/slug/{}": 1}
        assert state["http"]["clob"] == {"/markets/{}": 1}


async def test_faults_are_listed_and_cleared_one_by_one():
    async with running() as venue:
        first = await venue.fault("http_5xx")
        await venue.fault("silence")
        control = venue.urls.control_url
        listed = (await venue.http.get(control + "/faults")).json()["faults"]
        assert [fault["kind"] for fault in listed] == ["http_5xx", "silence"]
        assert (await venue.http.delete(control + "/faults", params={"id": first["id"]})).json() == {"cleared": 1}
        assert (await venue.http.delete(control + "/faults", params={"kind": "silence"})).json() == {"cleared": 1}
        assert (await venue.state())["faults"] == []
