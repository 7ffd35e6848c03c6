"""One suite for every store of virtual money."""

import math
from decimal import Decimal

import attrs
import msgspec
import pytest
from engine_adapters.paper_worlds import (
    NOON_MS,
    check_identity,
    close,
    decided,
    id_of,
    memory_world,
    order,
    paying,
    postgres_world,
    traded,
)
from property.made_trades import described

from actors.rules.strategy.crowds import fill_of_trade
from protocols.conflicts import Stand
from protocols.errors import RejectedError
from protocols.paper import Holding
from protocols.trades import Lane, LanedTrade

BUY, SELL, LATER = traded(1), traded(2, side="SELL"), traded(3)


@pytest.fixture(params=["memory", "postgres"])
def options(request):
    """The database of the second half; None in memory."""
    return None if request.param == "memory" else request.getfixturevalue("database")


@pytest.fixture
async def world(options, aio):
    if options is None:
        one = memory_world()
        await one.strategy("A")
        yield one
        return
    async with postgres_world(options) as one:
        await one.strategy("A")
        yield one


async def test_a_purchase_costs_its_stake_and_fee_and_is_open(world):
    result = await world.trades.write([decided(BUY, order(BUY))])
    assert (result.inserted, result.repeated) == (1, 0)
    assert [(one.key, one.applied, one.left_out) for one in result.receipts] == [
        ((BUY.trade.trade_id, "now"), True, ())
    ]
    account = await world.account()
    assert (account.balance.cash, account.balance.open_cost) == (Decimal("89.9"), Decimal("10.1"))
    assert (account.balance.fees, account.balance.stakes, account.balance.open_orders) == (Decimal("0.1"), 10, 1)
    [left] = account.open_orders
    assert (left.order_id, left.shares, left.cost) == (id_of("A", BUY.trade.trade_id), 20, Decimal("10.1"))
    assert (left.trader, left.token_id, left.trade_ms) == (BUY.trade.wallet, BUY.trade.token_id, BUY.trade.trade_ms)
    assert (left.entry_price, left.realized, left.condition_id) == (Decimal("0.5"), 0, BUY.trade.condition_id)


async def test_the_same_batch_again_changes_nothing(world):
    bought = order(BUY)
    batch = [decided(BUY, bought), decided(SELL, closes=[close(bought, SELL, "5")]), LATER]
    first = await world.trades.write(batch)
    before, orders = await world.account(), await world.orders()
    again = await world.trades.write(batch)
    assert [one.applied for one in first.receipts] == [True, True]
    assert [(one.applied, one.closed) for one in again.receipts] == [(False, ()), (False, ())]
    assert (again.inserted, again.repeated) == (0, 3)
    assert await world.account() == before
    assert await world.orders() == orders


async def test_a_second_decision_of_the_same_part_is_refused_with_its_orders(world):
    await world.strategy("B")
    await world.trades.write([decided(BUY)])
    [receipt] = (await world.trades.write([decided(BUY, order(BUY), order(BUY, "B"))])).receipts
    assert not receipt.applied
    assert await world.orders() == {}
    assert (await world.account("B")).balance.cash == 100


async def test_the_first_of_two_decisions_in_one_batch_counts(world):
    result = await world.trades.write([decided(BUY), decided(BUY, order(BUY))])
    assert [one.applied for one in result.receipts] == [True, False]
    assert await world.orders() == {}


async def test_parts_of_a_trade_are_claimed_one_by_one(world):
    await world.strategy("B")
    result = await world.trades.write([decided(BUY, order(BUY)), decided(BUY, order(BUY, "B"), part="book")])
    assert [one.applied for one in result.receipts] == [True, True]
    assert len(await world.orders()) == 2
    [stored] = await world.paper.recent_decisions(0)
    assert stored.parts == {"now", "book"}


@pytest.mark.parametrize("together", [True, False])
async def test_a_trade_is_copied_once_by_a_strategy_alone_or_in_an_aggregate(together, world):
    aggregate = order(LATER, members=(LATER.trade.trade_id, BUY.trade.trade_id))
    batch = [
        decided(BUY, order(BUY)),
        decided(LATER, aggregate, part="tx", members=(LATER.trade.trade_id, BUY.trade.trade_id)),
    ]
    receipts = []
    for part in [batch] if together else [[one] for one in batch]:
        receipts += (await world.trades.write(part)).receipts
    assert [(one.applied, one.left_out) for one in receipts] == [(True, ()), (True, (aggregate.order_id,))]
    assert list(await world.orders()) == [id_of("A", BUY.trade.trade_id)]
    assert (await world.account()).balance.orders == 1


async def test_two_orders_of_one_strategy_for_one_trade_are_one(world):
    again = order(BUY, order_id=id_of("A", "other"))
    [first, second] = (await world.trades.write([decided(BUY, order(BUY)), decided(BUY, again, part="book")])).receipts
    assert (first.left_out, second.left_out) == ((), (again.order_id,))
    assert (await world.account()).balance.cash == Decimal("89.9")


async def test_members_know_the_part_of_their_aggregate(world):
    members = (BUY.trade.trade_id, LATER.trade.trade_id)
    await world.trades.write([BUY, decided(LATER, part="w5", members=members)])
    stored = {one.trade.trade_id: one.parts for one in await world.paper.recent_decisions(0)}
    assert stored == {BUY.trade.trade_id: {"w5"}, LATER.trade.trade_id: {"w5"}}


async def test_what_a_start_finds_is_the_trade_as_it_came(world):
    await world.trades.write([LATER, decided(BUY), attrs.evolve(SELL, lane=Lane.FOLLOWED)])
    found = await world.paper.recent_decisions(BUY.trade.trade_ms)
    assert [(one.trade.trade_id, one.parts) for one in found] == [
        (LATER.trade.trade_id, frozenset()), (BUY.trade.trade_id, {"now"}),
    ]  # fmt: skip
    for one, trade in zip(found, (LATER, BUY), strict=True):
        assert described(one.trade)[:-1] == described(trade.trade)[:-1]
        assert math.isnan(one.trade.seen_s) or world.memory
    assert await world.paper.recent_decisions(LATER.trade.trade_ms + 1) == []


async def test_a_strategy_that_is_gone_costs_only_its_own_order(world):
    gone = order(BUY, "GONE")
    [receipt] = (await world.trades.write([decided(BUY, order(BUY), gone)])).receipts
    assert (receipt.applied, receipt.left_out) == (True, (gone.order_id,))
    assert list(await world.orders()) == [id_of("A", BUY.trade.trade_id)]


async def test_who_has_no_cash_buys_nothing_and_the_whole_batch_is_refused(world):
    batch = [decided(BUY, order(BUY)), decided(LATER, order(LATER, stake=Decimal(90), shares=Decimal(180)))]
    with pytest.raises(RejectedError):
        await world.trades.write(batch)
    assert (await world.account()).balance.cash == 100
    assert await world.paper.recent_decisions(0) == []
    assert (await world.trades.write(batch[:1])).receipts[0].applied


async def test_bought_and_partly_sold_in_one_batch_then_settled(world):
    bought = order(BUY)
    result = await world.trades.write([decided(BUY, bought), decided(SELL, closes=[close(bought, SELL, "5")])])
    [closed] = result.receipts[1].closed
    assert (closed.shares, closed.proceeds, closed.cost_released) == (5, 3, Decimal("2.525"))
    assert (closed.shares_left, closed.cost_left) == (15, Decimal("7.575"))
    account = await world.account()
    assert account.balance.cash == Decimal("92.9")
    assert account.open_orders[0].realized == Decimal("0.475")
    [settled] = await world.settlement.settle([paying(BUY, "1")])
    assert (settled.outcome, settled.payout, settled.pnl) == ("WON", 15, Decimal("7.9"))
    balance = (await world.account()).balance
    check_identity(balance)
    assert (balance.cash, balance.won, balance.open_orders) == (Decimal("107.9"), 1, 0)
    assert await world.orders() == {bought.order_id: ("WON", Decimal("7.9"), 1)}
    assert await world.days() == {("A", "2026-05-28"): (1, 0, 0, 0, Decimal("7.9"))}


async def test_what_is_sold_to_the_end_is_final_and_is_not_settled(world):
    bought = order(BUY)
    await world.trades.write([decided(BUY, bought)])
    sale = decided(SELL, closes=[close(bought, SELL, "99", "0.4")])
    [receipt] = (await world.trades.write([sale])).receipts
    assert receipt.closed[0].shares == 20
    assert await world.orders() == {bought.order_id: ("SOLD", Decimal("-2.1"), Decimal("0.4"))}
    [later] = (await world.trades.write([decided(LATER, closes=[close(bought, LATER, "1")])])).receipts
    assert (later.applied, later.closed) == (True, ())
    assert await world.settlement.settle([paying(BUY, "1")]) == []
    balance = (await world.account()).balance
    check_identity(balance)
    assert (balance.sold, balance.cash, balance.final_pnl_sum) == (1, Decimal("97.9"), Decimal("-2.1"))
    assert (await world.days())["A", "2026-05-28"] == (0, 0, 1, 0, Decimal("-2.1"))


async def test_a_sale_counts_once_for_an_order_whatever_the_part(world):
    bought = order(BUY)
    sale = [close(bought, SELL, "5")]
    result = await world.trades.write(
        [decided(BUY, bought), decided(SELL, closes=sale), decided(SELL, closes=sale, part="book")]
    )
    assert [len(one.closed) for one in result.receipts] == [0, 1, 0]
    [receipt] = (await world.trades.write([decided(SELL, closes=sale, part="again")])).receipts
    assert (receipt.applied, receipt.closed) == (True, ())
    assert (await world.account()).open_orders[0].shares == 15


@pytest.mark.parametrize(
    ("payout", "outcome", "pnl"), [("0", "LOST", "-10.1"), ("0.5", "VOID", "-0.1"), ("1", "WON", "9.9")]
)
async def test_every_payout_settles_once(payout, outcome, pnl, world):
    bought = order(BUY)
    await world.trades.write([decided(BUY, bought)])
    [market] = await world.settlement.open_markets("", 10)
    assert (market.condition_id, market.token_ids) == (BUY.trade.condition_id, {BUY.trade.token_id})
    assert await world.settlement.open_markets(market.condition_id, 10) == []
    [settled] = await world.settlement.settle([paying(BUY, payout)])
    assert (settled.order_id, settled.wallet_id, settled.outcome, settled.pnl) == (
        bought.order_id,
        "A",
        outcome,
        Decimal(pnl),
    )
    after = await world.account()
    check_identity(after.balance)
    assert await world.settlement.settle([paying(BUY, payout)]) == []
    assert await world.account() == after
    assert after.open_orders == ()
    assert await world.settlement.open_markets("", 10) == []


async def test_only_named_tokens_of_named_markets_are_settled(world):
    other = traded(3, token_id="another", condition_id="0xother")
    await world.trades.write([decided(BUY, order(BUY)), decided(other, order(other))])
    settled = await world.settlement.settle([paying(BUY, "1"), attrs.evolve(paying(BUY, "1"), condition_id="0xother")])
    assert [one.order_id for one in settled] == [id_of("A", BUY.trade.trade_id)]
    assert await world.settlement.settle([]) == []


async def test_what_the_venue_said_last_of_a_holding_is_kept(world):
    pair = (BUY.trade.wallet, BUY.trade.token_id)
    early, late = (Holding(wallet=pair[0], token_id=pair[1], micro=n * 1_500_001, as_of_ms=NOON_MS + n) for n in (1, 2))
    for one in (early, late, early):
        await world.paper.keep_holding(one)
    await world.trades.write([BUY])
    held, fills = await world.paper.holdings([pair, pair, ("0x0", "1")])
    assert held == [late]
    [fill] = fills
    assert (fill.trade_id, fill.side, fill.size_micro, fill.trade_ms) == (
        BUY.trade.trade_id, "BUY", BUY.trade.size_micro, BUY.trade.trade_ms,
    )  # fmt: skip


async def test_an_order_keeps_its_event(world):
    await world.trades.write([decided(BUY, order(BUY, event_slug="cup"))])
    [left] = (await world.account()).open_orders
    assert left.event_slug == "cup"
    await world.trades.write([decided(LATER, order(LATER))])
    assert {one.event_slug for one in (await world.account()).open_orders} == {"cup", None}


def in_market(number, market, **changes):
    return traded(number, condition_id=market, **changes)


async def market_fills(world, *markets, since_ms=0, wallets=None, fills_max=100):
    return await world.paper.market_fills(markets, since_ms=since_ms, wallets=wallets, fills_max=fills_max)


async def test_trades_of_markets_are_read_in_the_order_of_their_commits(world):
    first, second = in_market(1, "m1", price=Decimal("0.123456789")), in_market(2, "m1", side="SELL")
    other, late = in_market(3, "m2"), in_market(4, "m1", trade_ms=NOON_MS - 5_000)
    for one in (first, second, other, late):
        await world.trades.write([one])
    found = await market_fills(world, "m1", "m2", "nothing")
    of_m1 = [one for one in found if one.condition_id == "m1"]
    assert [one.trade_id for one in of_m1] == [one.trade.trade_id for one in (first, second, late)]
    assert of_m1 == [fill_of_trade(one.trade) for one in (first, second, late)]
    assert of_m1[1].shares_micro < 0 > of_m1[1].usd_micro
    assert [one.trade_id for one in found if one.condition_id == "m2"] == [other.trade.trade_id]


async def test_only_late_enough_trades_of_lane_0_of_some_wallets_are_read_and_the_latest_first(world):
    trades = [in_market(number, "m1", wallet=f"0x{number}") for number in range(5)]
    followed = LanedTrade(in_market(9, "m1", wallet="0x1").trade, Lane.FOLLOWED)
    await world.trades.write([*trades, followed])
    every = await market_fills(world, "m1")
    assert [one.wallet for one in every] == ["0x0", "0x1", "0x2", "0x3", "0x4"]
    assert await market_fills(world, "m1", wallets={"0x1", "0x3"}) == [every[1], every[3]]
    assert await market_fills(world, "m1", wallets=set()) == []
    assert await market_fills(world, "m1", fills_max=2) == every[3:]
    assert await market_fills(world, "m1", since_ms=every[2].trade_ms) == every[2:]


async def test_what_policies_looked_at_is_kept_with_the_decision(world, options):
    if options is None:
        return
    stands = (Stand(against=("9",), event_usd=Decimal("7.50")), None)
    await world.trades.write([decided(BUY, stands=stands), decided(LATER)])
    kept, none = await world.fetch("SELECT stands FROM decisions ORDER BY seq")
    assert msgspec.json.decode(kept["stands"], type=tuple[Stand | None, ...]) == stands
    assert none["stands"] is None
