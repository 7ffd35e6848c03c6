"""Portfolios out of real rows: what live trading booked, and what was recorded."""

from decimal import Decimal

import attrs
import pytest
from engine_adapters.live_worlds import LATER, bought, buy, journaled, owed, resolved, sold, told
from engine_postgres.portfolio_world import (
    OTHER_TRADER,
    SAY,
    TRADER,
    WALLET,
    copy_world,
)

from actors.rules.portfolio.figures import days_of, totals_of, traders_of
from actors.rules.portfolio.official import compared
from actors.rules.portfolio.pricing import Price, PriceSource
from protocols.live.exits import ExitKind
from protocols.live.orders import OrderOrigin
from protocols.portfolio import OrderCursor
from protocols.timestamps import utc_datetime

D = Decimal
MANY = """
INSERT INTO orders (order_id, copy_user_id, copied_trader_wallet, market_id, token_id, outcome, side, price, size, filled_size,
    status, created_at)
SELECT 'many-' || lpad(n::text, 6, '0'), $1::text::uuid, '0x' || lpad(to_hex(n % 700), 40, '0'), 'm' || n % 900,
    'k' || n % 900, 'Yes', CASE WHEN n % 3 = 2 THEN 'SELL' ELSE 'BUY' END, 0.5, 10, 10, 'filled',
    '2026-01-01T00:00:00Z'::timestamptz + n / 4 * interval '1 second'
FROM generate_series(1, $2::integer) AS n
"""


@pytest.fixture
async def world(database, aio):
    async with copy_world(database) as made:
        yield made


def micro(amount):
    return int(D(amount) * 1_000_000)


async def only(world, **changes):
    [valued] = [one for one in (await world.portfolio(**changes)).valued if one.position.is_position]
    return valued


async def test_fills_of_live_trading_come_to_what_its_ledger_says(world):
    await world.live.strategy()
    await bought(world.live, 1)
    await bought(world.live, 2, "10")
    one = owed(3)
    await world.live.store.open_exits([one])
    await sold(world.live, 3, one, "12")
    portfolio = await world.portfolio()
    [valued] = portfolio.valued
    balance = await world.live.balance()
    assert valued.position.realized == micro(balance.realized_pnl)
    assert valued.position.cost == micro(balance.locked)
    assert (valued.position.shares, valued.position.scope) == (micro(18), "LT_A")
    await world.live.store.settle([resolved("1")], LATER)
    [settled] = (await world.portfolio()).valued
    assert settled.position.realized == micro((await world.live.balance()).realized_pnl)
    assert (settled.position.is_open, settled.position.settled_shares) == (False, micro(18))
    [trader] = traders_of([settled])
    assert (trader.trader, trader.copies) == (TRADER, 2)


async def test_a_fill_that_failed_never_was(world):
    await world.live.strategy()
    await journaled(world.live, 1)
    await world.live.store.apply([told(1, "a", "5"), told(1, "b", "5")])
    await world.live.store.apply([told(1, "b", "5", status="FAILED")])
    assert (await only(world)).position.shares == micro(5)


async def test_an_exit_of_one_trader_sells_what_was_copied_from_him(world):
    await world.live.strategy()
    await bought(world.live, 1, claim={"trader": OTHER_TRADER})
    await bought(world.live, 2, claim={"trader": TRADER})
    one = owed(3, kind=ExitKind.TRADER_SELL, trader=TRADER, share=D(1))
    await world.live.store.open_exits([one])
    await sold(world.live, 3, one, "20")
    assert (await only(world)).position.open_by_trader() == {OTHER_TRADER: micro(20)}


async def test_orders_by_hand_belong_to_whom_the_account_belongs_to(world):
    await bought(world.live, 1, claim={"strategy_id": "manual:main", "origin": OrderOrigin.MANUAL, "trader": None})
    await bought(world.live, 2, claim={"strategy_id": "manual:else", "origin": OrderOrigin.MANUAL, "trader": None})
    assert (await only(world)).position.scope == "manual:main"
    assert (await world.portfolio(accounts={})).valued == []
    assert buy(1).strategy_id == "LT_A"


@pytest.mark.parametrize(
    ("row", "shares", "cost"),
    [
        ({}, "10", "4"),
        ({"price_when_copied": D("0.35")}, "10", "3.5"),
        ({"filled_size": D("2.5"), "status": "partial"}, "2.5", "1"),
        ({"filled_size": None, "status": "open"}, "10", "4"),
        ({"filled_size": None, "size": None, "amount_invested": D("2")}, "5", "2"),
        ({"price": None, "amount_invested": D("6")}, "10", "6"),
        ({"fee_usd": D("0.1")}, "10", "4.1"),
    ],
)
async def test_shares_and_cost_of_a_recorded_copy(world, row, shares, cost):
    await world.copy(**row)
    position = (await only(world)).position
    assert (position.shares, position.cost) == (micro(shares), micro(cost))


@pytest.mark.parametrize(
    "row",
    [
        {"filled_size": D(0), "status": "open"},
        {"filled_size": D(0), "status": "cancelled"},
        {"filled_size": None, "status": "failed"},
        {"filled_size": None, "size": None},
        {"price": None},
    ],
)
async def test_what_was_not_filled_is_no_copy(world, row):
    await world.copy(**row)
    assert (await world.portfolio()).valued == []


async def test_sales_are_matched_within_the_copies_of_a_trader_and_never_are_positions(world):
    await world.copy()
    await world.copy("SELL", "10", "0.7", copied_trader_wallet=OTHER_TRADER)
    await world.copy("SELL", "4", "0.5")
    totals = totals_of((await world.portfolio()).valued)
    assert (totals.realized, totals.open_positions, totals.unmatched_sells) == (micro("0.4"), 1, 1)
    assert totals.unmatched == micro(7)


async def test_an_exit_price_is_a_sale_of_the_rest(world):
    await world.copy(user_exit_price=D("0.9"), user_closed_at=utc_datetime(1_795_000_900_000))
    await world.copy("SELL", "4", "0.5")
    position = (await only(world)).position
    assert (position.is_open, position.realized) == (False, micro("0.4") + 6 * micro("0.5"))


async def test_outcomes_that_nobody_knows_are_not_taken_for_the_same(world):
    await world.copy(token_id=None, outcome=None)
    await world.copy("SELL", token_id=None, outcome=None)
    await world.copy(
        token_id=None, outcome="Up", current_price=D("0.3"), current_price_at=utc_datetime(1_795_000_000_000)
    )
    await world.copy(token_id=None, outcome="UP")
    valued = (await world.portfolio()).valued
    assert sorted((one.position.shares, one.position.unmatched_shares) for one in valued) == [
        (0, micro(10)),
        (micro(10), 0),
        (micro(20), 0),
    ]
    # The newest price of any of its rows; nothing for the one that could be anything.
    assert sorted(str(one.value) for one in valued) == ["6000000", "None", "None"]


async def test_a_resolution_is_told_by_the_token_and_void_pays_half(world):
    await world.market()
    await world.copy()
    await world.copy(token_id="71", outcome="No")
    await world.resolve('["0", "1"]')
    by_token = {one.position.token_id: one.position for one in (await world.portfolio()).valued}
    assert {token: one.realized for token, one in by_token.items()} == {"70": micro(-4), "71": micro(6)}
    await world.resolve('["0.5", "0.5"]')
    assert [one.position.realized for one in (await world.portfolio()).valued] == [micro(1)] * 2
    await world.run("UPDATE market_tokens SET payout = 0.25 WHERE token_id = '70'")
    assert {one.position.realized for one in (await world.portfolio()).valued} == {micro("-1.5"), micro(1)}


async def test_the_day_of_a_settlement_stays_where_a_market_does_not_say_when_it_closed(world):
    await world.live.strategy()
    await bought(world.live, 1)
    await world.live.store.settle([resolved("1")], LATER)
    before = days_of((await world.portfolio()).days)
    await world.market()
    await world.run("UPDATE market_tokens SET token_id = '77' WHERE token_id = '70'")
    await world.resolve()
    await world.run("UPDATE markets SET close_time = NULL, last_price_updated_at = now() + interval '400 days'")
    assert days_of((await world.portfolio()).days) == before


@pytest.mark.parametrize("prices", ['["0.999", "0.001"]', '{"Yes": 1}', None])
async def test_a_market_that_trades_near_its_end_is_open(world, prices):
    await world.market(prices=prices)
    await world.copy()
    assert (await only(world)).position.is_open


async def test_filters_and_strangers(world):
    await world.live.strategy()
    await bought(world.live, 1)
    await world.copy(lt_strategy_id="OLD")
    assert len((await world.portfolio()).valued) == 2
    for changes in ({"strategy_id": "LT_A"}, {"account": "main"}, {"token_ids": ["77"]}):
        assert (await only(world, **changes)).position.scope == "LT_A"
    assert (await only(world, strategy_id="OLD")).position.scope == "OLD"
    assert (await world.portfolio(account="else")).valued == []
    [row] = await world.run("INSERT INTO profiles (user_name) VALUES ('bob') RETURNING id::text")
    assert (await world.portfolio(user_id=row["id"], accounts={})).valued == []


async def test_thousands_of_orders_are_read_whole_and_walked_whole(world):
    await world.run(MANY, world.live.user_id, 3_001)
    world_store = attrs.evolve(world.store, portion=1_000)
    totals = totals_of((await world.portfolio()).valued)
    assert totals.buys + totals.sells == 3_001
    assert len(traders_of((await world.portfolio()).valued)) == 700
    seen, before = [], None
    while True:
        page = await world_store.orders(world.query, before=before, rows_max=500)
        seen += [row["order_id"] for row in page]
        if len(page) < 500:
            break
        before = cursor_of(page[-1])
    assert len(seen) == len(set(seen)) == 3_001
    assert seen[0] == "many-003001"


def cursor_of(row):
    return OrderCursor(at_us=round(row["at"].timestamp() * 1_000_000), order_id=row["order_id"])


async def test_pages_mix_both_kinds_in_the_order_of_time(world):
    await world.live.strategy()
    await bought(world.live, 1)
    await world.copy()
    await bought(world.live, 2)
    await world.run("UPDATE lt_orders SET created_at = '2026-11-25T00:00:00Z' WHERE cause = 'trade-1'")
    await world.run("UPDATE orders SET created_at = '2026-11-25T00:00:00Z'")
    seen, before = [], None
    for _ in range(3):
        [row] = await world.store.orders(world.query, before=before, rows_max=1)
        seen.append(row["kind"])
        before = cursor_of(row)
    assert await world.store.orders(world.query, before=before, rows_max=1) == []
    assert sorted(seen) == ["live", "live", "recorded"]


async def test_the_venue_is_asked_once_a_token_and_its_table_comes_first(world):
    results = {"polymarket_realized_pnl": D("548"), "polymarket_total_bought": D(20)}
    for day in (1, 2):
        await world.copy(polymarket_synced_at=utc_datetime(1_795_000_000_000 + day), **results)
    positions = (await world.portfolio()).valued
    official = await world.store.official(world.query, {"70"})
    assert compared([one.position for one in positions], official)["70"].official == micro(548)
    for wallet, pnl in ((WALLET, "283"), ("0x" + "00" * 20, "1000")):
        await world.run(SAY, wallet, "70", D(pnl), D(20))
    portfolio = await world.portfolio(official=True)
    assert portfolio.official["70"].official == micro(283)
    # The venue has said the same since.
    assert portfolio.official["70"].synced_us == 1_000_000
    await world.run("INSERT INTO official_sync_state VALUES ('main', $1, to_timestamp(9))", WALLET)
    assert (await world.portfolio(official=True)).official["70"].synced_us == 9_000_000
    assert (await world.portfolio(official=True, strategy_id="X")).official is None


async def test_an_account_that_was_renamed_counts_its_results_once(world):
    await world.copy()
    await world.run(SAY, WALLET, "70", D("283"), D(20))
    for account, second in (("old", 8), ("main", 9)):
        await world.run(
            "INSERT INTO official_sync_state VALUES ($1, $2, to_timestamp($3::integer))", account, WALLET, second
        )
    said = (await world.portfolio(official=True)).official["70"]
    assert (said.official, said.synced_us) == (micro(283), 9_000_000)


async def test_of_two_wallets_one_that_holds_has_not_said_what_both_bought(world):
    await world.copy()
    other = "0x" + "98" * 20
    for wallet in (WALLET, other):
        await world.run(SAY, wallet, "70", D("3"), D(20))
    await world.run(
        "UPDATE official_position_results SET bought_shares = NULL, is_held = true WHERE wallet_address = $1", other
    )
    query = attrs.evolve(world.query, accounts={"main": WALLET, "second": other})
    said = (await world.store.official(query, {"70"}))["70"]
    assert (said.realized_pnl, said.bought_shares, said.is_held) == (6, None, True)


async def test_a_copy_whose_market_has_no_price_has_that_of_its_own_rows(world):
    at = utc_datetime(1_795_000_000_000)
    await world.copy(current_price=D("0.3"), current_price_at=at)
    await world.copy()
    valued = await only(world)
    assert (valued.value, valued.price) == (
        micro(6),
        Price(usd=D("0.3"), source=PriceSource.CURRENT_PRICE, at_us=1_795_000_000_000_000),
    )
    await world.market(prices=None)
    assert (await only(world)).value == micro(6)
