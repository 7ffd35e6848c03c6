"""Lives days one after the other: `PYTHONPATH=tests:. python -m simulation.day_sim --first 0 --count 5 --hours 24`."""

import argparse
import logging
import sys
import time
from collections import Counter

from engine_postgres.server_fixtures import database_server
from simulation.day_sim.day_run import DayPlan, run_day


def main() -> int:
    """Returns 0 when no day had a problem."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--hours", type=float, default=DayPlan(seed=0).hours)
    parser.add_argument("--fills-per-hour", type=float, default=DayPlan(seed=0).fills_per_h)
    options = parser.parse_args()
    logging.disable()
    failed, figures = 0, Counter[str]()
    with database_server() as server:
        for seed in range(options.first, options.first + options.count):
            plan = DayPlan(seed=seed, hours=options.hours, fills_per_h=options.fills_per_hour)
            began_s = time.monotonic()
            with server.database() as dsn:
                result = run_day(plan, dsn)
            figures.update(result.figures)
            failed += bool(result.problems)
            print(f"{result.told()} ({time.monotonic() - began_s:.0f} s)", flush=True)
    print(f"{options.count} days, {failed} failed")
    print(", ".join(f"{name} {count}" for name, count in sorted(figures.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
