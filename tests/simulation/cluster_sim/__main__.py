"""Runs seeds one after the other: `PYTHONPATH=.:tests python -m simulation.cluster_sim --first 0 --count 500`."""

import sys

from simulation.cluster_sim.cluster_run import run_seed
from simulation.cluster_sim.cluster_world import Build
from simulation.seed_runs import run_seeds, seed_parser


def main() -> int:
    """Returns 0 when no seed failed."""
    parser = seed_parser()
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
    return run_seeds(options, lambda seed: run_seed(seed, build))


if __name__ == "__main__":
    sys.exit(main())
