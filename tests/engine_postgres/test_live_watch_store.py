"""What followers of live orders read of the database beside the orders themselves."""

import json
from decimal import Decimal

import pytest
from engine_adapters.paper_worlds import postgres_world

from engine.adapters.postgres.live_watch_store import PostgresLiveWatchStore
from protocols.live.exits import ExitKind
from protocols.live.watching import AwaitedRedemption, ReconciliationReport, TokenDrift, UnsettledFill

STRATEGY = """
INSERT INTO lt_strategies (
    strategy_id, user_id, ft_wallet_id, account, display_name, description, order_type, resting_s, slippage_tolerance_pct,
    min_order_size_usd, max_order_size_usd, cooldown_hours, max_signal_age_s, copy_sells, exit_slippage_pct, exit_step_pct,
    exit_deadline_s
) SELECT 'LT_A', id, 'A', 'main', '', '', 'FAK', 600, 3, 1, 100, 3, 30, true, 3, 5, 300 FROM profiles LIMIT 1
"""
ORDER = """
INSERT INTO lt_orders (
    lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id, signal_price, signal_at,
    decided_at, order_hash, signed_body
) VALUES (
    $1::text::uuid, 'LT_A', $2, $1, 1, 'copy', 'now', 'BUY', '0xc', '77', 0.5, now(), now(), $3, '{}'
)
"""
FILL = """
INSERT INTO lt_fills (order_hash, trade_id, lt_order_id, shares, price, fee_usd, role, status, matched_at)
VALUES ($1, $2, $3::text::uuid, 5, 0.5, 0, 'TAKER', $4, timestamptz '2026-01-01 00:00:00Z' + $5 * interval '1 second')
"""
WAITING = """
INSERT INTO lt_cooldown_queue (strategy_id, cause, amount, available_at, condition_id, token_id, shares, released_at)
VALUES ('LT_A', $1, 5, CASE WHEN $4 THEN now() END, $2, $3, 5, CASE WHEN $5 THEN now() END)
"""
EXIT = """
INSERT INTO lt_exits (
    exit_id, strategy_id, cause, kind, condition_id, token_id, share, signal_price, signal_at, status, deadline_at, next_try_at
) VALUES (gen_random_uuid(), 'LT_A', $1, 'flatten', '0xc', '77', 1, 0, now(), $2, now(), now())
"""


def id_for(number):
    return f"00000000-0000-0000-0000-{number:012}"


def hash_for(number):
    return f"0x{number:064x}"


@pytest.fixture
async def world(database, aio):
    async with postgres_world(database) as stored:
        await stored.strategy("A", 1_000)

        async def write(statement, *values):
            await stored.connection.run(lambda raw: raw.execute(statement, *values))

        await write(STRATEGY)
        yield PostgresLiveWatchStore(connection=stored.connection, accounts=("main",)), write


async def test_fills_that_are_not_final_are_read_oldest_first_for_each_account(world):
    store, write = world
    for number, account in ((1, "main"), (2, "main"), (3, "other")):
        await write(ORDER, id_for(number), account, hash_for(number))
    fills = [
        (1, "b", "MATCHED", 9),
        (1, "a", "MINED", 5),
        (2, "c", "CONFIRMED", 1),
        (2, "d", "FAILED", 2),
        (3, "e", "RETRYING", 3),
    ]
    for number, trade_id, status, at_s in fills:
        await write(FILL, hash_for(number), trade_id, id_for(number), status, float(at_s))
    first, second = await store.unsettled("main", 10)
    expected = UnsettledFill(trade_id="a", order_hash=hash_for(1), token_id="77", match_ms=1_767_225_605_000)
    assert (first, second.trade_id) == (expected, "b")
    assert [one.trade_id for one in await store.unsettled("main", 1)] == ["a"]
    assert [one.trade_id for one in await store.unsettled("other", 9)] == ["e"]


async def test_our_orders_are_told_from_those_of_others(world):
    store, write = world
    await write(ORDER, id_for(1), "main", hash_for(1))
    assert await store.ours([hash_for(1), hash_for(2), hash_for(1)]) == {hash_for(1)}
    assert await store.ours([]) == frozenset()


async def test_a_report_takes_the_place_of_the_one_before_and_says_when_it_was(world):
    store, _ = world
    assert await store.last_ms("main") is None
    drift = TokenDrift(token_id="77", ours=Decimal("5.5"), venue=Decimal(5))
    for at_ms in (1_795_000_000_123, 1_795_000_060_456):
        report = ReconciliationReport(
            at_ms=at_ms, collateral_usd=Decimal("12.345678"), cash_short_usd=Decimal(0), working=1, open_orders=2, asked=3,
            not_found=0, unsettled=1, drifts=(drift,),
        )  # fmt: skip
        await store.save("main", report)
    assert await store.last_ms("main") == 1_795_000_060_456
    assert await store.last_ms("other") is None
    [row] = await store.connection.run(
        lambda raw: raw.fetch("SELECT collateral_usd, report::text FROM lt_reconciliations")
    )
    assert row["collateral_usd"] == Decimal("12.345678")
    assert json.loads(row["report"])["drifts"] == [{"token_id": "77", "ours": "5.5", "venue": "5"}]


async def test_what_waits_for_its_redemption_comes_by_whole_tokens(world):
    store, write = world
    await write(WAITING, "a", "0xc", "10", False, False)
    await write(WAITING, "b", "0xc", "10", False, False)
    await write(WAITING, "c", "0xd", "9", False, False)
    await write(WAITING, "cooling", "0xe", "8", True, False)
    await write(WAITING, "released", "0xe", "7", False, True)
    await write(WAITING, "a sale", None, None, True, False)
    ten = AwaitedRedemption(strategy_id="LT_A", condition_id="0xc", token_id="10")
    nine = AwaitedRedemption(strategy_id="LT_A", condition_id="0xd", token_id="9")
    assert await store.awaited(10, "") == [ten, nine]
    assert await store.awaited(1, "") == [ten]
    assert await store.awaited(1, "10") == [nine]
    assert await store.awaited(10, "9") == []


async def test_obligations_that_are_open_are_read_whoever_made_them(world):
    store, write = world
    await write(EXIT, "first", "OPEN")
    await write(EXIT, "done", "DONE")
    await write(EXIT, "second", "OPEN")
    found = await store.open_rows()
    assert [(one.cause, one.kind) for one in found] == [("first", ExitKind.FLATTEN), ("second", ExitKind.FLATTEN)]
