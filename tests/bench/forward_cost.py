"""`python -m tests.bench.forward_cost`: processor time of forward testing for trades that none of 1,000 strategies copies.

The strategies follow 10,000 wallets in lists of 1,000; the trades are of other wallets in lane 0. Prints JSON.
"""

import json
import logging
import time
from decimal import Decimal
from typing import Any

import trio
import trio.testing

from config.loader import load_config
from engine.forward_wiring import PaperPorts, forward_testing
from engine.replay.ports import FixedRecords, FixedStrategies, ReplayClock, ReplayLedger, Silence, TableScorer
from engine.replay.tape_markets import TapeMarkets
from engine.runtime.channel import Channel
from protocols.channels import Inbox
from protocols.clock import Random
from protocols.strategies import Strategy, StrategySettings, StrategyTable, TargetMode
from protocols.trades import Lane, LanedTrade, Trade

STRATEGIES, WALLETS, LIST, TRADES, BATCH = 1_000, 10_000, 1_000, 50_000, 100
NOW_MS = 1_770_000_000_000


def main() -> None:
    """Measures once."""
    logging.basicConfig(level=logging.ERROR)
    print(json.dumps({"cpu_us": trio.run(_measure)}))


async def _measure() -> float:
    wallets = [f"0x{number:040x}" for number in range(WALLETS)]
    strategies = [
        Strategy(
            wallet_id=f"BOT{number}",
            number=number + 1,
            owner_id="bench",
            version=1,
            settings=StrategySettings(
                target_mode=TargetMode.LIST,
                target_traders=tuple(wallets[(number * 37 + place * 10) % WALLETS] for place in range(LIST)),
            ),
        )
        for number in range(STRATEGIES)
    ]
    copied, kept = Channel[LanedTrade]("copied", 1_000), Channel[LanedTrade]("kept", 1_000)
    clock = ReplayClock(NOW_MS)
    silence: Any = Silence()
    ledger = ReplayLedger(clock=clock, keep_trades=False, markets=TapeMarkets.of([], [], clock))
    for strategy in strategies:
        ledger.add_account(strategy.wallet_id, strategy.settings.starting_balance)
    table = StrategyTable(version=1, strategies=strategies, followed={}, leaderboard=())
    forward = forward_testing(
        load_config(environ={}),
        PaperPorts(
            strategies=FixedStrategies(table),
            paper=ledger,
            settlement=ledger,
            decision_markets=TapeMarkets.of([], [], clock),
            records=FixedRecords({}),
            trader_holdings=silence,
            resolutions=silence,
            books=silence,
            scorer=TableScorer(None),
            spill=silence,
            markets=silence,
            catalog=silence,
        ),
        copied=copied.inbox,
        kept=kept.outbox(),
        clock=clock,
        rng=Random(1),
    )
    outbox, sent, passed = copied.outbox(), 0, list[int]()
    async with trio.open_nursery() as nursery:
        registry = next(child for child in forward.services if child.name == "strategy_registry")
        await nursery.start(registry.run)
        await nursery.start(forward.tester.run)
        await trio.testing.wait_all_tasks_blocked()
        batches = [[_trade(start + place) for place in range(BATCH)] for start in range(0, TRADES, BATCH)]
        nursery.start_soon(_drain, kept.inbox, passed)
        began_s = time.process_time()
        for batch in batches:
            await outbox.send_many(batch)
            sent += len(batch)
        await trio.testing.wait_all_tasks_blocked()
        spent_s = time.process_time() - began_s
        nursery.cancel_scope.cancel()
    assert sum(passed) == sent, f"{sum(passed)} of {sent} came through"
    return spent_s / sent * 1e6


async def _drain(inbox: Inbox[LanedTrade], passed: list[int]) -> None:
    while batch := await inbox.batch(BATCH):
        passed.append(len(batch))


def _trade(number: int) -> LanedTrade:
    trade = Trade(
        trade_id=f"t{number}",
        wallet=f"0x{WALLETS + number % 20_000:040x}",
        transaction_hash=f"0x{number:064x}",
        token_id=str(number % 900),
        condition_id=f"0x{number % 450:064x}",
        side="BUY" if number % 3 else "SELL",
        size_micro=10_000_000,
        price=Decimal("0.4"),
        trade_ms=NOW_MS,
        outcome="Yes",
        outcome_index=0,
        market_slug=None,
        event_slug=None,
        market_title="Will it?",
        trader_name=None,
        trader_image=None,
        market_image=None,
        raw="{}",
        seen_s=0.0,
    )
    return LanedTrade(trade, Lane.TARGET)


if __name__ == "__main__":
    main()
