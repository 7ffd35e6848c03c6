"""`python -m tests.bench.replay_speed TRADES SECONDS`: a synthetic tape, 30 strategies; the actors against the rules alone.

Prints JSON: processor seconds of `engine` and `bare`, trades, orders. As busy as the recorded windows of the platform: half of
the trades by one wallet in twenty, a third of them sales, two or three in a second when SECONDS is TRADES / 2.7.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from actors.rules.strategy.deciding import decide
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy_index import Runner, needs_of
from config.loader import load_config
from config.strategy_settings import settings_from
from engine.replay.host import Replayed, ReplayOrder, replay
from engine.simulator.tape import TapeRow, row_from
from protocols.clock import Random
from protocols.decisions import Inputs, MarketInput, TraderRecord, WindowRecord
from protocols.strategies import AllocationMethod, Strategy, StrategySettings

BEGAN_S = 1_770_000_000
WALLETS, MARKETS = 3_000, 900
RANGES = (("0", "1"), ("0.1", "0.4"), ("0.3", "0.7"), ("0.7", "1"))


def main() -> None:
    """Measures one after the other, so that neither warms what the other is slow with."""
    logging.basicConfig(level=logging.ERROR)
    trades, seconds = int(sys.argv[1]), int(sys.argv[2])
    rows, bots = list(_rows(Random(5), trades, seconds)), _bots()
    records = {wallet: _record(place) for place, wallet in enumerate(dict.fromkeys(row.wallet for row in rows))}
    order = ReplayOrder(rows=rows, bots=bots, records=records)
    config = load_config(environ={})
    began_s = time.process_time()
    done: Replayed = replay(config, order)
    engine_s = time.process_time() - began_s
    began_s = time.process_time()
    taken = _bare(rows, bots, records)
    bare_s = time.process_time() - began_s
    answer = {
        "engine": engine_s,
        "bare": bare_s,
        "trades": trades,
        "orders": len(done.ledger.positions),
        "taken": taken,
    }
    print(json.dumps(answer))


def _rows(rng: Random, trades: int, seconds: int) -> Iterator[TapeRow]:
    for number in range(trades):
        busy = rng.random() < 0.5
        wallet = int(rng.random() * (WALLETS / 20 if busy else WALLETS))
        market = int(rng.random() ** 2 * MARKETS)
        side = int(rng.random() * 2)
        fields: dict[str, Any] = {
            "proxyWallet": f"0x{wallet + 1:040x}",
            "side": "BUY" if rng.random() < 0.67 else "SELL",
            "asset": str(10**60 + market * 2 + side),
            "conditionId": f"0x{market + 1:064x}",
            "size": Decimal(int(rng.random() ** 4 * 500_000) + 100) / 100,
            "price": Decimal(1 + int(rng.random() * 98)) / 100,
            "timestamp": BEGAN_S + number * seconds // trades,
            "transactionHash": f"0x{number + 1:064x}",
            "title": f"Will number {market} come up?",
            "slug": f"number-{market}",
            "outcome": ("Yes", "No")[side],
            "outcomeIndex": side,
        }
        row = row_from(fields)
        assert row is not None
        yield row


def _bots() -> list[tuple[str, StrategySettings]]:
    methods = [one for one in AllocationMethod if one is not AllocationMethod.ML_SCALED]
    made = []
    for low, high in RANGES:
        for method in methods:
            fields = {
                "allocation_method": method.value,
                "price_min": low,
                "price_max": high,
                "min_edge": None,
                "min_trader_resolved_count": 0,
                "target_mode": "everyone",
            }
            made.append((f"{method.value}_{low}", settings_from(fields)))
    return made[:30]


def _record(place: int) -> TraderRecord:
    window = WindowRecord(
        resolved_count=place % 90,
        win_rate=Decimal(place % 97) / 96,
        trade_count=100,
        avg_trade_usd=Decimal(40),
        roi=Decimal("0.1"),
    )
    return TraderRecord(lifetime=window, d30=window, d7=window, profiles=())


def _bare(rows: list[TapeRow], bots: list[tuple[str, StrategySettings]], records: dict[str, TraderRecord]) -> int:
    """Judges every purchase by every strategy, with all the money it wants; keeps nothing."""
    runners = []
    for number, (name, settings) in enumerate(bots, 1):
        strategy = Strategy(wallet_id=name, number=number, owner_id="bench", version=1, settings=settings)
        needs = needs_of(settings)
        runners.append(Runner(strategy=strategy, chain=Chain.of(settings, None), part=needs.part, needs=needs))
    tokens: dict[str, set[str]] = {}
    for row in rows:
        tokens.setdefault(row.condition_id, set()).add(row.token_id)
    markets = {
        condition_id: MarketInput(
            condition_id=condition_id, token_ids=tuple(sorted(ids)), outcomes=("Yes", "No"), observed_ms=BEGAN_S * 1000
        )
        for condition_id, ids in tokens.items()
    }
    plenty, taken = Decimal(1_000_000), 0
    for number, row in enumerate(rows):
        if row.side != "BUY":
            continue
        inputs = Inputs(
            trade_id=str(number),
            wallet=row.wallet,
            token_id=row.token_id,
            condition_id=row.condition_id,
            side=row.side,
            price=row.price,
            size_micro=row.size_micro,
            trade_ms=row.timestamp_s * 1000,
            now_ms=row.timestamp_s * 1000,
            outcome=row.text("outcome"),
            title=row.text("title"),
            market=markets[row.condition_id],
            trader=records[row.wallet],
        )
        decision = decide(runners, inputs, "now", lambda _: plenty, lambda _: False, _fail)
        taken += len(decision.orders)
    return taken


def _fail(_runner: Runner, error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main()
