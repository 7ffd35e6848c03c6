"""Runs seeds of a simulation one after the other and tells what came of them: the command line of each of them."""

import argparse
import time
from collections import Counter
from collections.abc import Callable

from simulation.live_sim.sim_run import SeedResult

TOLD_EVERY = 50


def seed_parser() -> argparse.ArgumentParser:
    """Returns the options that every simulation has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument(
        "--step", type=int, default=1, help="every so many: several processes divide the seeds among them"
    )
    parser.add_argument("--log", action="store_true", help="print what happened")
    parser.add_argument("--digests", action="store_true", help="print for each seed what is equal if the same happened")
    return parser


def run_seeds(options: argparse.Namespace, run_seed: Callable[[int], SeedResult]) -> int:
    """Prints each seed that failed with the command that replays it, and figures of all; returns 0 when no seed failed."""
    began_s, failed, figures = time.monotonic(), 0, Counter[str]()
    for done, seed in enumerate(range(options.first, options.first + options.count * options.step, options.step)):
        if done and not done % TOLD_EVERY:
            print(f"{done} seeds, {failed} failed", flush=True)
        result = run_seed(seed)
        figures.update(result.figures)
        if options.log:
            print("\n".join(result.log))
        if options.digests:
            print(seed, result.digest)
        if result.violations:
            failed += 1
            print(result.told(), flush=True)
    took_s = time.monotonic() - began_s
    print(f"{options.count} seeds, {failed} failed, {options.count / took_s:.2f} seeds/s")
    if not options.digests:
        print(", ".join(f"{name} {count}" for name, count in sorted(figures.items())))
    return 1 if failed else 0
