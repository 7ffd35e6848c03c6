"""How long scoring many traders takes and what it holds: `python -m tests.bench.copyability_speed [TRADERS] [TRADES]`.

In batches of 20, as the job does it, without the time of reading: each trader buys TRADES times within 90 days.
"""

import logging
import random
import resource
import sys
import time
from decimal import Decimal
from typing import Any

from actors.rules.copyability.book_fit import ASSUMED
from engine.copyability.stored import ReadTraders, Wanted, score_read
from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow, row_from
from protocols.copyability import MeasuredDelay
from protocols.decisions import MarketInput

from .copyability_table import CONFIG
from .copyability_tapes import BEGAN_S, Tape

BATCH, DAYS = 20, 90


def main(traders: int, trades: int) -> None:
    """Prints seconds, trades a second and the greatest memory of the process."""
    logging.disable(logging.WARNING)
    began_s, processor_s = time.monotonic(), time.process_time()
    scored = 0
    for first in range(0, traders, BATCH):
        wallets = [f"0x{number + 1:040x}" for number in range(first, min(first + BATCH, traders))]
        scored += len(score_read(CONFIG, _read(wallets, trades, random.Random(first))))
    wall_s, used_s = time.monotonic() - began_s, time.process_time() - processor_s
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    total = scored * trades
    print(f"{scored:,} traders, {total:,} trades at 8 sizes: {wall_s:.0f} s, {used_s:.0f} s of the processor,", end=" ")
    print(f"{total / used_s:,.0f} trades/s, {memory_mb:.0f} MB")


def _read(wallets: list[str], trades: int, rng: random.Random) -> ReadTraders:
    rows: dict[str, list[TapeRow]] = {wallet: [] for wallet in wallets}
    resolutions = []
    for wallet in wallets:
        for at_s in sorted(rng.randrange(DAYS * 86_400) for _ in range(trades)):
            number = rng.getrandbits(60)
            tokens, price = (str(2 * number), str(2 * number + 1)), Decimal(rng.randrange(20, 80)) / 100
            fields: dict[str, Any] = {
                "proxyWallet": wallet, "side": "BUY", "asset": tokens[0], "conditionId": f"0x{number:064x}",
                "size": Decimal(100), "price": price, "timestamp": BEGAN_S + at_s, "transactionHash": f"0x{number:064x}",
                "title": "Rain?", "outcome": "Yes", "outcomeIndex": 0,
            }  # fmt: skip
            row = row_from(fields)
            assert row is not None
            rows[wallet].append(row)
            wins = rng.random() < price
            market = MarketInput(condition_id=row.condition_id, outcomes=("Yes", "No"), token_ids=tokens)
            payouts = {tokens[0]: Decimal(int(wins)), tokens[1]: Decimal(int(not wins))}
            closed_ms = (BEGAN_S + at_s + 14_400) * 1000
            resolutions.append(
                Resolution(
                    condition_id=row.condition_id, slug=None, payouts=payouts, closed_ms=closed_ms, market=market
                )
            )
    every = sorted((row for of_one in rows.values() for row in of_one), key=lambda row: row.timestamp_s)
    return ReadTraders(
        wanted=Wanted(wallets=wallets, size_usd=Decimal(20), days=DAYS, now_ms=(BEGAN_S + DAYS * 86_400) * 1000),
        rows=rows,
        truncated=frozenset(),
        resolutions=resolutions,
        prices=Tape(rows=every, resolutions=resolutions, seconds=DAYS * 86_400).prices,
        delay=MeasuredDelay(delay_ms=3_000, source="assumed"),
        depth=ASSUMED,
    )


if __name__ == "__main__":
    main(*(int(one) for one in (sys.argv[1:] + ["1000", "50"][len(sys.argv) - 1 :])))
