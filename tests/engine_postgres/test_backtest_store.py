"""What a backtest reads: trades in their order, markets, and records of traders as they stood when a day began."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
import pytest
import trio
from engine_postgres.test_trader_stats_store import ANY_BUY, MARKETS, steps
from engine_postgres.trader_world import NOON, TraderWorld, bracket, title_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.rules.backtest.record_book import Bought, RecordBook, day_rows
from actors.rules.market_kind import niche_of, structure_of
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection, database_loop
from protocols.backtest import BacktestQuery, PastTrade

ALL = BacktestQuery(since_ms=0, until_ms=4_000_000_000_000)


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = TraderWorld(connection)
    await made.begin(MARKETS)
    yield made
    await connection.aclose()


async def read(world: TraderWorld, query: BacktestQuery = ALL, page_rows: int = 2) -> list[PastTrade]:
    store = PostgresBacktestStore(world.connection, page_rows=page_rows)
    page = await store.trades(query)
    found = list(page.trades)
    while page.after is not None:
        page = await store.trades(query, page.after)
        found += page.trades
    return found


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=st.lists(steps, max_size=25), later=st.lists(steps, max_size=10))
def test_records_of_the_past_are_those_of_the_job_then_and_later_rows_change_nothing(made, later, database):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                world = TraderWorld(connection)
                await world.begin(MARKETS)
                await _happen(world, made)
                # A day on which nothing has happened yet: what the job says then is what was known when it began.
                world.now += timedelta(days=1)
                await world.job()
                today = world.now.date()
                then = {wallet: (await _book(world)).as_of(wallet, today) for wallet in ("0xa", "0xb", "0xc")}
                assert then == {wallet: (await world.records()).get(wallet) for wallet in then}
                by_hand = RecordBook.of(day_rows(_bought(world)))
                assert {wallet: by_hand.as_of(wallet, today) for wallet in then} == then
                days = (today - NOON.date()).days
                ended = set(world.resolved)
                # Nobody trades in a market that has ended.
                possible = [step for step in later if step[0] != "trade" or step[1].market not in ended]
                await _happen(world, [_after(step, days) for step in possible])
                await world.job()
                assert {wallet: (await _book(world)).as_of(wallet, today) for wallet in then} == then
            finally:
                await connection.aclose()

    trio.run(main)


async def _happen(world: TraderWorld, made: list) -> None:
    for name, *arguments in made:
        if name == "days":
            world.now += timedelta(days=arguments[0])
        else:
            await getattr(world, name)(*arguments)


def _after(step: tuple, days: int) -> tuple:
    """The same, on that day or later."""
    if step[0] == "trade":
        return ("trade", attrs.evolve(step[1], day=days - step[1].day))
    return ("resolve", *step[1:3], days - step[3]) if step[0] == "resolve" else step


async def _book(world: TraderWorld) -> RecordBook:
    store = PostgresBacktestStore(world.connection, page_rows=3)
    return RecordBook.of(await store.day_rows(None, before=datetime(2200, 1, 1, tzinfo=UTC).date()))


def _bought(world: TraderWorld) -> list[Bought]:
    found = []
    for one in (trade for trade in world.trades if trade.side == "BUY"):
        title, ended = title_of(one.market), world.resolved.get(one.market)
        found.append(
            Bought(
                wallet=one.wallet,
                day=(NOON + timedelta(days=one.day)).date(),
                price=one.price,
                shares=one.shares,
                niche=niche_of(title, "Sports", ["NBA", "x"]),
                structure=structure_of(title, ["Yes", "No"]),
                ended_on=None if ended is None else min(ended[1], world.now.date()),
                payout=Decimal(0) if ended is None else Decimal(ended[0][one.outcome]),
            )
        )
    return found


def test_a_record_is_read_backwards_as_well_as_forwards():
    days = [date.date() for date in (NOON, NOON + timedelta(days=1), NOON + timedelta(days=2))]
    one = Bought(
        wallet="w", day=days[0], price=Decimal("0.5"), shares=Decimal(4), niche="NBA", structure="YES_NO",
        ended_on=days[1], payout=Decimal(1),
    )  # fmt: skip
    book = RecordBook.of(day_rows([one]))
    seen = [book.as_of("w", day) for day in (days[2], days[1], days[0], days[2])]
    assert seen[0] == seen[3]
    assert seen[2] is None
    assert seen[0] is not None
    assert seen[1] is not None
    assert (seen[0].lifetime.resolved_count, seen[1].lifetime.resolved_count) == (1, 0)
    assert (len(seen[0].profiles), len(seen[1].profiles)) == (1, 0)
    assert seen[0].profiles[0].bracket == bracket(Decimal("0.5"))


@pytest.mark.parametrize("wallets", [None, ["0xa"], ["0xa", "0xb"], ["0xnobody"], []])
async def test_trades_come_once_in_order_whatever_the_page(wallets, world):
    for number in range(7):
        await world.trade(attrs.evolve(ANY_BUY, wallet=("0xa", "0xb")[number % 2], day=-number // 3))
    query = attrs.evolve(ALL, wallets=wallets)
    expected = await read(world, query, 1_000)
    assert [await read(world, query, rows) for rows in (1, 2, 3)] == [expected] * 3
    assert len({trade.trade_id for trade in expected}) == len(expected)
    assert Counter(trade.wallet for trade in expected) == Counter(
        one.wallet for one in world.trades if wallets is None or one.wallet in wallets
    )
    # Of one time in the order in which they were stored.
    moments = [(trade.trade_ms, int(trade.trade_id[1:])) for trade in expected]
    assert moments == sorted(moments)


async def test_more_wallets_than_a_query_takes_are_found_too(world):
    for number in range(3):
        await world.trade(attrs.evolve(ANY_BUY, wallet=f"0x{number}"))
    some = [f"0x{number}" for number in range(1, 300)]
    assert [trade.wallet for trade in await read(world, attrs.evolve(ALL, wallets=some))] == ["0x1", "0x2"]


async def test_the_beginning_belongs_to_it_and_the_end_does_not(world):
    for day in (-2, -1, 0):
        await world.trade(attrs.evolve(ANY_BUY, day=day))
    since, until = (round((NOON + timedelta(days=day)).timestamp() * 1000) for day in (-2, 0))
    assert len(await read(world, BacktestQuery(since_ms=since, until_ms=until))) == 2
    assert await read(world, BacktestQuery(since_ms=since, until_ms=until, lane_max=0)) == []


async def test_markets_say_when_they_ended_and_only_if_they_did(world):
    await world.resolve(0, ("1", "0"), -3)
    found = await PostgresBacktestStore(world.connection).markets(["m0", "m1", "m0", "nothing"])
    assert sorted(found) == ["m0", "m1"]
    assert found["m0"].ended_ms == round((NOON - timedelta(days=3)).timestamp() * 1000)
    assert found["m0"].market.outcome_prices == (Decimal(1), Decimal(0))
    assert (found["m1"].ended_ms, found["m1"].market.resolved) == (None, False)
