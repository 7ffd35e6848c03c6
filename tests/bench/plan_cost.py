"""What a plan of one strategy costs: `python -m tests.bench.plan_cost 50000`, trades a second and memory a trade.

Trades are made up: 200 traders, 20 trades a market, four of five bought. Both sides copy everyone.
"""

import random
import resource
import sys
import time
from decimal import Decimal

from config.loader import load_config
from engine.plan.make import PlanOrder, make_plan
from engine.plan.sides import Audience, BotPlan
from engine.replay.host import ReplayOrder
from engine.simulator.tape import TapeRow, row_from
from protocols.strategies import StrategySettings

TRADERS, TRADES_A_MARKET = 200, 20


def made_row(number: int, markets: int, rng: random.Random) -> TapeRow:
    market = rng.randrange(markets)
    row = row_from(
        {
            "proxyWallet": f"0x{rng.randrange(TRADERS):040x}", "side": "BUY" if rng.random() < 0.8 else "SELL",
            "asset": str(10 * market + rng.randrange(2)), "conditionId": f"0x{market:064x}", "outcome": "Yes",
            "outcomeIndex": 0, "size": rng.randrange(1, 500), "price": Decimal(rng.randrange(2, 98)) / 100,
            "timestamp": 1_790_000_000 + 3 * number, "transactionHash": f"0x{number:064x}", "title": f"Rain {market}?",
            "slug": f"rain-{market}",
        }
    )  # fmt: skip
    assert row is not None
    return row


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(count: int) -> None:
    rng = random.Random(1)
    began_mb = peak_mb()
    rows = [made_row(number, count // TRADES_A_MARKET + 1, rng) for number in range(count)]
    before, after = (
        StrategySettings(
            min_edge=None, min_trader_resolved_count=0, starting_balance=Decimal(100_000), price_max=Decimal(most)
        )
        for most in ("0.6", "0.7")
    )
    order = PlanOrder(
        bots=[BotPlan(name="B", before=before, after=after)],
        audience=Audience(everyone_else=True),
        played=ReplayOrder(rows=rows, bots=()),
        asked_ms=0,
    )
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    plan = make_plan(load_config(environ={}), order, rows_max=300)
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    differing = plan.bots[0].added.trades + plan.bots[0].dropped.trades
    print(
        f"{count:,} trades, {differing:,} differ: {wall_s:.1f} s, {cpu_s:.1f} s of CPU ({count / cpu_s:,.0f} trades/s)"
    )
    print(f"peak {peak_mb():,.0f} MB, {(peak_mb() - began_mb) / count * 1024:.1f} KB a trade")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
