"""Whole worlds of live trading, each decided by one seed: nothing that happens in them may cost or make money."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.live_sim.sim_run import SeedResult, run_seed

TESTS = Path(__file__).parents[1]
FEW, MANY = range(10), 500
PARTS = 10


def fails(results: list[SeedResult]) -> str:
    return "\n".join(result.told() for result in results if result.violations)


def test_orders_and_money_survive_whatever_happens():
    results = [run_seed(seed) for seed in FEW]
    failed = fails(results)
    assert not failed, failed
    figures = sum((result.figures for result in results[1:]), results[0].figures)
    # A quiet world proves nothing: these happened.
    for name in ("accepted", "crashes", "copy FILLED", "exit FILLED", "exit DONE", "fault trade_failed"):
        assert figures[name], name


def test_a_seed_is_one_world_in_any_process():
    mine = [f"{seed} {run_seed(seed).digest}" for seed in (1, 2)]
    assert mine == [f"{seed} {run_seed(seed).digest}" for seed in (1, 2)]
    # Another process has other hashes of texts and other addresses of objects.
    command = [sys.executable, "-m", "simulation.live_sim", "--first", "1", "--count", "2", "--digests"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]), "PYTHONHASHSEED": "7"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert told.stdout.splitlines()[:2] == mine, told.stderr


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(PARTS))
def test_hundreds_of_worlds(part):
    failed = fails([run_seed(seed) for seed in range(len(FEW) + part, len(FEW) + MANY, PARTS)])
    assert not failed, failed
