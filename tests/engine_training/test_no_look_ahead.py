"""No feature changes when later rows are added: trades, markets that end, records of days, changed rows of markets."""

from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from engine_postgres.trader_world import NOON, Bought, TraderWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.training_store import PostgresTrainingStore
from engine.training.past_trades import PastTrades

MARKETS = 4
CUT = 0
"""Day of NOON's: what happens before it is the past."""
UNTIL_MS = round((NOON + timedelta(days=200)).timestamp() * 1000)


def trades(days):
    return st.lists(
        st.builds(
            Bought,
            wallet=st.sampled_from(["0xa", "0xb"]),
            market=st.integers(0, MARKETS - 1),
            outcome=st.integers(0, 1),
            side=st.sampled_from(["BUY", "BUY", "SELL"]),
            shares=st.integers(1, 10**8).map(lambda micro: Decimal(micro) / 10**6),
            price=st.sampled_from(["0.1", "0.3", "0.5", "0.7", "0.9"]).map(Decimal),
            day=days,
        ),
        max_size=8,
    )


past_trades, later_trades = trades(st.integers(-60, CUT - 1)), trades(st.integers(CUT, 60))


def ends(*payouts):
    return st.dictionaries(st.integers(0, MARKETS - 1), st.sampled_from(payouts), max_size=MARKETS)


WON, LOST, VOID = ("1", "0"), ("0", "1"), ("0.5", "0.5")
NEWER_ROW = """
UPDATE markets SET outcome_prices = '["0.97", "0.03"]', last_price_updated_at = now(), updated_at = now(),
    active = false, accepting_orders = false WHERE NOT closed
"""
ALL_END = """
UPDATE markets SET closed = true, resolution_status = 'resolved', outcome_prices = '["1", "0"]', close_time = $1
WHERE NOT closed
"""


async def seen(world, page_rows):
    """Features of every trade of the past, by trade; whether their markets have ended is another matter."""
    past = PastTrades(
        trades=PostgresTrainingStore(world.connection, page_rows=page_rows),
        backtests=PostgresBacktestStore(world.connection, page_rows=3),
    )
    found = {}
    async for page in past.pages(0, UNTIL_MS):
        for row in page:
            if row.trade_ms < round(NOON.timestamp() * 1000):
                found.setdefault((row.wallet, row.condition_id, row.trade_ms), []).append(repr(row.features))
    return {key: sorted(rows) for key, rows in found.items()}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=past_trades,
    after=later_trades,
    ended=ends(WON, LOST, VOID),
    end_later=ends(WON, LOST),
    rows=st.integers(1, 4),
)
def test_no_feature_of_the_past_changes_when_later_rows_are_added(database, before, after, ended, end_later, rows):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            world = TraderWorld(connection, now=NOON - timedelta(hours=13))
            await world.begin(MARKETS)
            for one in before:
                await world.trade(one)
            for market, payouts in ended.items():
                await world.resolve(market, payouts, CUT - 1)
            await world.job()
            # All markets end for the time of a look, since only trades of ended ones are rows. A void one never is.
            await world.run(NEWER_ROW)
            early = {}
            async with _rolled_back(world):
                await world.run(ALL_END, NOON + timedelta(days=100))
                early = await seen(world, rows)
            for one in after:
                await world.trade(one)
            for market, payouts in end_later.items():
                await world.resolve(market, payouts, CUT + 5)
            world.now = NOON + timedelta(days=70)
            await world.job()
            await world.run(ALL_END, NOON + timedelta(days=100))
            late = await seen(world, rows)
            await connection.aclose()
        return early, late

    early, late = trio.run(main)
    assert early == late


class _rolled_back:
    """Leaves markets as they were."""

    def __init__(self, world):
        self.world = world

    async def __aenter__(self):
        await self.world.run("CREATE TABLE IF NOT EXISTS markets_kept AS SELECT condition_id FROM markets WHERE false")
        await self.world.run("TRUNCATE markets_kept")
        await self.world.run("INSERT INTO markets_kept SELECT condition_id FROM markets WHERE NOT closed")

    async def __aexit__(self, *_):
        await self.world.run(
            "UPDATE markets SET closed = false, resolution_status = NULL, outcome_prices = NULL, close_time = NULL "
            "WHERE condition_id IN (SELECT condition_id FROM markets_kept)"
        )


@pytest.mark.parametrize("page_rows", [1, 2, 5_000])
async def test_every_trade_is_read_once_in_whatever_pages(database, aio, page_rows):
    connection = Connection(database, "test")
    world = TraderWorld(connection)
    await world.begin(2)
    count = 0
    for wallet, trades_of in (("0xa", 3), ("0xb", 1), ("0xc", 7)):
        for number in range(trades_of):
            await world.trade(
                Bought(wallet=wallet, market=number % 2, outcome=0, side="BUY", shares=Decimal(10), price=Decimal("0.5"),
                       day=-number // 3)
            )  # fmt: skip
            count += 1
    await world.resolve(0, ("1", "0"), 3)
    await world.resolve(1, ("0.5", "0.5"), 3)
    past = PastTrades(
        trades=PostgresTrainingStore(connection, page_rows=page_rows), backtests=PostgresBacktestStore(connection)
    )
    rows = [row async for page in past.pages(0, UNTIL_MS) for row in page]
    assert past.read == count
    assert len(rows) + past.left_out["void"] == count
    assert dict(past.left_out) == {"void": sum(n // 2 for n in (3, 1, 7))}
    assert all(row.won for row in rows)
    await connection.aclose()
