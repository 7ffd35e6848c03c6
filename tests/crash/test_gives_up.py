import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(90)
def test_an_actor_that_crashes_again_and_again_ends_the_process_with_70(database, tmp_path):
    settings = {
        "POLYCOPY_DATABASE__URL": database.dsn,
        "POLYCOPY_HTTP__PORT": "0",
        "POLYCOPY_LOGGING__FORMAT": "json",
        "POLYCOPY_WRITER__SPILL_DIR": str(tmp_path / "spill"),
        "POLYCOPY_VENUE__RTDS_URL": "ws://127.0.0.1:9",
        "POLYCOPY_VENUE__DATA_URL": "http://127.0.0.1:9",
        "POLYCOPY_VENUE__GAMMA_URL": "http://127.0.0.1:9",
    }
    script = Path(__file__).with_name("crashing_engine.py")
    ended = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert ended.returncode == 70, ended.stderr[-2000:]
    crashes = [line for line in lines if line["message"] == "actor crashed" and line["actor"] == "trade_filter"]
    # Six crashes spend the budget of five restarts; the group may start over twice.
    assert len(crashes) == 18
    assert lines[-1]["message"] == "the supervisor gave up"
