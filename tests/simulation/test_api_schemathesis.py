"""What schemathesis finds against the engine's own OpenAPI document. It is no dependency: it has to be on the path."""

import shutil
import subprocess

import pytest
import trio
from simulation.api_world import ADMIN, QUIET, api_engine, traders
from simulation.ingest_world import ingest_world

# What a schema cannot say: that exactly one of three parameters is given, and that a cursor is one that was handed out.
SETTINGS = """
[[operations]]
include-path-regex = "^/api/polymarket/(price|market)$"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/api/v2/feed/trades"
checks.positive_data_acceptance.enabled = false
"""
BUDGET_S = 45
PROGRAM = shutil.which("schemathesis")


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="schemathesis is not installed")
async def test_no_request_that_can_be_made_up_breaks_the_api_or_its_document(database, tmp_path):
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS)
    async with (
        ingest_world(database, tmp_path / "spill", **{**QUIET, "rate_scale": 8}) as world,
        api_engine(world, tmp_path) as engine,
    ):
        await engine.process.until_ready()
        await engine.done("POST", "/api/follows", {"wallets": await traders(world, 30)})
        command = [
            *(
                PROGRAM,
                "--config-file",
                str(settings),
                "run",
                f"http://127.0.0.1:{engine.process.port}/api/openapi.json",
            ),
            *("--header", f"Authorization: Bearer {ADMIN}", "--exclude-path-regex", "stream$", "--no-color"),
            *("--max-time", str(BUDGET_S), "--max-examples", "20", "--request-timeout", "8"),
        ]
        done = await trio.to_thread.run_sync(
            lambda: subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path)
        )
        assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-1_000:]
        assert not [line for line in engine.process.log_lines() if line["level"] in ("error", "critical")]
        assert engine.process.process.poll() is None
