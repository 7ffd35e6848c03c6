"""A book that was matched before shows what a new one would, whatever happened in between."""

from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from engine_adapters.live_worlds import LATER, bought, hash_of, journaled, owed, resolved, sold, told
from engine_postgres.portfolio_world import MARKET, OTHER_TRADER, copy_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.portfolio_desk import PortfolioDesk
from actors.portfolio_memory import PortfolioMemory
from actors.rules.portfolio.figures import days_of, totals_of, traders_of
from engine.adapters.postgres.database import database_loop
from engine.adapters.postgres.portfolio_store import PostgresPortfolios
from protocols.live.events import Seen
from protocols.timestamps import utc_datetime

D = Decimal
CLEAR = """
TRUNCATE orders, copy_marks, markets, market_tokens, lt_orders, lt_fills, lt_exits, lt_strategies, lt_balances, lt_ledger,
    engine_leases, job_runs, job_requests CASCADE
"""
STEPS = [
    "nothing", "copy", "sale", "close", "forget", "buy", "fail", "exit", "settle", "resolve", "correct", "reopen", "refresh",
    "elsewhere",
]  # fmt: skip


def shown(portfolio) -> Any:
    positions = sorted(
        (one.position.scope, one.position.token_id, one.position.shares, one.position.cost, one.position.realized,
         one.position.unmatched, one.position.settled_pnl, one.value)
        for one in portfolio.valued
    )  # fmt: skip
    traders = [attrs.astuple(one) for one in traders_of(portfolio.valued)]
    return positions, attrs.astuple(totals_of(portfolio.valued)), days_of(portfolio.days), traders


@attrs.define
class Story:
    """Things that happen to the copies of a user."""

    world: Any
    numbers: int = 0
    copies: list[str] = attrs.field(factory=list)
    working: list[int] = attrs.field(factory=list)

    async def happen(self, step: str) -> None:
        await getattr(self, step)()

    async def nothing(self) -> None:
        pass

    async def copy(self) -> None:
        self.copies.append(await self.world.copy())

    async def sale(self) -> None:
        await self.world.copy("SELL", "3", "0.6")

    async def close(self) -> None:
        if self.copies:
            at = utc_datetime(self.world.clock.ms)
            await self.world.records.close(self.world.live.user_id, self.copies[-1], D("0.7"), at)

    async def forget(self) -> None:
        if self.copies:
            await self.world.records.remove(self.world.live.user_id, self.copies.pop())

    async def buy(self) -> None:
        self.numbers += 1
        await journaled(self.world.live, self.numbers, claim={"condition_id": MARKET, "token_id": "70"})
        await self.world.live.store.apply([told(self.numbers, f"t{self.numbers}", "4")])
        self.working.append(self.numbers)

    async def fail(self) -> None:
        if self.working:
            number = self.working.pop()
            await self.world.live.store.apply([told(number, f"t{number}", "4", status="FAILED")])
            over = Seen(order_hash=hash_of(number), venue_status="CANCELED", matched_shares=D(0), at_ms=LATER)
            await self.world.live.store.apply([over])

    async def exit(self) -> None:
        if self.working:
            self.numbers += 1
            one = owed(self.numbers, condition_id=MARKET, token_id="70")
            await self.world.live.store.open_exits([one])
            await sold(self.world.live, self.numbers, one, "1")

    async def settle(self) -> None:
        await self.world.live.store.settle([resolved("1", "70", MARKET)], LATER)

    async def resolve(self) -> None:
        await self.world.resolve()

    async def correct(self) -> None:
        await self.world.resolve('["0.5", "0.5"]')

    async def reopen(self) -> None:
        await self.world.run('UPDATE markets SET closed = false, outcome_prices = \'["0.6", "0.4"]\'')

    async def refresh(self) -> None:
        await self.world.refresh()

    async def elsewhere(self) -> None:
        await self.world.run(
            "UPDATE orders SET updated_at = now() WHERE copy_user_id <> $1::uuid", self.world.live.user_id
        )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=14))
def test_what_was_kept_is_what_is_there(database, steps):
    async def story():
        async with database_loop():
            async with copy_world(database) as world:
                await world.run(CLEAR)
            async with copy_world(database) as world:
                await world.market()
                await world.live.strategy()
                told_of = Story(world)
                desk = PortfolioDesk(store=PostgresPortfolios(world.connection), quotes=None, clock=world.clock)
                for step in steps:
                    await told_of.happen(step)
                    assert shown(await desk.portfolio(world.query)) == shown(await world.portfolio())
                    matched = desk.memory.matched
                    assert shown(await desk.portfolio(world.query)) == shown(await world.portfolio())
                    assert desk.memory.matched == matched, "what did not change was read again"

    trio.run(story)


@pytest.fixture
async def world(database, aio):
    async with copy_world(database) as made:
        yield made


async def test_each_question_has_a_book_of_its_own_and_parts_are_not_kept(world):
    await world.live.strategy()
    await bought(world.live, 1)
    await world.copy()
    memory = PortfolioMemory(world.store)
    queries = [world.query, attrs.evolve(world.query, strategy_id="LT_A"), attrs.evolve(world.query, account="none")]
    sizes = [len(list((await memory.book(query, 0))[0].positions)) for query in queries * 2]
    assert sizes == [2, 1, 0] * 2
    assert memory.matched == 3
    part = attrs.evolve(world.query, token_ids=["70"])
    assert [len(list((await memory.book(part, 0))[0].positions)) for _ in range(2)] == [1, 1]
    assert memory.matched == 5


async def test_only_what_changed_is_matched_again(world):
    for number in range(5):
        await world.copy(token_id=f"{number}")
    memory = PortfolioMemory(world.store)
    await memory.book(world.query, 0)
    await world.copy(token_id="3")
    book, _ = await memory.book(world.query, 0)
    assert memory.matched == 6
    assert sorted(one.shares for one in book.positions) == [10_000_000] * 4 + [20_000_000]
    await world.run("DELETE FROM orders WHERE token_id = '4'")
    book, _ = await memory.book(world.query, 0)
    assert (memory.matched, len(list(book.positions))) == (7, 4)


async def test_whoever_still_looks_at_a_book_is_not_disturbed_by_a_newer_one(world):
    await world.copy()
    memory = PortfolioMemory(world.store)
    before, _ = await memory.book(world.query, 0)
    await world.copy()
    after, _ = await memory.book(world.query, 0)
    assert [[one.shares for one in book.positions] for book in (before, after)] == [[10_000_000], [20_000_000]]


async def test_books_of_others_make_room_and_a_huge_one_is_not_kept(world):
    memory = PortfolioMemory(world.store, orders_max=3)
    for _ in range(2):
        await world.copy()
    await world.copy(lt_strategy_id="OLD", copied_trader_wallet=OTHER_TRADER)
    old = attrs.evolve(world.query, strategy_id="OLD")
    await memory.book(world.query, 0)
    assert memory.matched == 1
    for query in (old, old, world.query, old):
        await memory.book(query, 0)
    # All of them together are too many beside the old one.
    assert memory.matched == 1 + 1 + 1 + 1
    memory.orders_max = 0
    for _ in range(3):
        await memory.book(old, 0)
    # The first one was still there.
    assert memory.matched == 6


async def test_questions_about_nothing_are_not_kept_for_ever(world):
    await world.copy()
    memory = PortfolioMemory(world.store, orders_max=5)
    for number in range(20):
        await memory.book(attrs.evolve(world.query, strategy_id=f"NONE_{number}"), 0)
    assert len(memory._kept) <= 5
