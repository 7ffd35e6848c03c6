import base64
import json

import pytest
from simulator_clients import SetClock, payload, row, running

OTHER = "0x" + "cd" * 20


def sizes(response):
    return [each["size"] for each in response.json()["data"]]


async def walk(venue, **parameters):
    """Every row of every page."""
    rows = []
    cursor = {}
    while True:
        page = (await venue.data("/v2/trades", **parameters, **cursor)).json()
        rows += page["data"]
        pagination = page["pagination"]
        assert pagination["has_more"] is (pagination["next_cursor"] is not None)
        if not pagination["has_more"]:
            return rows
        cursor = {"cursor": pagination["next_cursor"]}


async def test_rows_and_envelope_have_the_fields_and_types_of_recorded_ones():
    recorded = payload("data-api-v2.trades-envelope.real.2026-10-05.wallets-redacted.json")
    async with running() as venue:
        await venue.emit(*[row(size=number) for number in range(1, 6)])
        answer = (await venue.data("/v2/trades", limit=2)).json()
    assert answer.keys() == recorded.keys()
    assert answer["pagination"].keys() == recorded["pagination"].keys()
    assert len(answer["data"]) == answer["pagination"]["limit"] == 2
    for name, value in recorded["data"][0].items():
        ours = answer["data"][0][name]
        assert type(ours) is type(value) or {type(ours), type(value)} == {int, float}, name
    assert list(answer["data"][0]) == list(recorded["data"][0])
    ours = json.loads(base64.b64decode(answer["pagination"]["next_cursor"]))
    real = json.loads(base64.b64decode(recorded["pagination"]["next_cursor"]))
    assert ours.keys() == real.keys()
    assert ours["data"]["params"].keys() == real["data"]["params"].keys()
    assert len(ours["sig"]) == len(real["sig"])


async def test_makers_are_hidden_unless_asked_for():
    async with running() as venue:
        await venue.emit(row(transactionHash="0x1"), row(transactionHash="0x1", proxyWallet=OTHER, side="SELL"))
        assert len((await venue.data("/v2/trades")).json()["data"]) == 1
        assert len((await venue.data("/v2/trades", taker_only="true")).json()["data"]) == 1
        assert len((await venue.data("/v2/trades", taker_only="false")).json()["data"]) == 2
        assert (await venue.data("/v2/trades", user=OTHER)).json()["data"] == []
        (maker,) = (await venue.data("/v2/trades", user=OTHER.upper().replace("X", "x"), taker_only="false")).json()[
            "data"
        ]
        assert maker["proxy_wallet"] == OTHER


async def test_rows_come_newest_first_and_windows_are_inclusive():
    clock = SetClock()
    async with running(clock) as venue:
        for second in range(10):
            clock.time_ms = 1_795_000_000_000 + second * 1_000
            await venue.emit(row(size=second + 1))
        assert sizes(await venue.data("/v2/trades")) == list(range(10, 0, -1))
        window = {"start": 1_795_000_002, "end": 1_795_000_005}
        assert sizes(await venue.data("/v2/trades", **window)) == [6, 5, 4, 3]
        assert sizes(await venue.data("/v2/trades", start=1_795_000_009)) == [10]
        assert sizes(await venue.data("/v2/trades", end=1_794_999_999)) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"side": "SELL"}, [4]),
        ({"filter_type": "CASH", "filter_amount": "1.5"}, [4, 3]),
        ({"filter_type": "TOKENS", "filter_amount": "3"}, [4, 3]),
        ({"user": OTHER}, [2]),
    ],
)
async def test_filters_narrow_the_rows(parameters, expected):
    async with running() as venue:
        rows = [row(size=number, price=0.5) for number in range(1, 4)]
        rows[1]["proxyWallet"] = OTHER
        await venue.emit(*rows, row(size=4, price=0.5, side="SELL"))
        assert sizes(await venue.data("/v2/trades", **parameters)) == expected


async def test_conditions_are_comma_separated_and_at_most_twenty():
    async with running() as venue:
        markets = (await venue.gamma("/markets?limit=3")).json()
        conditions = [market["conditionId"] for market in markets]
        for number, condition in enumerate(conditions, start=1):
            await venue.emit(row(conditionId=condition, size=number))
        assert sizes(await venue.data("/v2/trades", condition_id=conditions[1])) == [2]
        assert sizes(await venue.data("/v2/trades", condition_id=f"{conditions[0]},{conditions[2]}")) == [3, 1]
        many = ",".join(f"0x{number:064x}" for number in range(21))
        assert (await venue.data("/v2/trades", condition_id=many)).status_code == 400
        assert (await venue.data("/v2/trades", condition_id=conditions[0][:-2])).status_code == 400


async def test_a_cursor_walks_every_row_once_though_new_ones_arrive():
    async with running() as venue:
        await venue.emit(*[row(size=number) for number in range(1, 31)])
        first = (await venue.data("/v2/trades", limit=7)).json()
        await venue.emit(*[row(size=number) for number in range(31, 41)])
        seen = [each["size"] for each in first["data"]]
        cursor = first["pagination"]["next_cursor"]
        while cursor:
            page = (await venue.data("/v2/trades", cursor=cursor)).json()
            assert page["pagination"]["limit"] == 7
            seen += [each["size"] for each in page["data"]]
            cursor = page["pagination"]["next_cursor"]
        assert seen == list(range(30, 0, -1))


async def test_identical_fills_of_one_transaction_are_all_there():
    async with running() as venue:
        twin = row(transactionHash="0x7", proxyWallet=OTHER, side="SELL", size=5)
        await venue.emit(row(transactionHash="0x7", size=10), twin, twin)
        rows = await walk(venue, user=OTHER, taker_only="false", limit=1)
        assert len(rows) == 2
        assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"user": "0x123"}, "user"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"side": "HOLD"}, "side"),
        ({"filter_type": "CASH"}, "filter_amount"),
        ({"taker_only": "maybe"}, "taker_only"),
        ({"cursor": "bm9uc2Vuc2U="}, "cursor"),
        ({"cursor": "not base64"}, "cursor"),
    ],
)
async def test_errors_name_the_parameter(parameters, parameter):
    async with running() as venue:
        response = await venue.data("/v2/trades", **parameters)
        assert response.status_code == 400
        body = response.json()
        assert body.keys() == {"error", "code", "retryable", "trace_id", "parameter"}
        assert body["parameter"] == parameter
        assert body["retryable"] is False


async def test_a_changed_cursor_is_refused():
    async with running() as venue:
        await venue.emit(*[row() for _ in range(3)])
        cursor = (await venue.data("/v2/trades", limit=1)).json()["pagination"]["next_cursor"]
        envelope = json.loads(base64.b64decode(cursor))
        envelope["data"]["params"]["l"] = 1000
        forged = base64.b64encode(json.dumps(envelope).encode()).decode()
        assert (await venue.data("/v2/trades", cursor=forged)).status_code == 400
        assert (await venue.data("/v2/activity", user=OTHER, cursor=cursor)).status_code == 400


async def test_prices_are_averages_with_ten_decimals_at_most():
    async with running() as venue:
        body = {"trades": [row(price=0)]}
        text = json.dumps(body).replace('"price": 0', '"price": 0.6889999998935867')
        await venue.http.post(venue.urls.control_url + "/emit", content=text)
        assert '"price":0.6889999999,' in (await venue.data("/v2/trades")).text
        assert '"price":0.6889999998935867,' not in (await venue.data("/v2/trades")).text


async def test_answers_are_cached_by_the_whole_url():
    clock = SetClock()
    async with running(clock, cache_scale=1.0) as venue:
        await venue.emit(row(size=1))
        first = await venue.data("/v2/trades")
        assert first.headers["x-cache"].startswith("Miss")
        await venue.emit(row(size=2))
        clock.time_ms += 299_000
        again = await venue.data("/v2/trades")
        assert again.headers["x-cache"].startswith("Hit")
        assert again.headers["age"] == "299"
        assert sizes(again) == [1]
        assert sizes(await venue.data("/v2/trades", _="123")) == [2, 1]
        clock.time_ms += 2_000
        assert sizes(await venue.data("/v2/trades")) == [2, 1]


async def test_rows_become_visible_about_five_seconds_after_the_match():
    clock = SetClock(1_795_000_000_000)
    async with running(clock, lag_scale=1.0) as venue:
        await venue.emit(row(size=1))
        ages = []
        for _ in range(100):
            if sizes(await venue.data("/v2/trades")):
                break
            clock.time_ms += 100
            ages.append(clock.time_ms)
        assert 3.0 <= len(ages) / 10 <= 7.1


async def test_activity_has_the_fields_of_recorded_rows():
    (recorded,) = payload("data-api-v2.activity.real.2026-09-08.json")
    async with running() as venue:
        await venue.emit(row(size=1), row(size=2))
        rows = (await venue.data("/v2/activity", user=row()["proxyWallet"])).json()["data"]
        oldest = (await venue.data("/v2/activity", user=row()["proxyWallet"], sort_direction="ASC")).json()["data"]
        assert list(rows[0]) == list(recorded)
        assert rows[0]["usdc_size"] == pytest.approx(0.62)
        assert [each["size"] for each in oldest] == [1, 2]
        assert (await venue.data("/v2/activity")).status_code == 400
        redeemed = await venue.data("/v2/activity", user=row()["proxyWallet"], type="REDEEM")
        assert redeemed.json()["data"] == []
