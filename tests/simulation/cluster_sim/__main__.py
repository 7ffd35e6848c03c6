"""Runs seeds one after the other: `PYTHONPATH=.:tests python -m simulation.cluster_sim --first 0 --count 500`."""

import argparse
import sys
import time
from collections import Counter

from simulation.cluster_sim.cluster_run import run_seed
from simulation.cluster_sim.cluster_world import Build


def main() -> int:
    """Returns 0 when no seed failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--log", action="store_true", help="print what happened")
    parser.add_argument("--digests", action="store_true")
    parser.add_argument("--no-fence", action="store_true", help="a build whose writes are not fenced")
    parser.add_argument("--no-margin", action="store_true", help="a build that sends though its lease may be over")
    parser.add_argument("--no-reread", action="store_true", help="a build that does not ask again for what Redis lost")
    parser.add_argument("--lanes-only", action="store_true", help="nobody trades: only trades of lanes 1 and 2, faster")
    options = parser.parse_args()
    build = Build(
        checks_fence=not options.no_fence,
        holds_back=not options.no_margin,
        rereads=not options.no_reread,
        trades=not options.lanes_only,
    )
    began_s, failed, figures = time.monotonic(), 0, Counter[str]()
    for seed in range(options.first, options.first + options.count * options.step, options.step):
        result = run_seed(seed, build)
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


if __name__ == "__main__":
    sys.exit(main())
