"""What an administrator does while the engine runs: jobs, and reading the configuration again."""

import json
import signal

import trio
from engine_cli.cli_process import json_of, polycopy
from engine_postgres.server_fixtures import fetch
from simulation.api_world import QUIET, api_engine
from simulation.ingest_world import ingest_world

OLD_TRADE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw) VALUES ($1, 1, '0x1', '0x2', '3', '0x4', 'BUY', 1, 0.5, now() - interval '31 days', '{}')
"""
TRADES = "SELECT count(*) FROM trades_public WHERE trader_wallet = '0x1'"


async def until_ended(engine, count):
    """The runs of retention, newest first, once so many have ended."""
    with trio.fail_after(20):
        while True:
            listed = (await engine.done("GET", "/api/admin/jobs/retention/runs"))["runs"]
            runs = [run for run in listed if run["status"] != "skipped"]
            if len(runs) == count and runs[0]["status"] != "running":
                return runs
            await trio.sleep(0.1)


async def test_a_job_is_run_by_api_and_by_command_and_both_stand_in_its_history(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        listed = await engine.done("GET", "/api/admin/jobs")
        assert {job["name"] for job in listed["jobs"]} >= {"retention", "markets-refresh"}
        [scheduler] = listed["schedulers"]
        assert str(engine.process.process.pid) in scheduler

        await trio.to_thread.run_sync(fetch, database.dsn, OLD_TRADE, "1")
        assert (await engine.done("POST", "/api/admin/jobs/retention/run"))["isNew"] is True
        [run] = await until_ended(engine, 1)
        assert (run["status"], run["slot"], run["requestedBy"]) == ("succeeded", None, "admin")
        assert run["figures"]["followed"] == 1
        assert run["holder"] == scheduler
        assert await trio.to_thread.run_sync(fetch, database.dsn, TRADES) == [(0,)]

        await trio.to_thread.run_sync(fetch, database.dsn, OLD_TRADE, "2")
        env = {"POLYCOPY_DATABASE__URL": database.dsn}
        command = await trio.to_thread.run_sync(
            lambda: polycopy("jobs", "run", "retention", "--wait", "--json", env=env)
        )
        assert json_of(command)["where"] == "in the engine"
        runs = await until_ended(engine, 2)
        assert runs[0]["runId"] == json_of(command)["run"]["run_id"]
        assert runs[0]["requestedBy"].endswith("by command")
        assert runs[1] == run
        first_page = await engine.done("GET", "/api/admin/jobs/retention/runs", limit=1)
        assert first_page == {"runs": runs[:1], "nextBefore": runs[0]["runId"]}
        next_page = await engine.done("GET", "/api/admin/jobs/retention/runs", limit=1, before=runs[0]["runId"])
        assert next_page["runs"] == runs[1:]
        history = await trio.to_thread.run_sync(lambda: polycopy("jobs", "history", "retention", "--json", env=env))
        assert [one["run_id"] for one in json_of(history)][:2] == [one["runId"] for one in runs]
        retention = next(
            job for job in (await engine.done("GET", "/api/admin/jobs"))["jobs"] if job["name"] == "retention"
        )
        assert (retention["lastRun"], retention["lastSuccessAt"]) == (runs[0], runs[0]["endedAt"])
        unknown = await engine.ask("POST", "/api/admin/jobs/no-such-job/run")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_job")


async def until_logged(engine, message, count=1):
    with trio.fail_after(10):
        while len(lines := [line for line in engine.process.log_lines() if line["message"] == message]) < count:
            await trio.sleep(0.05)
    return lines[-1]


async def test_a_changed_file_is_applied_by_signal_and_by_api_and_a_bad_one_changes_nothing(
    database, tmp_path, monkeypatch
):
    file = tmp_path / "polycopy.toml"
    monkeypatch.setenv("POLYCOPY_CONFIG", str(file))
    file.write_text("[retention]\nfollowed_days = 30\n")
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        file.write_text("[retention]\nfollowed_days = 40\n[http]\nstreams_max = 7\n[stream]\ntopics = 'trades'\n")
        engine.process.send(signal.SIGHUP)
        reloaded = await until_logged(engine, "configuration reloaded")
        assert reloaded["applied"] == {"retention.followed_days": 40}
        assert reloaded["asked_by"] == "SIGHUP"
        waits = await until_logged(engine, "some settings need a restart")
        assert set(waits["settings"]) == {"http.streams_max", "stream.topics"}

        file.write_text(
            "[retention]\nfollowed_days = 0\n[http]\nport = 'x'\nno_such_key = 1\n[logging]\nlevel = 'debug'\n"
        )
        refused = await engine.ask("POST", "/api/admin/reload")
        assert refused.status_code == 422
        assert refused.json()["applied"] == refused.json()["needsRestart"] == []
        problems = json.dumps(refused.json()["problems"])
        assert "retention.followed_days" in problems
        assert "http.no_such_key" in problems
        engine.process.send(signal.SIGHUP)
        logged = await until_logged(engine, "configuration not reloaded, nothing was changed", 2)
        assert logged["problems"] == refused.json()["problems"]

        file.write_text("[http\n")
        assert len((await engine.ask("POST", "/api/admin/reload")).json()["problems"]) == 1

        file.write_text("[retention]\nfollowed_days = 50\n[jobs.retention]\nenabled = false\n")
        answer = await engine.done("POST", "/api/admin/reload")
        assert answer["problems"] == answer["needsRestart"] == []
        changes = {change["path"]: (change["before"], change["after"]) for change in answer["applied"]}
        assert changes == {"retention.followed_days": (40, 50), "jobs.retention.enabled": (True, False)}
        jobs = (await engine.done("GET", "/api/admin/jobs"))["jobs"]
        assert [(job["enabled"], job["nextSlot"]) for job in jobs if job["name"] == "retention"] == [(False, None)]
        assert engine.process.process.poll() is None


async def test_a_lowered_rate_limit_holds_after_a_reload(database, tmp_path, monkeypatch):
    file = tmp_path / "polycopy.toml"
    monkeypatch.setenv("POLYCOPY_CONFIG", str(file))
    file.write_text("")
    body = {"wallets": ["0x" + "1" * 40]}
    async with (
        ingest_world(database, tmp_path / "spill", **QUIET) as world,
        api_engine(world, tmp_path, rates={}) as engine,
    ):
        await engine.user("ann")
        ann, _ = await engine.token("ann", "read")
        file.write_text("[http]\nchanges_per_minute = 5\n")
        await engine.done("POST", "/api/admin/reload")
        asked = [await engine.ask("POST", "/api/follows", token=ann, json=body) for _ in range(7)]
        assert [response.status_code for response in asked] == [200] * 5 + [429] * 2
        assert 1 <= int(asked[-1].headers["retry-after"]) <= 12
        assert (await engine.get("/api/follows", token=ann)).status_code == 200, "reads have a limit of their own"
        assert (await engine.ask("POST", "/api/follows", json=body)).status_code == 200, "so has every token"
