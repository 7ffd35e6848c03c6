"""An administrator tunes a running engine: the file changes, channels change under load, nothing is lost."""

import re

import trio
from engine_cli.cli_process import json_of, polycopy
from simulation.api_world import QUIET, api_engine, emit, traders
from simulation.ingest_world import ingest_world

TEXT = "# of this machine ☕\n[channels]\nwriter = { capacity = 500 } # small\n\n[retention]\nfollowed_days = 30\n"
CONFIG = "/api/admin/config"


async def capacities(engine):
    text = (await engine.get("/metrics")).text
    return {
        name: float(value)
        for name, value in re.findall(r'^polycopy_channel_capacity{channel="(\w+)"} (\S+)', text, re.M)
    }


async def changed(engine, **changes):
    version = (await engine.done("GET", CONFIG))["file"]["version"]
    paths = {path.replace("__", "."): value for path, value in changes.items()}
    return await engine.done("PATCH", CONFIG, {"changes": paths, "version": version})


async def test_a_running_engine_is_tuned_undone_and_tuned_by_command(database, tmp_path, monkeypatch):
    file = tmp_path / "polycopy.toml"
    monkeypatch.setenv("POLYCOPY_CONFIG", str(file))
    file.write_text(TEXT)
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        await engine.process.until_ready()
        shown = await engine.done("GET", CONFIG)
        rows = {row["path"]: row for row in shown["settings"]}
        assert shown["problems"] == []
        assert (rows["channels.writer.capacity"]["value"], rows["channels.writer.capacity"]["source"]) == (500, "file")
        assert rows["filter.targets_poll_s"]["source"] == "command line"
        assert rows["database.url"]["place"] == "POLYCOPY_DATABASE__URL"
        assert database.dsn not in str(shown)

        answer = await changed(
            engine, channels__writer__capacity=20, channels__raw_trades__capacity=9, prices__ttl_ms=900
        )
        assert {one["path"] for one in answer["applied"]} == {
            "channels.writer.capacity",
            "channels.raw_trades.capacity",
        }
        assert [one["path"] for one in answer["needsRestart"]] == ["prices.ttl_ms"]
        sizes = await capacities(engine)
        assert (sizes["writer"], sizes["raw_trades"], sizes["copy_trades"]) == (20, 9, 4_096)
        assert file.read_text().startswith("# of this machine ☕\n[channels]\nwriter = { capacity = 20 } # small\n")
        assert (await engine.done("GET", CONFIG))["history"][0]["by"] == "user admin"

        refused = await engine.ask(
            "PATCH",
            CONFIG,
            json={"changes": {"filter.targets_poll_s": 1, "retention.log_days": 5}, "version": answer["version"]},
        )
        assert refused.status_code == 400
        problems = {one["field"]: one["message"] for one in refused.json()["error"]["problems"]}
        assert "command line" in problems["filter.targets_poll_s"]
        assert "file only" in problems["retention.log_days"]

        done = await trio.to_thread.run_sync(
            lambda: polycopy(
                "config", "set", "channels.writer.shed_above=7", "--json", env={"POLYCOPY_CONFIG": str(file)}
            )
        )
        assert json_of(done)["reload"] == ["channels.writer.shed_above"]
        stale = await engine.ask(
            "PATCH", CONFIG, json={"changes": {"prices.ttl_ms": 800}, "version": answer["version"]}
        )
        assert (stale.status_code, stale.json()["error"]["code"]) == (409, "changed_since")
        applied = (await engine.done("POST", "/api/admin/reload"))["applied"]
        assert [one["path"] for one in applied] == ["channels.writer.shed_above"]

        await engine.done("POST", f"{CONFIG}/undo")
        assert "capacity = 20 } # small" in file.read_text()
        await engine.done("POST", f"{CONFIG}/undo")
        assert file.read_text() == TEXT
        assert (await capacities(engine))["writer"] == 500
        assert engine.process.process.poll() is None


async def test_channels_that_shrink_and_grow_under_load_lose_no_trade_of_a_target(database, tmp_path, monkeypatch):
    file = tmp_path / "polycopy.toml"
    monkeypatch.setenv("POLYCOPY_CONFIG", str(file))
    file.write_text("")
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        await engine.process.until_ready()
        [wallet] = await traders(world, 1)
        await world.follow([wallet], target=True)
        with trio.fail_after(20):
            while not (await world.stored()).total():
                await emit(world, wallet)
                await trio.sleep(0.2)
        before = (await world.stored()).total()
        async with world.locked_trades():
            for capacity in (1, 300, 2):
                await emit(world, *[wallet] * 40)
                names = ("writer", "raw_trades", "copy_trades", "gap_requests")
                await changed(engine, **{f"channels__{name}__capacity": capacity for name in names})
        await world.until_stored(before + 120, timeout_s=40)
        # What raw_trades had no room for was read again from history: its reader cannot wait. Nobody else drops.
        text = (await engine.get("/metrics")).text
        dropped = re.findall(r'^polycopy_channel_dropped_total{channel="(?:writer|copy_trades)",.*} (\S+)', text, re.M)
        assert not [count for count in dropped if float(count)]
