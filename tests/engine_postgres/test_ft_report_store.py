from datetime import date
from decimal import Decimal

import pytest
from engine_adapters.paper_worlds import NOON_MS
from engine_postgres.ft_world import ft_world

from actors.rules.paper.figures import figures_of
from engine.adapters.postgres.ft_report_store import PostgresFtReports
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.ft_reports import OrderQuery
from protocols.strategies import StrategySettings, TargetMode

LONG_AGO = date(2019, 1, 1)
COUNT_REASON = "INSERT INTO ft_reason_counts VALUES ($1, '2026-05-28', $2, $3)"
ADD_TRADERS = "INSERT INTO traders (wallet_address, is_active) VALUES ($1, true), ($2, false)"
FOLLOW = "INSERT INTO follows (user_id, trader_wallet) VALUES ($1::text::uuid, $2)"


class Clock:
    def now_ms(self):
        return NOON_MS


def wallet(number):
    return f"0x{number:040x}"


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        yield made


@pytest.fixture
def reports(world):
    return PostgresFtReports(connection=world.connection, clock=Clock())


async def test_a_thousand_and_one_strategies_are_all_listed(world, reports):
    owner, other = await world.user("ann"), await world.user("bob")
    names = [(f"S{number:04}", StrategySettings()) for number in range(1_001)]
    await StrategyStore(world.connection).create(names, owner, "test")
    await world.strategy("THEIRS", other)
    seen, after = [], ""
    while page := await reports.standings(after=after, owner_id=owner, rows_max=200):
        seen += [one.strategy.wallet_id for one in page]
        after = seen[-1]
    assert seen == [name for name, _ in names]
    assert len(await reports.public(after="", rows_max=2_000)) == 1_002
    assert len(await reports.ranks("pnl", after=None, rows_max=2_000)) == 1_002
    [theirs] = await reports.standings(after="", owner_id=other, rows_max=200)
    assert (theirs.strategy.wallet_id, theirs.owner_name) == ("THEIRS", "bob")
    await StrategyStore(world.connection).archive("THEIRS")
    assert await reports.standing("THEIRS") is None


async def test_a_standing_has_balance_marks_and_counts(world, reports):
    strategy = await world.strategy("A", await world.user("ann"))
    first, _ = await world.buy("A")
    await world.buy("A")
    won, _ = await world.buy("A")
    await world.market(first, '["0.9", "0.1"]')
    await world.settle(won, "1")
    for reason, count in (("taken", 3), ("pre_game", 5), ("not_buy", 7), ("trader_sell", 11)):
        await world.run(COUNT_REASON, strategy.number, reason, count)
    await world.run(COUNT_REASON, strategy.number + 1, "taken", 100)
    standing = await reports.standing("A")
    assert (standing.balance.won, standing.balance.open_orders) == (1, 2)
    assert (standing.unrealized_pnl, standing.unmarked_positions) == (Decimal("7.9"), 1)
    # Sales are not among what could be copied.
    assert (standing.trades_seen, standing.trades_taken) == (8, 3)


async def test_orders_come_in_pages_by_outcome_and_the_ended_ones_by_their_end(world, reports):
    await world.strategy("A", await world.user("ann"))
    bought = [await world.buy("A") for _ in range(7)]
    for (trade, _), payout in zip(bought[:3], ("1", "0", "0.5"), strict=True):
        await world.settle(trade, payout)
    newest_first = [one.order_id for _, one in reversed(bought)]
    seen, before = [], None
    while page := await reports.orders(OrderQuery(wallet_id="A", before=before, rows_max=2)):
        seen += [one.order_id for one in page]
        us = round(page[-1].order_time.timestamp() * 1_000_000)
        before = (us, page[-1].order_id)
    assert seen == newest_first
    outcomes = [one.outcome for one in await reports.orders(OrderQuery(wallet_id="A"))]
    assert outcomes == ["OPEN"] * 4 + ["VOID", "LOST", "WON"]
    for outcome in ("OPEN", "WON", "LOST", "VOID", "SOLD"):
        found = await reports.orders(OrderQuery(wallet_id="A", outcome=outcome))
        assert {one.outcome for one in found} <= {outcome}
        assert len(found) == outcomes.count(outcome)
    assert len(await reports.orders(OrderQuery(wallet_id="A", ended=True))) == 3
    assert await reports.orders(OrderQuery(wallet_id="B")) == []


async def test_an_open_order_shows_price_profit_and_state(world, reports):
    await world.strategy("A", await world.user("ann"))
    trade, bought = await world.buy("A")
    [bare] = await reports.orders(OrderQuery(wallet_id="A"))
    assert (bare.current_price, bare.unrealized_pnl, bare.state) == (None, None, "OPEN")
    await world.market(trade, '["0.25", "0.75"]', index=1)
    [priced] = await reports.orders(OrderQuery(wallet_id="A"))
    assert (priced.current_price, priced.unrealized_pnl, priced.state) == (Decimal("0.75"), Decimal("4.9"), "OPEN")
    await world.run("""UPDATE markets SET raw_gamma = '{"gameStartTime": "2026-05-28 10:00:00+00"}'""")
    assert (await reports.orders(OrderQuery(wallet_id="A")))[0].state == "LIVE"
    await world.run("UPDATE markets SET closed = true")
    assert (await reports.orders(OrderQuery(wallet_id="A")))[0].state == "AWAITING_RESOLUTION"
    await world.run("UPDATE markets SET resolution_status = 'resolved'")
    assert (await reports.orders(OrderQuery(wallet_id="A")))[0].state == "RESOLVED"
    await world.sell(bought, "20", "0.6")
    [sold] = await reports.orders(OrderQuery(wallet_id="A"))
    assert (sold.outcome, sold.unrealized_pnl, sold.state) == ("SOLD", None, "ENDED")


async def test_days_add_up_and_a_later_page_goes_on_with_the_sum(world, reports):
    await world.strategy("A", await world.user("ann"))
    await world.run(
        """INSERT INTO ft_daily_stats VALUES ('A', '2026-05-01', 2, 1, 0, 0, 5), ('A', '2026-05-02', 0, 0, 0, 1, -2),
        ('A', '2026-05-04', 0, 0, 0, 0, 1)"""
    )
    days = await reports.days("A", from_day=LONG_AGO, after=LONG_AGO, rows_max=10)
    assert [(one.trades, one.pnl, one.cumulative_pnl) for one in days] == [(3, 5, 5), (1, -2, 3), (0, 1, 4)]
    assert [one.win_rate for one in days] == [Decimal("0.666667"), None, None]
    assert [one.avg_pnl for one in days] == [Decimal("1.666667"), -2, None]
    assert await reports.days("A", from_day=LONG_AGO, after=date(2026, 5, 1), rows_max=1) == days[1:2]
    assert await reports.days("A", from_day=date(2026, 5, 3), after=LONG_AGO, rows_max=9) == days[2:]


@pytest.mark.parametrize("by", ["return", "winRate", "pnl", "sharpe"])
async def test_the_leaderboard_ranks_by_the_figures_of_the_rules(by, world, reports):
    owner = await world.user("ann")
    for name, starting, payouts in (("A", 100, "1 1 0"), ("B", 1_000, "1 1 1 0"), ("C", 50, "0 1"), ("D", 100, "")):
        await world.strategy(name, owner, starting_balance=Decimal(starting))
        for payout in payouts.split():
            trade, _ = await world.buy(name)
            await world.settle(trade, payout)
    expected = []
    for name in "ABCD":
        balance = (await reports.standing(name)).balance
        figures = figures_of(balance, Decimal(0))
        named = {"return": figures.return_pct, "winRate": figures.win_rate, "pnl": figures.realized_pnl}
        value = {**named, "sharpe": figures.sharpe}[by]
        if value is not None:
            expected.append((-value, name))
    seen, after = [], None
    while page := await reports.ranks(by, after=after, rows_max=1):
        seen += [(-one.value, one.wallet_id) for one in page]
        after = (page[-1].value, page[-1].wallet_id)
    assert seen == sorted(expected)


async def test_targets_are_those_of_running_strategies_without_repeats(world, reports):
    owner = await world.user("ann")
    listed = tuple(map(wallet, (3, 1)))
    await world.strategy("LIST", owner, target_mode=TargetMode.LIST, target_traders=listed)
    await world.strategy("FOLLOWED", owner)
    over = {"target_mode": TargetMode.LIST, "target_traders": (wallet(9),)}
    await world.strategy("PAUSED", owner, is_active=False, **over)
    await world.strategy("ENDED", owner, end_date=NOON_MS, **over)
    await world.strategy("LATER", owner, start_date=NOON_MS + 1, **over)
    for number in (2, 3):
        await world.run(FOLLOW, owner, wallet(number))
    await world.run(ADD_TRADERS, wallet(4), wallet(5))
    assert await reports.target_traders(after="", owner_id=None, now_ms=NOON_MS, rows_max=9) == (
        [wallet(1), wallet(2), wallet(3)], 3, False,
    )  # fmt: skip
    assert (await reports.target_traders(after=wallet(1), owner_id=None, now_ms=NOON_MS, rows_max=1))[0] == [wallet(2)]
    await world.strategy("LEADERS", owner, target_mode=TargetMode.LEADERBOARD)
    assert (await reports.target_traders(after=wallet(3), owner_id=None, now_ms=NOON_MS, rows_max=9)) == (
        [wallet(4)],
        4,
        True,
    )
    stranger = await world.user("bob")
    await world.strategy("THEIRS", stranger, target_mode=TargetMode.LIST, target_traders=(wallet(8),))
    for whose, expected in ((owner, [1, 2, 3, 4]), (stranger, [8]), (None, [1, 2, 3, 4, 8])):
        found, count, _ = await reports.target_traders(after="", owner_id=whose, now_ms=NOON_MS, rows_max=9)
        assert (found, count) == ([wallet(number) for number in expected], len(expected))
    await world.buy("LIST")
    # By then the strategy LATER runs, too.
    status = await reports.stream_status(NOON_MS + 1_000)
    assert (status.target_traders, status.leaderboard_wallets, status.trader_rows) == (6, 1, 2)
    assert (status.ft_orders_last_24h, status.open_ft_orders, status.decisions_last_24h) == (1, 1, 1)
    assert status.last_decision_at is not None


async def test_ended_orders_and_signals_are_found_by_market_and_strategy(world, reports):
    strategy = await world.strategy("A", await world.user("ann"))
    trade, _ = await world.buy("A")
    await world.market(trade, '["1", "0"]')
    await world.settle(trade, "1")
    [ended] = await reports.ended_by_market("A", 10)
    assert (ended.title, ended.category, ended.trades, ended.won, ended.pnl) == (
        "Lakers vs. Bulls",
        "Sports",
        1,
        1,
        Decimal("9.9"),
    )
    await world.run("""UPDATE decisions SET strategies = ARRAY[$1::integer, -1],
        snapshot = '{"side": "BUY", "price": "0.5", "wallet": "0x1", "title": "T"}'""", strategy.number)  # fmt: skip
    [signal] = await reports.signals(strategy.number, 10, 10)
    assert (signal.reason, signal.title, signal.side, signal.price) == ("taken", "T", "BUY", Decimal("0.5"))
    assert await reports.signals(strategy.number + 1, 10, 10) == []
