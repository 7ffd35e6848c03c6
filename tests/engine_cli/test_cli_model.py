import json
import subprocess
import sys

import pytest
import trio
from engine_cli.cli_process import invoke, json_of
from engine_training.planted_world import Plan, PlantedWorld
from score.made_figures import made_model

from config.scoring import ModelsConfig
from config.sources import ConfigInputs
from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.model_store import PostgresModelStore
from engine.model_work import SideModelWork
from engine.side_process import SideDesk


def in_loop(work):
    async def main():
        async with database_loop():
            return await work()

    return trio.run(main)


@pytest.fixture
def command(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments, **more: invoke("model", *arguments, env=env | more)


async def added(database, *models):
    connection = Connection(database, "test")
    ids = [await PostgresModelStore(connection).add(one) for one in models]
    await connection.aclose()
    return ids


def test_models_are_listed_told_switched(command, database):
    assert "polycopy model train" in command("list").stderr
    good, bad = in_loop(lambda: added(database, made_model(), made_model(price=0.01)))
    found = json_of(command("list", "--json"))
    assert [one["modelId"] for one in found["models"]] == [bad, good]
    assert [line.split()[4] for line in command("list").stdout.splitlines()[1:]] == ["refused", "may"]
    refused = command("activate", str(bad))
    assert (refused.returncode, "does not beat the baseline price" in refused.stderr) == (1, True)
    assert command("report").returncode == 1
    assert command("activate", str(good), "--reason", "try").returncode == 0
    assert json_of(command("list", "--json"))["active"] == good
    text = command("report").stdout
    for words in (f"Model {good}: logistic", "judges", "the trader's win rate, shrunk", "0.4 to 0.5"):
        assert words in text
    markdown = command("report", "--markdown").stdout.splitlines()
    assert "| the price | 0.7000 | 0.20000 | 0.60000 | -0.00200 | -0.00300 | -0.00100 |" in markdown
    assert json_of(command("report", str(bad), "--json"))["model"]["refusals"]
    assert json_of(command("deactivate", "--json"))["modelId"] is None
    assert command("deactivate").returncode == 1


def test_a_file_of_scores_goes_first(command, database, tmp_path):
    [good] = in_loop(lambda: added(database, made_model()))
    file = {"POLYCOPY_FORWARD_TESTING__SCORE_FILE": str(tmp_path / "scores.csv")}
    refused = command("activate", str(good), **file)
    assert (refused.returncode, "score_file is set" in refused.stderr) == (1, True)
    assert "no model judges" in command("list", **file).stderr


@pytest.mark.timeout(300)
def test_training_in_a_process_of_its_own_makes_two_models(command, database, tmp_path):
    async def plant():
        connection = Connection(database, "test")
        await PlantedWorld(Plan(trades=4_000)).write(connection)
        await connection.aclose()

    in_loop(plant)
    argv = [sys.executable, "-m", "engine.cli.main", "--set", f"database.url={database.dsn}", "model", "train", "--days",
            "3000", "--json", "--out", str(tmp_path / "models.json")]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=True)
    found = json.loads(done.stdout)["models"]
    assert json.loads((tmp_path / "models.json").read_text())["models"] == found
    listed = json_of(command("list", "--json"))["models"]
    assert {one["modelId"] for one in listed} == {one["id"] for one in found}
    assert sorted(one["kind"] for one in listed) == ["boosted", "logistic"]
    assert json_of(command("watch", str(found[0]["id"]), "--json"))["drift"] is None
    # The jobs do the same by a side process, which keeps nothing.
    inputs = ConfigInputs.of(None, overrides={"database.url": database.dsn, "models.train_days": "3000"})
    work = SideModelWork(side=SideDesk(config=inputs), config=ModelsConfig())
    models = trio.run(work.train)
    assert [one.kind for one in models] == ["boosted", "logistic"]
    assert [one.document for one in models] == [one["document"] for one in found]
    assert trio.run(work.look, found[0]["id"]) is None
    assert len(json_of(command("list", "--json"))["models"]) == 2


def test_too_few_trades_are_said_to_be_too_few(database):
    # A process of its own: training gives way to everything else, and does not take it back.
    argv = [
        sys.executable,
        "-m",
        "engine.cli.main",
        "--set",
        f"database.url={database.dsn}",
        "model",
        "train",
        "--json",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "at least 200 are needed" in done.stderr
