"""A stored trade that is rebuilt for training has the features of the snapshot that its decision was made on."""

from datetime import timedelta
from decimal import Decimal

import msgspec
from engine_postgres.trader_world import NOON, Bought, TraderWorld

from actors.rules.score.feature_names import FEATURES
from actors.rules.score.features import feature_vector
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.training_store import PostgresTrainingStore
from engine.training.past_trades import PastTrades
from protocols.decisions import Inputs

DECIDE = """
INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons,
    bankrolls) VALUES ($1::timestamptz::date, $2, 'now', $1, $1, '{}', $3, '{1}', '{1}', '{taken}', '{NULL}')
"""
SNAPSHOTS = "SELECT trade_id, snapshot FROM decisions ORDER BY trade_id"
OF_TODAY = {"lifetime_log_trades", "d30_log_trades", "d7_log_trades", "log_conviction"}
"""What the trader's own earlier trades of the same day change."""


def bought(day, market, price, shares=100):
    return Bought(
        wallet="0xa", market=market, outcome=0, side="BUY", shares=Decimal(shares), price=Decimal(price), day=day
    )


async def decided(world, number, one):
    """Decides about a trade at the time when it is made, by the engine's own stores, and keeps the snapshot."""
    markets = await PostgresDecisionMarkets(world.connection).find([f"m{one.market}"])
    records = await PostgresTraderRecords(world.connection).find([one.wallet])
    at = NOON + timedelta(days=one.day)
    trade_ms = round(at.timestamp() * 1000)
    snapshot = Inputs(
        trade_id=f"t{number}", wallet=one.wallet, token_id=one.token, condition_id=f"m{one.market}", side="BUY",
        price=one.price, size_micro=int(one.shares * 10**6), trade_ms=trade_ms, now_ms=trade_ms + 40,
        market=markets[f"m{one.market}"], trader=records.get(one.wallet),
    )  # fmt: skip
    text = msgspec.json.encode(snapshot).decode()
    await world.run(DECIDE, at, f"t{number}", text)
    await world.trade(one)


async def test_features_of_training_are_those_of_the_snapshot(database, aio):
    connection = Connection(database, "test")
    world = TraderWorld(connection)
    await world.begin(3)
    history = [bought(-9, 0, "0.4"), bought(-8, 0, "0.6"), bought(-8, 1, "0.2")]
    for one in history:
        await world.trade(one)
    await world.resolve(0, ("1", "0"), -7)
    await world.run("UPDATE markets SET end_time = $1 WHERE condition_id = 'm2'", NOON + timedelta(days=3))
    # The job has run since midnight, and before the first trade of the day: then both see the same days.
    world.now = NOON - timedelta(days=2, hours=6)
    await world.job()
    await decided(world, 3, bought(-2, 2, "0.5"))
    world.now = NOON - timedelta(hours=6)
    await world.job()
    await decided(world, 4, bought(0, 2, "0.3", shares=40))
    # Another one on the same day, after the job counted that one: here the two paths differ.
    world.now = NOON
    await world.job()
    await decided(world, 5, bought(0, 1, "0.25"))
    for market in (1, 2):
        await world.resolve(market, ("0", "1"), 4)
    past = PastTrades(trades=PostgresTrainingStore(connection), backtests=PostgresBacktestStore(connection))
    until_ms = round((NOON + timedelta(days=9)).timestamp() * 1000)
    rows = [row async for page in past.pages(0, until_ms) for row in page]
    rebuilt = {(row.condition_id, row.trade_ms): row.features for row in rows}
    stored = [msgspec.json.decode(row["snapshot"], type=Inputs) for row in await world.run(SNAPSHOTS)]
    assert len(stored) == 3
    differing = []
    for snapshot in stored:
        values = rebuilt[snapshot.condition_id, snapshot.trade_ms]
        pairs = zip(FEATURES, values, feature_vector(snapshot), strict=True)
        differing.append({name for name, a, b in pairs if repr(a) != repr(b)})
    assert differing[:2] == [set(), set()]
    assert differing[2]
    assert differing[2] <= OF_TODAY
    await connection.aclose()
