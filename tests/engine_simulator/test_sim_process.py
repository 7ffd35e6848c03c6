import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trio
from engine_simulator.loopback_http import NO_TLS
from simulator_clients import PLATFORM_TAPE, needs_recordings
from trio_websocket import open_websocket_url

SURFACES = {"rtds_url", "clob_url", "clob_ws_url", "gamma_url", "data_url", "control_url"}


@contextmanager
def simulator(*arguments):
    command = [sys.executable, "-m", "engine.simulator", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def urls_of(process):
    return json.loads(process.stdout.readline())


def cpu_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, "stop"])
def test_the_first_line_is_json_with_the_urls_and_it_stops_cleanly(ending):
    with simulator("--seed", 3, "--markets", 10, "--wallets", 50, "--json") as process:
        urls = urls_of(process)
        assert urls.keys() == SURFACES
        assert httpx.get(urls["control_url"] + "/state").json()["seed"] == 3
        assert httpx.get(urls["clob_url"] + "/ok").json() == "OK"
        if ending == "stop":
            httpx.post(urls["control_url"] + "/stop", json={})
        else:
            process.send_signal(ending)
        assert process.wait(10) == 0
        assert process.stdout.read() == ""


def test_a_tape_that_cannot_be_played_is_an_error(tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_text("")
    with simulator("--tape", path) as process:
        assert process.wait(10) == 1
        assert "no trade rows" in process.stderr.read()
    with simulator("--tape", tmp_path / "none.jsonl") as process:
        assert process.wait(10) == 2
    with simulator("--speed", "fast") as process:
        assert process.wait(10) == 2


@needs_recordings
async def test_one_core_emits_at_least_five_thousand_rows_a_second():
    arguments = ("--tape", PLATFORM_TAPE, "--speed", "max", "--lag-scale", 0, "--start-paused")
    with simulator(*arguments) as process:
        urls = await trio.to_thread.run_sync(urls_of, process)
        options = {"message_queue_size": 20_000, "receive_buffer_size": 1 << 16}
        async with httpx.AsyncClient(verify=NO_TLS) as http, open_websocket_url(urls["rtds_url"], **options) as socket:
            subscription = {"action": "subscribe", "subscriptions": [{"topic": "activity", "type": "*"}]}
            await socket.send_message(json.dumps(subscription))
            assert await socket.get_message() == ""
            began = cpu_seconds(process)
            await http.post(urls["control_url"] + "/play", json={})
            with trio.fail_after(30):
                for _ in range(7_900):
                    await socket.get_message()
            rate = 7_900 / (cpu_seconds(process) - began)
            await http.post(urls["control_url"] + "/stop", json={})
        assert await trio.to_thread.run_sync(process.wait, 10) == 0
    # By the time of the processor, since others use the machine too.
    assert rate >= 5_000
