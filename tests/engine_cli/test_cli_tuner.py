"""The whole way: stored trades, the job, a process that searches, a proposal with its evidence, and a version."""

import json
import time

import pytest
import trio
from engine_cli.cli_process import invoke, json_of
from engine_postgres.server_fixtures import fetch
from engine_tuner.planted_rows import DAY_MS, TRADER, planted_rows

from engine.adapters.postgres.database import database_loop, once
from engine.tuner_process import is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="the optional library is not installed")
SETTINGS = ("--set", "agent_managed=true", "--set", "target_mode=list", "--set", f"target_traders={TRADER}", "--set",
            "min_edge=", "--set", "min_trader_resolved_count=0")  # fmt: skip


@pytest.fixture
def stored(database):
    rows = planted_rows(5, until_ms=int(time.time() * 1000) // DAY_MS * DAY_MS, a_day=30)

    async def insert():
        async with database_loop():
            await once(database, "planted", lambda raw: rows.insert(raw.fetch))

    trio.run(insert)
    return rows


@pytest.fixture
def command(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_TUNER__TRIES_MAX": "30"}
    return lambda *arguments: invoke(*arguments, env=env)


@pytest.mark.timeout(300)
def test_a_planted_optimum_is_proposed_approved_and_not_asked_again(stored, command, database):
    assert stored.trades_
    for name, more in (("ASKS", ()), ("FOREIGN", ("--set", "agent_managed=false"))):
        assert command("bots", "create", name, *SETTINGS, *more).returncode == 0
    dry = json_of(command("tuner", "run", "--dry-run", "--json"))
    assert [one["walletId"] for one in dry] == ["ASKS"]
    assert fetch(database.dsn, "SELECT count(*) FROM tuner_notes") == [(0,)]
    assert json_of(command("tuner", "run", "--json"))["figures"]["proposed"] == 1
    [waiting] = json_of(command("tuner", "list", "--json"))
    assert waiting["after"] == dry[0]["after"]
    assert waiting["evidence"]["train"] == dry[0]["evidence"]["train"]
    assert set(waiting["after"]) <= {"price_max", "min_edge"}
    shown = command("tuner", "show", str(waiting["proposal_id"])).stdout
    assert "proved on" in shown
    assert "ASKS: proposal" in shown
    done = command("tuner", "approve", str(waiting["proposal_id"]))
    assert done.returncode == 0, done.stderr
    assert "APPLIED in version 2" in done.stdout
    settings = json.loads(fetch(database.dsn, "SELECT settings FROM ft_wallet_versions WHERE version = 2")[0][0])
    assert waiting["after"].items() <= settings.items()
    assert json_of(command("tuner", "run", "--json"))["figures"]["searched"] == 0
    assert "ASKS" in command("tuner", "history").stdout
    assert "hypothesis" in command("tuner", "history", "--notes").stdout


@pytest.mark.timeout(120)
def test_commands_without_anything_say_so(command):
    assert "Nothing waits" in command("tuner", "list").stderr
    assert "Nothing has been decided" in command("tuner", "history").stderr
    assert "Nothing has been noted" in command("tuner", "history", "--notes").stderr
    assert "No strategy's turn" in command("tuner", "run", "--dry-run").stderr
    for name in ("show", "approve", "reject"):
        failed = command("tuner", name, "7")
        assert failed.returncode in (1, 2)
        assert "there is no proposal 7" in failed.stderr
