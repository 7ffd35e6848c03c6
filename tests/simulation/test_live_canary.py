"""A private key that would be recognised anywhere: nothing that an engine writes, says or shows has it."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from crash import canary_engine
from crash.engine_process import EngineProcess, free_port
from crash.live_world import LiveWorld, live_world
from engine_cli.cli_process import PROGRAM, environment
from engine_simulator.loopback_http import NO_TLS
from simulation.canary import creds_needles, dumped, files_below, key_needles, together

from engine.adapters.clob_account_api import create_or_derive_key
from engine.adapters.clob_lanes import open_lanes
from engine.adapters.signer import Signer
from engine.adapters.system_clock import SystemClock
from protocols.venue.clob_auth import ApiCreds
from protocols.venue.order_typed_data import keccak256

SEED = 77
SECRET = keccak256(f"polycopy test account {SEED}".encode())
TOKEN = "bootstrap-token-of-the-canary"
KNOWN = {"strategyId": "LT_MIRROR", "walletId": "MIRROR", "name": "lt-execute", "account": "main"}
COMMANDS = (
    ["config", "show"], ["config", "show", "--json"], ["live", "show", "LT_MIRROR", "--json"], ["live", "list", "--json"],
    ["live", "logs", "--json"], ["doctor", "--json"], ["status", "--json"],
)  # fmt: skip


def accounts_lanes(url: str) -> Any:
    return open_lanes(url, lanes=1, timeout_s=5, user_agent="canary", requests=Counter())


async def api_creds(live: LiveWorld) -> ApiCreds:
    """The engine's own: the venue gives the same ones to whoever has the key."""
    async with accounts_lanes(live.world.settings["venue.clob_url"]) as lanes:
        return await create_or_derive_key(lanes, Signer(SECRET), chain_id=137, clock=SystemClock())


def launched(settings: dict[str, str], log: Any) -> EngineProcess:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(Path(canary_engine.__file__))],
        stderr=log,
        stdout=log,
        env={**os.environ, **variables(settings), "POLYCOPY_HTTP__PORT": str(port)},
    )
    return EngineProcess(process=process, port=port, log=log)


def variables(settings: dict[str, str]) -> dict[str, str]:
    return {f"POLYCOPY_{name.upper().replace('.', '__')}": value for name, value in settings.items()}


async def say(*arguments: str, settings: dict[str, str]) -> str:
    """All that a command says, whatever it thinks of it."""
    done = await trio.run_process(
        [*PROGRAM, *arguments],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=environment(**variables(settings)),
    )
    return (done.stdout + done.stderr).decode()


async def walk(http: httpx.AsyncClient, known: dict[str, str]) -> dict[str, str]:
    """Bodies and heads of every GET route, streams as far as they come in half a second."""
    document = (await http.get("/api/openapi.json")).json()
    said = {"/api/openapi.json": json.dumps(document)}
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        address = re.sub(r"{(\w+)}", lambda match: known.get(match[1], "unknown"), path)
        needed = [one["name"] for one in operations["get"].get("parameters", ()) if one["in"] == "query"]
        query = {name: known[name] for name in needed if name in known}
        with trio.move_on_after(1.0 if path.endswith("stream") else 20):
            async with http.stream("GET", address, params=query) as response:
                said[path] = f"{response.status_code} {response.headers}"
                async for part in response.aiter_text():
                    said[path] += part
    for path in ("/metrics", "/healthz", "/readyz"):
        said[path] = (await http.get(path)).text
    return said


async def until_filled(live: LiveWorld, engine: EngineProcess, count: int, timeout_s: float = 30) -> None:
    with trio.move_on_after(timeout_s):
        while (await live.world.fetch("SELECT count(*) AS fills FROM lt_fills"))[0]["fills"] < count:
            await trio.sleep(0.1)
        return
    raise AssertionError(f"not {count} fills within {timeout_s} s: {engine.log_text()[-3000:]}")


async def make_trouble(live: LiveWorld) -> None:
    """Everything that makes an engine say more than usual."""
    await live.fault("error_before", status=401, count=2)
    await live.fault("error_before", status=500, html=True, count=1)
    await live.fault("status_error", status=401, count=2)
    await live.fault("answer_lost", count=1)
    await live.fault("trade_failed", count=1)
    await trio.sleep(2)
    await live.world.fault("refuse", surface="clob", duration_s=1.5)
    await live.world.fault("reset")
    await trio.sleep(2)


@pytest.mark.timeout(180)
async def test_a_whole_engine_that_trades_and_fails_shows_no_secret_anywhere():
    async with live_world(SEED) as live:
        settings = {**live.world.settings, "http.admin_token": TOKEN, "logging.level": "debug"}
        key_file = Path(settings["live.accounts.main.key_file"])
        assert bytes.fromhex(key_file.read_text()) == SECRET
        needles = together(key_needles(SECRET), creds_needles(await api_creds(live)))
        said = dict[str, Any]()
        with tempfile.TemporaryFile() as log:
            engine = launched(settings, log)
            try:
                await engine.until_ready(30)
                await until_filled(live, engine, 8)
                await make_trouble(live)
                await until_filled(live, engine, 14)
                assert_undumpable(engine)
                settings["http.port"] = str(engine.port)
                for command in COMMANDS:
                    said[" ".join(command)] = await say(*command, settings=settings)
                key_file.chmod(0o644)
                said["doctor, key for everybody"] = await say("doctor", "--json", settings=settings)
                key_file.chmod(0o600)
                async with httpx.AsyncClient(
                    verify=NO_TLS, base_url=f"http://127.0.0.1:{engine.port}", headers={"Authorization": f"Bearer {TOKEN}"},
                    trust_env=False, timeout=15,
                ) as http:  # fmt: skip
                    said |= await walk(http, KNOWN | await names(live))
            finally:
                engine.process.terminate()
                await engine.wait()
            said["the log"] = engine.log_text()
        said |= await dumped(live.world.database)
        said |= files_below(Path(settings["writer.spill_dir"]))
        key_file.chmod(0o644)
        said["a start with a key for everybody"] = await refused_start(settings)
        assert_said_enough(said, live.addresses["main"])
        leaks = [leak for where, text in said.items() for leak in needles.found(where, text)]
        assert not leaks


async def names(live: LiveWorld) -> dict[str, str]:
    [row] = await live.world.fetch(
        "SELECT lt_order_id::text AS order_id, cause, condition_id, token_id FROM lt_orders"
        " WHERE filled_shares > 0 AND origin = 'copy' LIMIT 1"
    )
    return {
        "orderId": row["order_id"], "tradeId": row["cause"], "conditionId": row["condition_id"], "token": row["token_id"],
    }  # fmt: skip


async def refused_start(settings: dict[str, str]) -> str:
    with tempfile.TemporaryFile() as log:
        engine = launched({**settings, "http.port": "0"}, log)
        with trio.move_on_after(15):
            while "others may read it" not in engine.log_text() and engine.process.poll() is None:
                await trio.sleep(0.1)
        engine.process.kill()
        engine.process.wait()
        return engine.log_text()


def assert_undumpable(engine: EngineProcess) -> None:
    limits = Path(f"/proc/{engine.process.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits), limits
    assert '{"dumpable": 0}' in engine.log_text()
    # What may not be dumped belongs to root, whoever runs it.
    assert os.stat(f"/proc/{engine.process.pid}/mem").st_uid == 0


def assert_said_enough(said: dict[str, Any], address: str) -> None:
    """Otherwise nothing was looked at."""
    log = said["the log"]
    for text in ("canary failure", "Traceback", '"level": "debug"', address, "<signer 0x", "<API credentials"):
        assert text in log, f"{text} is not in the log"
    assert "others may read it" in said["doctor, key for everybody"]
    assert "others may read it" in said["a start with a key for everybody"]
    assert address in said["doctor --json"]
    assert '"strategy_id"' in said["live show LT_MIRROR --json"] or "LT_MIRROR" in said["live show LT_MIRROR --json"]
    assert "key_file" in said["config show"]
    assert "polycopy_orders_total" in said["/metrics"]
    assert len([path for path in said if path.startswith("/api/")]) > 30
    assert sum(text.startswith("200 ") for path, text in said.items() if path.startswith("/api/")) > 25
    assert address.lower().encode() in said["public.lt_orders"].lower()
    assert len(said["public.lt_execute_logs"] + said["public.lt_fills"]) > 1_000
