"""Accounts read from the simulated venue over real sockets, in both versions, and what its faults may not do to them."""

import json
from collections import defaultdict
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from engine_adapters.account_server import all_pages, all_rows
from engine_simulator.simulator_clients import SetClock, row, running

from config.schema import VenueConfig
from engine.adapters.trader_accounts import DataApiAccounts
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.errors import RejectedError, TransientError
from protocols.trader_accounts import ActivityKind, Board, Period

WALLET = "0x" + "ab" * 20
MICRO = 1_000_000
VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])
FAR_S = 4_000_000_000


@asynccontextmanager
async def accounts_of(version, clock, **options):
    """A venue that speaks a version, and the adapter that reads it."""
    options |= {"v2_absent": version == "v1"}
    async with (
        running(clock, **options) as venue,
        open_upstream("data", venue.urls.data_url, VenueConfig(), rate_per_s=1e6, traffic=Traffic()) as api,
    ):
        yield venue, DataApiAccounts(api=api, clock=clock)


async def markets(venue, count):
    rows = (await venue.gamma(f"/markets?limit={count}")).json()
    return [(each["conditionId"], json.loads(each["clobTokenIds"])) for each in rows]


async def busy_wallet(venue, count=130):
    """A position in each of many markets, every third of them sold again; the first two markets are decided."""
    known = await markets(venue, count)
    for number, (_, tokens) in enumerate(known):
        await venue.emit(row(asset=tokens[0], size=number + 0.05, price=0.25))
        if number % 3 == 2:
            await venue.emit(row(asset=tokens[0], size=number + 0.05, price=0.5, side="SELL"))
    (lost, _), (won, _) = known[:2]
    await venue.control("/resolve", {"condition_id": lost, "payouts": [0, MICRO]})
    await venue.control("/resolve", {"condition_id": won, "payouts": [MICRO, 0]})
    (account,) = (await venue.control("/accounts-truth", {"wallets": [WALLET]}))["accounts"]
    return known, account


@VERSIONS
async def test_what_is_read_is_the_truth(version):
    clock = SetClock()
    async with accounts_of(version, clock, markets=140) as (venue, accounts):
        known, truth = await busy_wallet(venue)
        held = await all_rows(accounts.held_page, wallet=WALLET)
        assert {each.token_id: each.shares_micro for each in held} == {
            each["token_id"]: each["shares_micro"] for each in truth["positions"]
        }
        by_condition = {each.condition_id: each for each in held}
        # Dust and a worthless token are there, and told apart.
        assert min(each.shares_micro for each in held) == 50_000
        lost, won = by_condition[known[0][0]], by_condition[known[1][0]]
        assert (lost.redeemable, lost.price, won.redeemable, won.price) == (True, 0, True, 1)
        closed = await all_rows(accounts.closed_page, wallet=WALLET)
        assert {each.token_id: (int(each.realized_usd * MICRO), each.closed_ms // 1000) for each in closed} == {
            each["token_id"]: (each["realized_micro"], each["closed_s"]) for each in truth["closed"]
        }
        some = (known[0][0], known[4][0], known[5][0])
        page = await accounts.held_page(WALLET, condition_ids=some)
        assert {each.condition_id for each in page.rows} == set(some[:2])


@VERSIONS
async def test_results_by_day_are_those_of_the_truth(version):
    clock = SetClock()
    async with accounts_of(version, clock, markets=30) as (venue, accounts):
        for day, (condition, tokens) in enumerate(await markets(venue, 12)):
            clock.time_ms += 40_000_000
            await venue.emit(row(asset=tokens[0], size=10, price=0.4), row(asset=tokens[1], size=4, price=0.6))
            await venue.control(
                "/resolve", {"condition_id": condition, "payouts": [MICRO, 0] if day % 2 else [0, MICRO]}
            )
            await venue.control("/redeem", {"condition_id": condition})
        (truth,) = (await venue.control("/accounts-truth", {"wallets": [WALLET]}))["accounts"]
        days = defaultdict(int)
        for each in await all_rows(accounts.closed_page, wallet=WALLET):
            days[datetime.fromtimestamp(each.closed_ms / 1000, UTC).date().isoformat()] += int(
                each.realized_usd * MICRO
            )
        assert days == {each["date"]: each["realized_micro"] for each in truth["days"]}
        assert len(days) > 4
        half_ms = clock.time_ms - 6 * 40_000_000
        recent = await all_rows(accounts.closed_page, wallet=WALLET, since_ms=half_ms)
        assert {each.closed_ms // 1000 for each in recent} == {
            each["closed_s"] for each in truth["closed"] if each["closed_s"] >= half_ms // 1000
        }


@VERSIONS
async def test_activity_has_trades_and_all_that_changes_a_holding_once(version):
    clock = SetClock()
    async with accounts_of(version, clock, markets=20) as (venue, accounts):
        began_s = clock.time_ms // 1000
        ((condition, tokens),) = await markets(venue, 1)
        for _ in range(13):
            await venue.emit(*[row(asset=tokens[0], size=number) for number in range(1, 101)])
            await venue.control("/payments", {"wallet": WALLET, "type": "MAKER_REBATE", "usd": 1})
            clock.time_ms += 1_000
        await venue.control("/split", {"wallet": WALLET, "condition_id": condition, "shares": 5})
        await venue.control("/merge", {"wallet": WALLET, "condition_id": condition, "shares": 2})
        await venue.control("/resolve", {"condition_id": condition, "payouts": [MICRO, 0]})
        await venue.control("/redeem", {"condition_id": condition})
        pages = await all_pages(accounts.activity_page, wallet=WALLET, since_s=began_s + 1, until_s=FAR_S)
        truth = (await venue.control("/ledger", {"wallets": [WALLET], "since": began_s + 1}))["fills"]
    hashes = [item.row.transaction_hash for page in pages for item in page.trades]
    assert sorted(hashes) == sorted(each["transaction_hash"] for each in truth)
    assert len(hashes) == 1_200
    others = [item for page in pages for item in page.others]
    assert sorted(item.kind for item in others) == [ActivityKind.MERGE, ActivityKind.REDEEM, ActivityKind.SPLIT]
    assert {item.condition_id for item in others} == {condition}
    assert sum(page.malformed["not_a_trade"] for page in pages) >= 12
    assert all(page.malformed.keys() <= {"not_a_trade"} for page in pages)


@VERSIONS
async def test_the_leaderboard_of_more_than_a_thousand(version):
    clock = SetClock()
    async with accounts_of(version, clock) as (venue, accounts):
        await venue.emit(*[row(proxyWallet=f"0x{number:040x}", size=number) for number in range(1, 1_041)])
        for board in Board:
            rows = await all_rows(accounts.leaderboard_page, board=board, period=Period.ALL)
            assert [each.rank for each in rows] == list(range(1, 1_041))
            assert len({each.wallet for each in rows}) == 1_040


LISTS = {
    "held": lambda accounts: all_rows(accounts.held_page, wallet=WALLET),
    "closed": lambda accounts: all_rows(accounts.closed_page, wallet=WALLET),
    "leaderboard": lambda accounts: all_rows(accounts.leaderboard_page, board=Board.PNL, period=Period.ALL),
}
FAULTS = [("http_429", {"retry_after_s": 0}), ("http_5xx", {}), ("http_5xx", {"status": 503}), ("http_truncated", {})]


@VERSIONS
@pytest.mark.parametrize(("kind", "parameters"), FAULTS)
@pytest.mark.parametrize("name", LISTS)
async def test_no_answer_is_no_list(version, kind, parameters, name):
    clock = SetClock()
    async with accounts_of(version, clock, markets=20) as (venue, accounts):
        await busy_wallet(venue, 12)
        whole = await LISTS[name](accounts)
        await venue.fault(kind, api="data", **parameters)
        for _ in range(2):
            with pytest.raises(TransientError):
                await LISTS[name](accounts)
        await venue.fault("clear")
        assert await LISTS[name](accounts) == whole


@pytest.mark.parametrize(("name", "count"), [("held", 1_210), ("closed", 220)])
async def test_a_moving_list_of_v1_is_whole_or_begun_again(name, count):
    clock = SetClock()
    async with accounts_of("v1", clock, markets=count) as (venue, accounts):
        tokens = [tokens[0] for _, tokens in await all_markets(venue, count)]
        rows = [row(asset=token, size=2, transactionHash=f"0x{number:064x}") for number, token in enumerate(tokens)]
        await venue.emit(*rows)
        if name == "closed":
            await venue.emit(
                *[each | {"side": "SELL", "transactionHash": f"0x{at:065x}"} for at, each in enumerate(rows)]
            )
        assert {each.token_id for each in await LISTS[name](accounts)} == set(tokens)
        await venue.fault("http_moving", rows=3)
        outcomes = set()
        for _ in range(6):
            try:
                assert {each.token_id for each in await LISTS[name](accounts)} == set(tokens)
                outcomes.add("whole")
            except TransientError:
                outcomes.add("again")
        # Every second request skips rows, which cannot be missed.
        assert "again" in outcomes
        await venue.fault("clear")
        assert {each.token_id for each in await LISTS[name](accounts)} == set(tokens)


async def all_markets(venue, count):
    return [
        one for start in range(0, count, 100) for one in await page_of_markets(venue, start, min(100, count - start))
    ]


async def page_of_markets(venue, offset, limit):
    rows = (await venue.gamma(f"/markets?limit={limit}&offset={offset}")).json()
    return [(each["conditionId"], json.loads(each["clobTokenIds"])) for each in rows]


@VERSIONS
async def test_an_empty_or_stale_answer_is_told_by_nothing_and_passes(version):
    """An answer that says there is nothing cannot be told from the truth: it is for callers to doubt a whole that is gone."""
    clock = SetClock()
    async with accounts_of(version, clock, markets=20) as (venue, accounts):
        await busy_wallet(venue, 12)
        whole = await LISTS["held"](accounts)
        await venue.fault("http_empty", api="data")
        assert await LISTS["held"](accounts) == []
        await venue.fault("clear")
        await venue.fault("http_stale", api="data")
        clock.time_ms += 1_000
        assert await LISTS["held"](accounts) == whole
        await venue.emit(row(size=99))
        assert await LISTS["held"](accounts) == whole
        await venue.fault("clear")
        assert await LISTS["held"](accounts) != whole


async def test_activity_beyond_the_offsets_is_refused_and_never_repeated():
    clock = SetClock()
    async with accounts_of("v1", clock) as (venue, accounts):
        for start in range(0, 10_600, 530):
            await venue.emit(*[row(size=number) for number in range(start + 1, start + 531)])
        found = []

        async def read_on(cursor):
            page = await accounts.activity_page(WALLET, since_s=0, until_s=FAR_S, cursor=cursor)
            found.extend(item.row.transaction_hash for item in page.trades)
            await read_on(page.next_cursor)

        # All in one second: time cannot tell them apart.
        with pytest.raises(RejectedError, match="one second"):
            await read_on(None)
    assert len(found) == len(set(found)) == 10_500
