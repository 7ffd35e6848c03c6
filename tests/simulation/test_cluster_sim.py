"""Whole clusters, each decided by one seed: three nodes, four accounts, both stores; nothing costs money or trades."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from simulation.cluster_sim.cluster_run import FENCED, ClusterResult, run_seed
from simulation.cluster_sim.cluster_world import Build

TESTS = Path(__file__).parents[1]
FEW, MANY = range(4), 500
PARTS = 20
UNFENCED = Build(checks_fence=False)
HASTY = Build(holds_back=False, asks_at_the_wire=False)
LANES = Build(trades=False)
FORGETFUL = Build(trades=False, rereads=False)


def fails(results: list[ClusterResult]) -> str:
    return "\n".join(result.told() for result in results if result.violations)


def first_that_fails(build: Build, seeds: range) -> ClusterResult | None:
    return next((result for seed in seeds if (result := run_seed(seed, build)).violations), None)


def test_accounts_survive_whatever_befalls_nodes():
    results = [run_seed(seed) for seed in FEW]
    failed = fails(results)
    assert not failed, failed
    figures = sum((result.figures for result in results), Counter[str]())
    # A quiet world proves nothing: these happened.
    for name in (
        "accepted",
        "copy FILLED",
        "nodes frozen",
        "nodes killed",
        "nodes cut from the database",
        "fenced off",
        "redis killed",
        "nodes cut from redis",
        "redis entries lost",
    ):
        assert figures[name], name
    assert figures["trades over the edge"] > figures["trades given"] / 2


def test_a_build_without_the_fence_fails_and_says_who_wrote_after_whom():
    result = first_that_fails(UNFENCED, range(2, 10))
    assert result is not None
    assert any("was written after" in one for one in result.violations), result.told()
    assert "--no-fence" in result.told()


def test_a_build_that_sends_though_its_lease_may_be_over_fails_since_two_submit():
    result = first_that_fails(HASTY, range(2, 10))
    assert result is not None
    assert any(one.startswith("two submit for") for one in result.violations), result.told()
    assert "--no-margin" in result.told()


def test_a_build_that_does_not_ask_again_for_what_redis_lost_fails_since_a_trade_is_nowhere():
    result = first_that_fails(FORGETFUL, range(7, 11))
    assert result is not None
    assert any("is nowhere and in no gap" in one for one in result.violations), result.told()
    assert not run_seed(result.seed, LANES).violations


def test_a_seed_is_one_world_in_any_process():
    mine = f"1 {run_seed(1).digest}"
    # Another process has other hashes of texts and other addresses of objects.
    command = [sys.executable, "-m", "simulation.cluster_sim", "--first", "1", "--count", "1", "--digests"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "PYTHONHASHSEED": "7"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert told.stdout.splitlines()[:1] == [mine], told.stderr


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(PARTS))
def test_hundreds_of_clusters(part):
    failed = fails([run_seed(seed, FENCED) for seed in range(len(FEW) + part, len(FEW) + MANY, PARTS)])
    assert not failed, failed
