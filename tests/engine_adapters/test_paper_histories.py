"""Any history of decisions and settlements comes to the same in memory and in PostgreSQL, and money is never made or lost."""

from decimal import Decimal

import msgspec
import trio
from engine_adapters.paper_worlds import (
    check_identity,
    close,
    decided,
    memory_world,
    order,
    paying,
    postgres_world,
    traded,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from property.examples import MANY, examples

from engine.adapters.postgres.database import database_loop
from protocols.errors import RejectedError

WALLETS = ("A", "B", "GONE")
CLEAR = "TRUNCATE trades_public, decisions, decision_members, ft_wallets CASCADE"
NUMBERS = st.integers(0, 7)
AMOUNTS = st.sampled_from(["1", "7.123457", "19.999999", "60"])
BUYS = st.tuples(
    st.just("buy"), NUMBERS, st.sampled_from(WALLETS), AMOUNTS, st.sampled_from(["now", "book"]),
    st.lists(NUMBERS, max_size=2),
)  # fmt: skip
SALES = st.tuples(
    st.just("sell"), NUMBERS, NUMBERS, st.sampled_from(WALLETS), AMOUNTS, st.sampled_from(["0.031", "0.5", "0.99"])
)
BATCHES = st.tuples(st.just("write"), st.lists(st.one_of(BUYS, SALES), max_size=4))
SETTLEMENTS = st.tuples(st.just("settle"), NUMBERS, st.sampled_from(["0", "0.5", "0.333333", "1"]))
HISTORIES = st.lists(st.one_of(BATCHES, BATCHES, SETTLEMENTS), max_size=14)


def trade(number, **changes):
    return traded(number, condition_id=f"0x{number % 3}", token_id=f"{number % 4}", **changes)


def made_decision(step):
    if step[0] == "buy":
        _, number, wallet_id, stake, part, others = step
        one = trade(number)
        members = tuple(dict.fromkeys(trade(n).trade.trade_id for n in (number, *others))) if others else ()
        bought = msgspec.structs.replace(
            order(one, wallet_id), stake=Decimal(stake), shares=Decimal(stake) * 2, members=members
        )
        return decided(one, bought, part=part, members=members)
    _, number, of, wallet_id, shares, price = step
    source = trade(number + 100, side="SELL")
    return decided(source, closes=[close(order(trade(of), wallet_id), source, shares, price)])


async def played(world, history):
    """Returns everything that callers are told, and what is kept in the end."""
    told = []
    for wallet_id in WALLETS[:2]:
        await world.strategy(wallet_id, 100)
    for step in history:
        if step[0] == "write":
            batch = [made_decision(one) for one in step[1]]
            try:
                told.append((await world.trades.write(batch)).receipts)
            except RejectedError:
                told.append("rejected")
        else:
            told.append(await world.settlement.settle([paying(trade(step[1]), step[2])]))
    accounts = await world.paper.accounts(WALLETS)
    for account in accounts:
        check_identity(account.balance)
        assert account.balance.open_cost == sum(one.cost for one in account.open_orders)
        assert account.balance.open_orders == len(account.open_orders)
    days, orders = await world.days(), await world.orders()
    assert sum(day[-1] for day in days.values()) == sum(one.balance.realized_pnl for one in accounts)
    assert sum(pnl for _, pnl, _ in orders.values()) == sum(one.balance.realized_pnl for one in accounts)
    parts = {one.trade.trade_id: one.parts for one in await world.paper.recent_decisions(0)}
    return told, accounts, orders, days, parts


@MANY
@given(history=HISTORIES)
def test_money_is_never_made_or_lost(history):
    trio.run(played, memory_world(), history)


@settings(examples(40), suppress_health_check=list(HealthCheck))
@given(history=HISTORIES)
def test_memory_and_database_come_to_the_same(history, database):
    async def both():
        async with database_loop(), postgres_world(database) as stored:
            await stored.connection.run(lambda raw: raw.execute(CLEAR))
            return await played(memory_world(), history), await played(stored, history)

    in_memory, in_database = trio.run(both)
    for memory, database_said in zip(in_memory, in_database, strict=True):
        assert memory == database_said
