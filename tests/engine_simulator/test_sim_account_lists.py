"""Lists of accounts: filters, order, pages that fit together, and what faults do to them."""

import json

import pytest
from simulator_clients import WALLET, SetClock, row, running

MICRO = 1_000_000


async def markets(venue, count):
    """Condition and first token of some markets."""
    rows = (await venue.gamma(f"/markets?limit={count}")).json()
    return [(each["conditionId"], json.loads(each["clobTokenIds"])[0]) for each in rows]


async def closed_many(venue, count):
    """A wallet that has closed a position in each of many markets: ten of them in each second."""
    for number, (_, token) in enumerate(await markets(venue, count)):
        bought = row(asset=token, size=number + 1, price=0.25, timestamp=1_795_000_000)
        sold = bought | {"side": "SELL", "price": 0.5, "timestamp": 1_795_000_100 + number // 10}
        await venue.emit(bought, keep_time=True)
        await venue.emit(sold, keep_time=True)


async def by_cursor(venue, path, **query):
    rows, cursor = [], {}
    while True:
        page = (await venue.data(path, **query, **cursor)).json()
        rows += page["data"]
        if page["pagination"]["next_cursor"] is None:
            return rows
        assert page["pagination"]["has_more"] is True
        cursor = {"cursor": page["pagination"]["next_cursor"]}


async def by_offset(venue, path, limit, **query):
    rows = []
    while True:
        page = (await venue.data(path, limit=limit, offset=len(rows), **query)).json()
        rows += page
        if len(page) < limit:
            return rows


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("sort_by", ["TIMESTAMP", "REALIZED_PNL", "TOKENS", "PRICE"])
async def test_closed_positions_come_in_pages_that_fit_though_many_closed_in_one_second(sort_by, direction):
    async with running(markets=45) as venue:
        await closed_many(venue, 45)
        query = {"user": WALLET, "status": "CLOSED", "sort_by": sort_by, "sort_direction": direction}
        whole = (await venue.data("/v2/positions", limit=1_000, **query)).json()["data"]
        assert await by_cursor(venue, "/v2/positions", limit=7, **query) == whole
    assert len({each["token_id"] for each in whole}) == 45
    column = {
        "TIMESTAMP": "last_event_at",
        "REALIZED_PNL": "realized_pnl",
        "TOKENS": "current_size",
        "PRICE": "current_price",
    }
    values = [each[column[sort_by]] for each in whole]
    assert values == sorted(values, reverse=direction == "DESC")


async def test_positions_of_a_time():
    async with running(markets=45) as venue:
        await closed_many(venue, 45)
        query = {"user": WALLET, "status": "CLOSED", "start": 1_795_000_101, "end": 1_795_000_102}
        rows = (await venue.data("/v2/positions", **query)).json()["data"]
        assert sorted({each["last_event_at"] for each in rows}) == [1_795_000_101, 1_795_000_102]
        assert len(rows) == 20
        assert (await venue.data("/v2/positions", user=WALLET, start="then")).status_code == 400


async def test_a_cursor_goes_on_after_its_row_when_others_came_before_it():
    async with running(markets=30) as venue:
        await closed_many(venue, 20)
        query = {"user": WALLET, "status": "CLOSED", "sort_by": "TIMESTAMP"}
        first = (await venue.data("/v2/positions", limit=8, **query)).json()
        (_, newest) = (await markets(venue, 30))[25]
        await venue.emit(row(asset=newest, size=1), row(asset=newest, size=1, side="SELL"))
        cursor = {"cursor": first["pagination"]["next_cursor"]}
        second = (await venue.data("/v2/positions", **query, **cursor)).json()
        cursor = {"cursor": second["pagination"]["next_cursor"]}
        third = (await venue.data("/v2/positions", **query, **cursor)).json()
        tokens = [each["token_id"] for page in (first, second, third) for each in page["data"]]
    assert len(tokens) == len(set(tokens)) == 20


async def test_positions_are_found_by_every_status():
    async with running() as venue:
        (lost, yes), (won, won_yes), (open_, open_yes) = await markets(venue, 3)
        for token in (yes, won_yes, open_yes):
            await venue.emit(row(asset=token, size=3))
        await venue.control("/resolve", {"condition_id": lost, "payouts": [0, MICRO]})
        await venue.control("/resolve", {"condition_id": won, "payouts": [MICRO, 0]})
        await venue.control("/split", {"wallet": WALLET, "condition_id": open_, "shares": 2})
        found = {}
        for status in ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED"):
            rows = (await venue.data("/v2/positions", user=WALLET, status=status)).json()["data"]
            found[status] = sorted(each["condition_id"] for each in rows)
        assert found == {
            "OPEN": [open_, open_], "REDEEMABLE": [won], "REDEEMABLE_LOST": [lost], "MERGEABLE": [open_, open_], "CLOSED": [],
        }  # fmt: skip
        assert len((await venue.data("/v2/positions", user=WALLET)).json()["data"]) == 4


@pytest.mark.parametrize("sort_by", ["TIMESTAMP", "REALIZEDPNL", "TITLE", "PRICE", "AVGPRICE"])
async def test_closed_positions_of_v1_have_at_most_fifty_a_page_and_fit_together(sort_by):
    async with running(markets=120) as venue:
        await closed_many(venue, 120)
        query = {"user": WALLET, "sortBy": sort_by}
        first = (await venue.data("/closed-positions", limit=500, **query)).json()
        assert len(first) == 50
        assert len((await venue.data("/closed-positions", user=WALLET)).json()) == 10
        rows = await by_offset(venue, "/closed-positions", 50, **query)
        (condition, _) = (await markets(venue, 1))[0]
        one = (await venue.data("/closed-positions", user=WALLET, market=condition)).json()
        assert [each["conditionId"] for each in one] == [condition]
    assert len({each["asset"] for each in rows}) == len(rows) == 120
    if sort_by == "TIMESTAMP":
        times = [each["timestamp"] for each in rows]
        assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("refused", [False, True])
async def test_offsets_of_closed_positions_end_at_a_hundred_thousand(refused):
    async with running(v1_offset_refused=refused) as venue:
        await closed_many(venue, 3)
        assert (await venue.data("/closed-positions", user=WALLET, offset=100_000)).json() == []
        beyond = await venue.data("/closed-positions", user=WALLET, offset=100_001)
        assert (beyond.status_code, beyond.json() == []) == ((400, False) if refused else (200, True))


async def thousand_traders(venue):
    """1,300 wallets; many of them with equal results, since most trade once."""
    condition, token = (await markets(venue, 1))[0]
    await venue.emit(
        *[row(asset=token, proxyWallet=f"0x{n:040x}", size=1 + n % 40, price=0.5) for n in range(1, 1_301)]
    )
    await venue.control("/resolve", {"condition_id": condition, "payouts": [MICRO, 0]})


@pytest.mark.parametrize(
    ("board", "name", "column", "v1_column"), [("PNL", "PNL", "pnl", "pnl"), ("VOLUME", "VOL", "volume", "vol")]
)
async def test_both_leaderboards_of_more_than_a_thousand_wallets_have_pages_that_fit(board, name, column, v1_column):
    clock = SetClock()
    async with running(clock) as venue:
        await thousand_traders(venue)
        new = await by_cursor(venue, "/v2/leaderboard", limit=170, sort_by=board, time_period="all")
        query = {"orderBy": name, "timePeriod": "ALL", "limit": 50}
        old = [
            each
            for at in range(0, 1_001, 50)
            for each in (await venue.data("/v1/leaderboard", offset=at, **query)).json()
        ]
        again = (await venue.data("/v1/leaderboard", offset=1_050, **query)).json()
    assert [each["rank"] for each in new] == list(range(1, 1_301))
    assert len({each["user_id"] for each in new}) == 1_300
    values = [each[column] for each in new]
    assert values == sorted(values, reverse=True)
    assert [each["rank"] for each in old] == [str(rank) for rank in range(1, 1_051)]
    assert [each["proxyWallet"] for each in old] == [each["user_id"] for each in new[:1_050]]
    # The last page for ever.
    assert again == old[-50:]
    # v1 counts dollars, v2 shares; all bought at a half.
    if board == "VOLUME":
        assert [each["vol"] * 2 for each in old] == values[:1_050]


@pytest.mark.parametrize(
    ("path", "limit", "query"),
    [
        ("/positions", 10, {"sizeThreshold": 0}),
        ("/closed-positions", 10, {"sortBy": "TIMESTAMP"}),
        ("/activity", 10, {}),
    ],
)
async def test_moving_lists_of_v1_repeat_rows_and_skip_some(path, limit, query):
    async with running(markets=60) as venue:
        if path == "/closed-positions":
            await closed_many(venue, 60)
        else:
            for _, token in await markets(venue, 60):
                await venue.emit(row(asset=token))
        count = len(await by_offset(venue, path, limit, user=WALLET, **query))
        await venue.fault("http_moving", path=path, rows=3)
        walked = []
        for offset in range(0, count, limit):
            walked += (await venue.data(path, user=WALLET, limit=limit, offset=offset, **query)).json()
        seen = {json.dumps(each, sort_keys=True) for each in walked}
        assert len(seen) < len(walked)
        assert len(seen) < count


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/positions", {"user": WALLET}),
        ("/v2/positions", {"user": WALLET, "status": "CLOSED"}),
        ("/v2/activity", {"user": WALLET}),
        ("/v2/leaderboard", {"time_period": "all"}),
    ],
)
async def test_cursors_of_v2_skip_rows_under_the_same_fault(path, query):
    async with running(markets=30) as venue:
        await closed_many(venue, 15)
        for number, (_, token) in enumerate((await markets(venue, 30))[15:]):
            await venue.emit(row(asset=token), row(asset=token, proxyWallet=f"0x{number:040x}"))
        whole = await by_cursor(venue, path, limit=1_000, **query)
        await venue.fault("http_moving", path=path, rows=2)
        found = await by_cursor(venue, path, limit=5, **query)
    assert len(whole) >= 15
    assert len(found) < len(whole)
    assert all(each in whole for each in found)
