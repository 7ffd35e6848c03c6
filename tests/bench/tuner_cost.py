"""What one search of the tuner takes: `python -m tests.bench.tuner_cost [TRADES_A_DAY [STRATEGIES [DAYS [TRIES]]]]`.

Trades of twenty traders in a throw-away database, played by the side process as every night. Prints seconds, seconds of
the processor, and memory.
"""

import json
import resource
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import trio

from config.sources import ConfigInputs
from engine.adapters.postgres.database import DatabaseOptions, database_loop, open_connection
from engine.adapters.postgres.migrate import migrate
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.side_process import run_command
from protocols.strategies import StrategySettings, TargetMode
from protocols.tuner_search import SearchOrder, Subject
from tests.engine_postgres.server_fixtures import database_server

TRADERS = [f"0x{number:040x}" for number in range(1, 21)]
# Each market has ten trades within an hour or so, and ends some hours later.
MARKETS = """
INSERT INTO markets (condition_id, title, category, outcomes, outcome_prices, closed, resolution_status, close_time)
SELECT '0x' || lpad(to_hex(n), 64, '0'), 'Lakers?', 'Sports', '["Yes", "No"]',
    CASE WHEN random() < 0.5 THEN '["1", "0"]' ELSE '["0", "1"]' END::jsonb, true, 'resolved',
    $1::timestamptz + (n * 10.0 / $3::int) * interval '1 day' + random() * interval '20 hours'
FROM generate_series(0, $2::int * $3::int / 10 - 1) AS n
"""
TOKENS = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index, payout)
SELECT (1000000 + i + 2 * row_number() OVER (PARTITION BY i ORDER BY condition_id))::text || i, condition_id,
    CASE i WHEN 0 THEN 'Yes' ELSE 'No' END, i, (outcome_prices ->> i)::numeric
FROM markets, generate_series(0, 1) AS i
"""
TRADES = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, outcome, outcome_index, market_title, raw)
SELECT 'bench ' || n, 0, ($4::text[])[1 + n % 20], '0x' || lpad(to_hex(n), 64, '0'), token_id, condition_id, 'BUY',
    20 + (n % 500), round((0.05 + 0.9 * random())::numeric, 2), $1::timestamptz + (n * 1.0 / $3::int) * interval '1 day',
    outcome, outcome_index, 'Lakers?', '{}'
FROM generate_series(0, $2::int * $3::int - 1) AS n
JOIN market_tokens ON condition_id = '0x' || lpad(to_hex(n / 10), 64, '0') AND outcome_index = n % 2
"""


async def prepare(options: DatabaseOptions, days: int, a_day: int, strategies: int) -> None:
    began = datetime.fromtimestamp((int(time.time()) // 86_400 - days) * 86_400, UTC)
    async with database_loop():
        await migrate(options)
        async with open_connection(options, "bench") as connection:
            for statement in (MARKETS, TOKENS, TRADES, "ANALYZE"):
                values = {MARKETS: [began, days, a_day], TRADES: [began, days, a_day, TRADERS]}.get(statement, [])
                await connection.run(lambda raw, s=statement, v=values: raw.execute(s, *v, timeout=600))
            store = StrategyStore(connection)
            owner = await store.user_id("admin")
            settings = StrategySettings(
                agent_managed=True, target_mode=TargetMode.LIST, target_traders=tuple(TRADERS), min_edge=None,
                min_trader_resolved_count=0, starting_balance=Decimal(1_000_000),
            )  # fmt: skip
            await store.create([(f"S{number}", settings) for number in range(strategies)], owner, "bench")


async def search(dsn: str, strategies: int, tries: int) -> tuple[str, list[dict[str, Any]]]:
    order = SearchOrder(
        subjects=[Subject(wallet_id=f"S{number}", version=1, looks=0) for number in range(strategies)],
        now_ms=int(time.time() * 1000),
    )
    began_s = trio.current_time()
    answer = await run_command(
        ["tuner", "search"],
        stdin=msgspec.json.encode(order),
        timeout_s=20_000,
        memory_mb=20_000,
        config=ConfigInputs.of(None, overrides={"database.url": dsn, "tuner.tries_max": str(tries)}),
        told=lambda line: print(f"{trio.current_time() - began_s:6.0f} s {line}", file=sys.stderr),
    )
    took_s, usage = trio.current_time() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = f"{took_s:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of the processor, {usage.ru_maxrss >> 10} MB"
    return cost, json.loads(answer)


def main() -> None:
    a_day, strategies, days, most = (
        int(text) for text in [*sys.argv[1:], *["20000", "3", "30", "90"][len(sys.argv) - 1 :]]
    )
    with database_server() as server:
        options = DatabaseOptions(dsn=server.create_database(), statement_timeout_s=900)
        trio.run(prepare, options, days, a_day, strategies)
        cost, findings = trio.run(search, options.dsn, strategies, most)
    found = [finding["evidence"] for finding in findings]
    tries, share = [one["tries"] for one in found], found[0]["train"]["marketShare"]
    print(f"{days} days x {a_day} trades, {strategies} strategies: {cost}, {tries} tries, {share:.0%} of markets")


if __name__ == "__main__":
    main()
