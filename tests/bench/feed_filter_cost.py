"""What filtered pages of the feed cost: `python -m tests.bench.feed_filter_cost [TRADES]`, one JSON object.

TRADES (1,000,000) of 20,000 wallets, a user who follows 500 of them, a bot of his with 20,000 copies. Each figure is p50 and
p99 of first pages in ms; `plain, one wallet each` is the plain page with the condition that it had before a page could name
several wallets, taken in turns with it. Plans of the copies are printed to standard error.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio

from actors.rules.feed_filter import FeedFilter
from engine.adapters.postgres.database import Connection, open_connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.feed_fact_store import PostgresFeedFacts
from engine.adapters.postgres.feed_store import FEED_PAGE, FEED_PAGE_OF_COPIES, PostgresFeedStore
from engine.adapters.postgres.signal_store import PostgresSignalStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.system_clock import SystemClock
from engine.api.feed_search import FeedSearch
from protocols.feed import FeedQuery
from protocols.strategies import StrategySettings
from protocols.timestamps import LATEST_MS, utc_datetime

from .bench import opened_bench
from .feed_trades import DORMANT, WALLETS, filled
from .figures import quantile

TRADES, TIMES, COPIES = 1_000_000, 20, 20_000
DAY_MS = 86_400_000
ONE_WALLET = FEED_PAGE.replace(
    "$7::text[] IS NULL OR trader_wallet = ANY ($7)", "$7::text IS NULL OR trader_wallet = $7"
)
COPY = """
INSERT INTO ft_orders (order_id, wallet_id, config_version, condition_id, token_id, source_trade_id, trader_address,
    signal_price, entry_price, size, shares, fee_usd, entry_model, fill_inputs, trader_win_rate, trader_resolved_count,
    edge_pct, conviction, shares_open, cost_open, order_time, decided_at)
SELECT gen_random_uuid(), 'BOT', 1, condition_id, asset, trade_id, trader_wallet, price, 0.5, 5, 10, 0, 'slip', '{}', 0.6, 40,
    0, 1, 10, 5, trade_timestamp, trade_timestamp
FROM (SELECT * FROM trades_public WHERE side = 'BUY' ORDER BY ingest_seq DESC LIMIT $1 * 5) AS newest
WHERE ingest_seq % 5 = 0
"""
FILTERS = {
    "size, most pass": FeedFilter(usd_min=Decimal(100)),
    "price, one in ten passes": FeedFilter(price_min=Decimal("0.4"), price_max=Decimal("0.5")),
    "score": FeedFilter(score_min=70),
    "category, all pass": FeedFilter(category="OTHER"),
    "category, none passes: 2,000 trades looked at": FeedFilter(category="CRYPTO"),
    "held, none passes: 2,000 trades looked at": FeedFilter(is_held=True),
}
Page = Callable[[], Awaitable[Any]]


async def measure(rows: int) -> dict[str, Any]:
    """Fills the database and returns the figures."""
    with tempfile.TemporaryDirectory(prefix="polycopy-filters-") as directory:
        Path(directory).chmod(0o711)
        async with opened_bench(scratch=Path(directory), quick=True, say=_say) as bench:
            database = await bench.database()
            trades = await filled(database, rows, _say)
            user_id = await trades.user("ann", random.Random(7).sample(range(DORMANT, WALLETS), 500))
            async with open_connection(database.options, "bench filters") as connection:
                await StrategyStore(connection).create([("BOT", StrategySettings())], user_id, "bench")
                await database.fetch(COPY, COPIES)
                await database.fetch("ANALYZE ft_orders")
                pages = _pages(connection, user_id, trades.end_ms - 7 * DAY_MS)
                figures = await _timed(pages)
                await _explain(connection, user_id, trades.end_ms - 7 * DAY_MS)
    return {"trades": rows, "ms": figures}


def _pages(connection: Connection, user_id: str, since_ms: int) -> dict[str, Page]:
    store = PostgresFeedStore(connection)
    search = FeedSearch(
        store=store,
        facts=PostgresFeedFacts(connection),
        markets=PostgresDecisionMarkets(connection),
        signals=PostgresSignalStore(connection),
        clock=SystemClock(),
    )
    query = FeedQuery(user_id=user_id, limit=50, since_ms=since_ms)
    copied = FeedQuery(user_id=user_id, limit=50, since_ms=since_ms, is_copied=True)
    before = (user_id, 51, utc_datetime(since_ms), utc_datetime(LATEST_MS), "", None, None)
    filtered = {name: lambda wanted=wanted: search.page(query, wanted) for name, wanted in FILTERS.items()}
    return {
        "plain": lambda: store.page(query),
        "plain, one wallet each": lambda: connection.run(lambda raw: raw.fetch(ONE_WALLET, *before)),
        "copies": lambda: search.page(copied, FeedFilter(is_copied=True)),
        "copies, one in ten passes": lambda: search.page(
            copied, FeedFilter(is_copied=True, price_min=Decimal("0.4"), price_max=Decimal("0.5"))
        ),
        **filtered,
    }


async def _timed(pages: dict[str, Page]) -> dict[str, Any]:
    times: dict[str, list[float]] = {name: [] for name in pages}
    for number in range(TIMES + 3):
        _say(f"  round {number}")
        for name, page in pages.items():
            began_s = time.perf_counter()
            await page()
            if number >= 3:  # the first ones prepare
                times[name].append((time.perf_counter() - began_s) * 1000)
    return {name: {f"p{share * 100:.0f}": round(quantile(all_ms, share), 1) for share in (0.5, 0.99)}
            for name, all_ms in times.items()}  # fmt: skip


async def _explain(connection: Connection, user_id: str, since_ms: int) -> None:
    arguments = (user_id, 51, utc_datetime(since_ms), utc_datetime(LATEST_MS), "", None, None, None)
    plan = await connection.run(lambda raw: raw.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {FEED_PAGE_OF_COPIES}", *arguments))
    _say("\n".join(row[0] for row in plan))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else TRADES
    print(json.dumps(trio.run(measure, chosen), indent=1))
