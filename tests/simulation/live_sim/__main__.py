"""Runs seeds one after the other: `PYTHONPATH=tests python -m simulation.live_sim --first 0 --count 500`."""

import sys

from simulation.live_sim.sim_run import run_seed
from simulation.seed_runs import run_seeds, seed_parser

if __name__ == "__main__":
    sys.exit(run_seeds(seed_parser().parse_args(), run_seed))
