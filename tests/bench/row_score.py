"""What the score of a trade costs, beside the snapshot that is written of its decision."""

import json
import sys

import trio

from .bench import Bench
from .figures import Figure
from .processes import ROOT


async def measure(bench: Bench) -> list[Figure]:
    """One round, in a process of its own."""
    with trio.fail_after(120):
        argv = [sys.executable, "-m", "tests.bench.score_cost"]
        done = await trio.run_process(argv, cwd=ROOT, capture_stdout=True)
    found = json.loads(done.stdout)
    bench.say(f"  {found}")
    return [
        Figure(
            row="score",
            what=f"score of a trade, {name}, largest model",
            value=found[f"{name}_180_profiles"],
            unit="us",
            target=50.0,
            reference=found["snapshot"],
            reference_text=f"{found['snapshot']:.3g} us snapshot of the decision, this run",
            note=f"{found[name]:.3g} us with results in 3 niches, of it features {found['features']:.3g} us",
        )
        for name in ("logistic", "boosted")
    ]
