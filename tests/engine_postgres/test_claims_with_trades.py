"""Claims that are committed with the decisions that want them, in one statement or in several."""

import msgspec
import pytest
from engine_adapters.live_worlds import buy, postgres_live
from engine_adapters.paper_worlds import decided, order, traded

from engine.adapters.postgres.live_claims import claims_json
from protocols.decisions import DecidedTrade

CLAIMS = "SELECT lt_order_id::text AS id, cause FROM lt_orders ORDER BY cause"
MEMBERS = "SELECT strategy_id, trade_id FROM lt_order_members ORDER BY 1, 2"


@pytest.fixture
async def world(database, aio):
    async with postgres_live(database) as one:
        await one.strategy()
        yield one
        await one.check()


def wanting(trade, *, part="now", members=(), strategies=("LT_A",)):
    """A decided trade whose decision wants a claim of each strategy."""
    [decision] = decided(trade, part=part, members=members).decisions
    intents = tuple(
        buy(trade.trade.trade_ms % 1000, one, cause=decision.trade_id, part=part, members=tuple(members))
        for one in strategies
    )
    return DecidedTrade(trade.trade, trade.lane, (msgspec.structs.replace(decision, intents=intents),))


def decisions(*trades):
    return [decision for one in trades for decision in one.decisions]


async def test_claims_come_with_their_decisions_in_one_statement(world):
    first, second = wanting(traded(1)), wanting(traded(2))
    assert claims_json(decisions(first, second)) is not None
    result = await world.trades.write([first, second])
    wanted = [intent for one in decisions(first, second) for intent in one.intents]
    assert [claim for receipt in result.receipts for claim in receipt.claims] == wanted
    assert {row["id"] for row in await world.fetch(CLAIMS)} == {one.order_id for one in wanted}
    copied = [(row["strategy_id"], row["trade_id"]) for row in await world.fetch(MEMBERS)]
    assert copied == sorted(("LT_A", one.trade.trade_id) for one in (first, second))


async def test_what_was_decided_before_brings_no_claims_again(world):
    one = wanting(traded(1))
    await world.trades.write([one])
    [again] = (await world.trades.write([one])).receipts
    assert (again.applied, again.claims) == (False, ())
    assert len(await world.fetch(CLAIMS)) == 1


async def test_a_trade_that_was_copied_alone_is_not_copied_again_in_an_aggregate(world):
    alone, other = traded(1), traded(2)
    await world.trades.write([wanting(alone)])
    whole = wanting(other, part="whole", members=(alone.trade.trade_id, other.trade.trade_id))
    [receipt] = (await world.trades.write([whole])).receipts
    assert (receipt.applied, receipt.claims) == (True, ())
    assert len(await world.fetch(CLAIMS)) == 1


async def test_an_archived_strategy_claims_nothing_while_its_paper_twin_goes_on(world):
    await world.archive()
    [receipt] = (await world.trades.write([wanting(traded(1))])).receipts
    assert (receipt.applied, receipt.claims) == (True, ())
    assert not await world.fetch(CLAIMS)


async def test_two_claims_for_one_trade_take_statements_of_their_own_and_one_wins(world):
    trade = traded(1)
    twice = [wanting(trade), wanting(trade, part="whole", members=(trade.trade.trade_id,))]
    both = DecidedTrade(trade.trade, trade.lane, tuple(decisions(*twice)))
    assert claims_json(decisions(both)) is None
    receipts = (await world.trades.write([both])).receipts
    assert sum(len(receipt.claims) for receipt in receipts) == 1
    assert len(await world.fetch(CLAIMS)) == 1


async def test_a_paper_order_and_its_twins_claim_are_written_together(world):
    trade = traded(1)
    [decision] = wanting(trade).decisions
    with_order = msgspec.structs.replace(decision, orders=(order(trade),))
    [receipt] = (await world.trades.write([DecidedTrade(trade.trade, trade.lane, (with_order,))])).receipts
    assert len(receipt.claims) == 1
    assert not receipt.left_out
    assert len(await world.fetch("SELECT 1 FROM ft_orders")) == 1
