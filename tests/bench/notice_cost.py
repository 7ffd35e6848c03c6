"""What the triggers of notifications cost bookings and prices: `python -m tests.bench.notice_cost`, one JSON object.

Statements of the hot tables with and without the triggers, in turn, in one run: medians of microseconds a row.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import trio

from engine.adapters.postgres.database import DatabaseOptions, database_loop, once
from engine.adapters.postgres.embedded_server import run_embedded_server
from engine.adapters.postgres.migrate import migrate

ROWS = 2_000
ROUNDS = 15
TABLES = ("lt_orders", "markets", "lt_balances", "positions_closed")
SETUP = f"""
INSERT INTO markets (condition_id, title, outcome_prices)
SELECT 'c' || n, 'market ' || n, '["0.5", "0.5"]' FROM generate_series(1, {ROWS}) AS n;
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    signal_price, signal_at, decided_at, order_hash, signed_body, size_shares, lock_usd, limit_price, status)
SELECT gen_random_uuid(), 'LT_A', 'main', 'cause ' || n, 1, 'copy', 'now', 'BUY', 'c' || n, 't' || n, 0.5, now(), now(),
    '0x' || lpad(to_hex(n), 64, '0'), 'x', 10, 5, 0.5, 'PENDING'
FROM generate_series(1, {ROWS}) AS n;
ANALYZE;
"""
STATEMENTS = {
    "order_news_that_is_none": "UPDATE lt_orders SET version = version + 1, updated_at = now()",
    "price_written": "UPDATE markets SET last_price_updated_at = now()",
    "order_filled": "UPDATE lt_orders SET status = 'FILLED', ended = true, ended_at = now(), filled_shares = 10",
    "market_resolved": """
    UPDATE markets SET closed = true, resolution_status = 'resolved', outcome_prices = '["1", "0"]'
    """,
}


async def measured(raw: Any, statement: str) -> float:
    """Returns the microseconds a row of a statement that is rolled back."""
    transaction = raw.transaction()
    await transaction.start()
    began_s = time.perf_counter()
    await raw.execute(statement)
    took_s = time.perf_counter() - began_s
    await transaction.rollback()
    return took_s / ROWS * 1e6


async def work(raw: asyncpg.Connection) -> dict[str, dict[str, float]]:
    await raw.execute(SETUP)
    found: dict[str, dict[str, list[float]]] = {name: {"with": [], "without": []} for name in STATEMENTS}
    for _ in range(ROUNDS):
        for way, change in (("without", "DISABLE"), ("with", "ENABLE")):
            for table in TABLES:
                await raw.execute(f"ALTER TABLE {table} {change} TRIGGER USER")
            for name, statement in STATEMENTS.items():
                found[name][way].append(await measured(raw, statement))
    return {
        name: {way: round(statistics.median(times), 2) for way, times in ways.items()} for name, ways in found.items()
    }


async def main() -> dict[str, dict[str, float]]:
    """Measures both ways in turn."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        async with database_loop(), run_embedded_server(data_dir=Path(home) / "postgres", durable=False) as server:
            options = DatabaseOptions(dsn=server.dsn)
            await migrate(options)
            return await once(options, "bench", work)


if __name__ == "__main__":
    print(json.dumps(trio.run(main)))
