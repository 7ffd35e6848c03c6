"""Engines with roles as processes of their own: who serves what, a rolling restart, a kill, and what the cluster says of it.

The venue of the simulator trades all the time; in the end its own ledger is compared with the table, row by row.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack

import httpx
import pytest
import trio
from crash.engine_process import engine_process
from crash.test_kill import check, traders
from simulation.ingest_world import ingest_world

from protocols.decide_shards import every_lease

TTL_S = 3.0
TAKE_OVER_S = TTL_S + 2
INGESTING = ("ingest", "decide", "execute", "poll")
WORLD = {"seed": 5, "rate_scale": 4, "wallets": 200, "lag_scale": 0.1, "cache_scale": 0, "life_scale": 0.02}
WHO = "SELECT owner, epoch FROM engine_leases WHERE name = 'ingest' AND expires_at > clock_timestamp()"
MEMBERS = "SELECT holder, working, left_at FROM cluster_members ORDER BY started_at"


async def status(world):
    """Exit code and document of `polycopy cluster status --json`."""
    call = [sys.executable, "-m", "engine.cli.main", "cluster", "status", "--json"]
    done = await trio.run_process(
        call,
        capture_stdout=True,
        check=False,
        env={**os.environ, "POLYCOPY_DATABASE__URL": world.settings["database.url"]},
    )
    return done.returncode, json.loads(done.stdout)


async def until_status(world, *states):
    """The document once every role has somebody and the members stand so; what they say is as old as their heartbeats."""
    with trio.fail_after(60):
        while True:
            code, document = await status(world)
            assert code == (1 if document["roles_of_nobody"] else 0)
            if code == 0 and sorted(one["state"] for one in document["members"]) == list(states):
                return document
            await trio.sleep(0.5)


async def ask(engine, path):
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        return await client.get(f"http://127.0.0.1:{engine.port}{path}")


async def take_over_s(world, since_s, before):
    """How long after a moment another owner held the lease of the ingest."""
    with trio.fail_after(30):
        while not (now := await world.fetch(WHO)) or now[0]["owner"] == before["owner"]:
            await trio.sleep(0.02)
    assert now[0]["epoch"] == before["epoch"] + 1
    return trio.current_time() - since_s


def settings_of(world, tmp_path, name):
    return {**world.settings, "limits.lease_ttl_s": str(TTL_S), "stream.gap_reread_s": "1",
            "logging.format": "json", "writer.spill_dir": str(tmp_path / name)}  # fmt: skip


@pytest.mark.timeout(600)
async def test_a_rolling_restart_and_a_kill_lose_and_double_nothing(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **WORLD) as world, AsyncExitStack() as stack:

        async def start(name, *roles):
            return await stack.enter_async_context(engine_process(settings_of(world, tmp_path, name), *roles))

        wallets = await traders(world, 20)
        server = await start("api", "api", "jobs")
        await server.until_ready(timeout_s=60)
        await world.follow(wallets)
        code, document = await status(world)
        assert (code, document["roles_of_nobody"]) == (1, ["ingest", "decide", "execute", "poll"])

        first = await start("first", *INGESTING)
        await first.until_ready(timeout_s=60)
        await world.until_stored(timeout_s=60)
        began_s = (await world.state())["now_ms"] // 1000
        second = await start("second", *INGESTING)
        await second.until_not_ready_because("lease ingest is held by", timeout_s=60)

        # Stopped in order: the standby does not wait for the lease to run out.
        [before] = await world.fetch(WHO)
        asked_s = trio.current_time()
        first.send(signal.SIGTERM)
        handed_s = await take_over_s(world, asked_s, before)
        assert await first.wait() == 0
        await second.until_ready(timeout_s=60)
        third = await start("third", *INGESTING)
        await third.until_not_ready_because("lease ingest is held by", timeout_s=60)
        document = await until_status(world, "left", "live", "live", "live")
        [holder] = [one for one in document["members"] if "ingest" in one["working"]]
        # Who decides for all holds the shards of those who would decide apart.
        held = {one["name"]: one["epoch"] for one in holder["leases"]}
        assert held.keys() == {"ingest", *every_lease()}
        assert held["ingest"] == before["epoch"] + 1
        live = [one["shares"]["data"] for one in document["members"] if one["state"] == "live"]
        assert sum(live) <= 1

        # Killed: nobody says good-bye.
        [before] = await world.fetch(WHO)
        second.send(signal.SIGKILL)
        killed_s = trio.current_time()
        taken_s = await take_over_s(world, killed_s, before)
        print(f"\nlease {TTL_S:g} s: taken over {handed_s:.2f} s after SIGTERM, {taken_s:.2f} s after SIGKILL")
        assert taken_s <= TAKE_OVER_S
        await third.until_ready(timeout_s=60)
        await until_status(world, "left", "live", "live", "lost")

        for engine in (third, server):
            engine.send(signal.SIGTERM)
            assert await engine.wait() == 0, engine.log_text()[-3000:]
        world.settings |= settings_of(world, tmp_path, "last")
        await check(world, wallets, began_s, ready_s=90)


async def test_an_engine_says_what_it_does_not_serve(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", start_paused=True, wallets=50) as world:
        settings = settings_of(world, tmp_path, "one")
        async with engine_process(settings, "jobs") as jobs, engine_process(settings, "api") as api:
            await jobs.until_ready(timeout_s=60)
            await api.until_ready(timeout_s=60)
            for path in ("/api/admin/engine", "/api/openapi.json"):
                refused = await ask(jobs, path)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_served_here")
                assert "its roles are: jobs" in refused.json()["error"]["message"]
            assert (await ask(jobs, "/feed")).status_code == 503
            assert [(await ask(jobs, path)).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
            assert (await ask(api, "/api/openapi.json")).status_code == 200
            assert (await ask(api, "/api/admin/engine")).status_code == 401
            ready = (await ask(api, "/readyz")).json()
            assert ready["waiting_for"] == {}
            assert "scheduler" not in ready["actors"]
            assert "price_cache" in ready["actors"]
            actors = (await ask(jobs, "/readyz")).json()["actors"]
            assert {"scheduler", "notifier", "member"} <= actors.keys()
            assert "price_cache" not in actors
            rows = await world.fetch(MEMBERS)
            assert sorted(row["working"] for row in rows) == [["api"], ["jobs"]]


def test_what_cannot_run_apart_is_refused_before_anything_starts():
    call = [sys.executable, "-m", "engine.cli.main", "run", "--role", "ingest", "--role", "execute"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "execute goes with ingest and decide" in done.stderr
