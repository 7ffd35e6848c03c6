import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest
from engine_cli.cli_process import PROGRAM, environment, json_of

WALLETS = [f"0x{number:040x}" for number in range(100, 110)]


def until(condition):
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_status_of_a_ready_engine(engine):
    done = engine.polycopy("status", "--json")
    assert done.returncode == 0
    document = json_of(done)
    running = document["engine"]
    assert (running["reachable"], running["ready"], running["metrics_error"]) == (True, True, None)
    assert [row["channel"] for row in running["channels"]] == [
        "raw_trades",
        "copy_trades",
        "writer",
        "gap_requests",
        "market_requests",
        "position_events",
    ]
    assert all(row["up"] and row["restarts"] == 0 for row in running["actors"])
    assert {"stream_reader", "sync_writer", "gap_filler"} <= {row["actor"] for row in running["actors"]}
    assert 0 < running["heap_bytes"] < running["memory_limit_bytes"]
    assert {"inserted", "spilled"} <= running["rows_written"].keys()
    # Jobs have leases, too, while they run.
    held = {lease["name"]: lease["held"] for lease in document["database"]["leases"]}
    assert held["ingest"]
    assert document["database"]["migrations_pending"] == []


def test_status_as_text(engine):
    done = engine.polycopy("status")
    assert done.returncode == 0
    assert done.stdout.startswith("engine: ready\n")
    for text in ("memory", "scheduler lag", "raw_trades", "stream_reader", "lease           ingest: held by"):
        assert text in done.stdout


def test_follows_reach_the_running_engine(engine):
    assert engine.polycopy("follow", "add", *WALLETS).returncode == 0
    until(lambda: json_of(engine.polycopy("status", "--json"))["engine"]["target_wallets"] >= len(WALLETS))
    assert json_of(engine.polycopy("follow", "rm", *WALLETS, "--json"))["removed"] == WALLETS


def test_the_doctor_finds_nothing(engine):
    done = engine.polycopy("doctor")
    assert done.returncode == 0, done.stdout
    assert "an engine runs here, ready" in done.stdout
    assert "FAIL" not in done.stdout
    assert "clob sockets" in done.stdout


def test_a_picture_of_top_in_a_pipe(engine):
    done = engine.polycopy("top", "--interval-s", "0.5")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert re.search(r"heap +\[[#.]{20}\]", done.stdout)
    assert re.search(r"frames +\d+\.\d/s", done.stdout)
    assert re.search(r"raw_trades +\[", done.stdout)


@pytest.fixture
def terminal(engine):
    """`polycopy top` on a terminal of 30 lines, and what it has drawn."""
    keyboard, screen = pty.openpty()
    termios.tcsetwinsize(screen, (30, 120))
    command = [*PROGRAM, "--config", str(engine.config_file), "top", "--interval-s", "0.2"]
    process = subprocess.Popen(
        command, stdin=screen, stdout=screen, stderr=screen, env=environment(TERM="xterm"), start_new_session=True
    )
    drawn = bytearray()

    def read(until_text):
        deadline = time.monotonic() + 20
        while until_text not in drawn:
            assert time.monotonic() < deadline, bytes(drawn)
            if select.select([keyboard], [], [], 0.2)[0]:
                drawn.extend(os.read(keyboard, 65536))
        return bytes(drawn)

    try:
        yield process, keyboard, screen, read
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
        os.close(screen)


@pytest.mark.parametrize("stop", ["key", signal.SIGTERM])
def test_top_draws_until_it_is_ended_and_gives_the_terminal_back(terminal, stop):
    process, keyboard, screen, read = terminal
    before = termios.tcgetattr(screen)
    assert b"\x1b[?1049h" in read(b"raw_trades")
    if stop == "key":
        os.write(keyboard, b"q")
    else:
        process.send_signal(stop)
    read(b"\x1b[?1049l")
    assert process.wait(timeout=10) == 0
    assert termios.tcgetattr(screen) == before
