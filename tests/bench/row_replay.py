"""How many trades a second a replay plays with 30 strategies on one core, against a bare loop over the rules."""

import json
import sys

import trio

from .bench import Bench
from .figures import Figure, median
from .processes import ROOT

TRADES_A_SECOND = 2.7
"""Of the tape; what a second costs, the loops of the actors, is shared by so many."""


async def measure(bench: Bench) -> list[Figure]:
    """A few rounds, each in a process of its own."""
    trades = int(bench.either(6_000, 30_000))
    rounds = []
    for _ in range(int(bench.either(3, 5))):
        argv = [sys.executable, "-m", "tests.bench.replay_speed", str(trades), str(round(trades / TRADES_A_SECOND))]
        with trio.fail_after(120):
            done = await trio.run_process(argv, cwd=ROOT, capture_stdout=True)
        answer = json.loads(done.stdout)
        rounds.append(answer)
        per_s, bare_per_s = trades / answer["engine"], trades / answer["bare"]
        bench.say(f"  {per_s:,.0f} trades/s, rules alone {bare_per_s:,.0f}, {answer['orders']:,} orders")
    per_s = median([trades / one["engine"] for one in rounds])
    bare_per_s = median([trades / one["bare"] for one in rounds])
    return [
        Figure(
            row="replay",
            what="trades replayed, 30 strategies",
            value=per_s,
            unit="/s",
            target=3_000,
            at_least=True,
            reference=bare_per_s,
            reference_text=f"{bare_per_s:,.0f}/s rules alone, this run",
            note=f"{rounds[0]['orders'] / trades:.1f} orders a trade",
        )
    ]
