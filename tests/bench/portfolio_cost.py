"""`python -m tests.bench.portfolio_cost`: what `GET /api/portfolio/stats` costs for 5,000 copied orders over 600 tokens.

Beside a bare reading of the same fills in the same run, and how long other tasks of the loop had to wait. Quotes come from
memory, as those of the price cache do while somebody looks. Prints JSON, milliseconds.
"""

import argparse
import gc
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.portfolio_desk import PortfolioDesk
from actors.portfolio_memory import PortfolioMemory
from engine.adapters.postgres.database import Connection, once
from engine.adapters.postgres.portfolio_store import PostgresPortfolios
from engine.adapters.system_clock import SystemClock
from engine.api.answer import encode
from engine.api.portfolio_answers import stats_answer
from protocols.portfolio import PortfolioQuery
from protocols.prices import MarketFacts, PriceSource, Quote

from .databases import BenchDatabase, bench_server
from .portfolio_orders import fill

ROUNDS = 300
BARE = """
SELECT scope, token_id, condition_id, order_id, trader, side, shares, usd, fee_usd, filled_at, closes FROM copied_fills
WHERE user_id = $1::text::uuid
"""


TOUCH = """
UPDATE lt_orders SET updated_at = now() WHERE lt_order_id = (SELECT lt_order_id FROM lt_orders ORDER BY random() LIMIT 1)
"""


@attrs.define
class InMemory:
    """Quotes of the markets that were asked for before."""

    known: dict[str, Quote] = attrs.field(factory=dict)

    async def quotes(self, condition_ids: Collection[str], max_age_ms: int = 0) -> Mapping[str, Quote | None]:
        """Returns what is in memory, made when it is wanted first."""
        await trio.lowlevel.checkpoint()
        now_ms = SystemClock().now_ms()
        return {one: attrs.evolve(self.known[one], as_of_ms=now_ms) for one in condition_ids if one in self.known}


def quote_of(condition_id: str, token_ids: tuple[str, ...]) -> Quote:
    """Returns a quote of 0.4 and 0.6."""
    facts = MarketFacts(
        condition_id=condition_id,
        outcomes=("Yes", "No"),
        outcome_prices=(Decimal("0.4"), Decimal("0.6")),
        token_ids=token_ids,
    )
    return Quote(
        facts=facts, source=PriceSource.GAMMA, resolved=False, as_of_ms=0, observed_s=0, document=b"", stamp=b""
    )


@attrs.define
class Lag:
    """How late a task that wakes up every millisecond is."""

    worst_ms: float = 0.0

    async def run(self) -> None:
        """Watches until it is cancelled."""
        while True:
            due_s = trio.current_time() + 0.001
            await trio.sleep_until(due_s)
            self.worst_ms = max(self.worst_ms, (trio.current_time() - due_s) * 1000)


async def timed(
    rounds: int,
    once_more: Callable[[], Awaitable[Any]],
    before: Callable[[], Awaitable[Any]] = trio.lowlevel.checkpoint,
) -> dict[str, float]:
    """Returns how long a call takes, and the longest wait of others meanwhile; `before` each something else is done."""
    lag, took_ms, waits_ms, spent_ms = Lag(), list[float](), list[float](), list[float]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.run)
        for _ in range(10):
            await once_more()
        for _ in range(rounds):
            await before()
            await trio.sleep(0.005)
            lag.worst_ms = 0.0
            began_s, spent_s = time.perf_counter(), time.process_time()
            await once_more()
            spent_ms.append((time.process_time() - spent_s) * 1000)
            took_ms.append((time.perf_counter() - began_s) * 1000)
            waits_ms.append(lag.worst_ms)
        nursery.cancel_scope.cancel()
    took = statistics.quantiles(took_ms, n=100)
    return {
        "p50_ms": round(took[49], 2), "p99_ms": round(took[98], 2), "best_ms": round(min(took_ms), 2),
        "cpu_p50_ms": round(statistics.median(spent_ms), 2), "others_wait_p50_ms": round(statistics.median(waits_ms), 2),
        "others_wait_p99_ms": round(statistics.quantiles(waits_ms, n=100)[98], 2),
    }  # fmt: skip


async def measured(orders: int, tokens: int, rounds: int, home: Path) -> dict[str, Any]:
    """Returns the figures of one run."""
    async with bench_server(home / "postgres") as server:
        database = await server.database()
        user_id = await fill(database, orders, tokens)
        connection = Connection(database.options, "bench")
        desk = PortfolioDesk(
            store=PostgresPortfolios(connection), quotes=InMemory(await _quotes(database)), clock=SystemClock()
        )
        query = PortfolioQuery(user_id=user_id, accounts={"main": "0x" + "1" * 40})

        async def stats() -> bytes:
            return encode(stats_answer(await desk.portfolio(query, official=True)))

        async def first() -> bytes:
            """As of somebody who has not looked before."""
            desk.memory = PortfolioMemory(desk.store)
            return await stats()

        async def fill_one() -> None:
            await connection.run(lambda raw: raw.execute(TOUCH))

        async def bare() -> list[Any]:
            rows: list[Any] = await connection.run(lambda raw: raw.fetch(BARE, user_id))
            return rows

        # As the engine does once it has started: what is there for good is not looked through again.
        gc.collect()
        gc.freeze()
        figures = {
            "orders": orders, "tokens": tokens, "fills": len(await bare()),
            "stats": await timed(rounds, stats),
            "stats_after_a_fill": await timed(rounds, stats, fill_one),
            "first_look": await timed(rounds, first), "bare_reading": await timed(rounds, bare),
        }  # fmt: skip
        figures["answer"] = json.loads(await stats())
        await connection.aclose()
    return figures


async def _quotes(database: BenchDatabase) -> dict[str, Quote]:
    statement = (
        "SELECT condition_id, array_agg(token_id ORDER BY outcome_index) AS tokens FROM market_tokens GROUP BY 1"
    )
    rows = await once(database.options, "bench", lambda raw: raw.fetch(statement))
    return {row["condition_id"]: quote_of(row["condition_id"], tuple(row["tokens"])) for row in rows}


def main() -> None:
    """Measures once."""
    logging.basicConfig(level=logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=5_000)
    parser.add_argument("--tokens", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="polycopy-bench-") as home:
        Path(home).chmod(0o711)
        print(json.dumps(trio.run(measured, chosen.orders, chosen.tokens, chosen.rounds, Path(home))))


if __name__ == "__main__":
    main()
