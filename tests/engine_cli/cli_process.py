"""Runs the command line as a user does: in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from click.testing import CliRunner

from engine.cli.main import main

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "engine.cli.main"]
# PR_SET_PDEATHSIG outlives exec; a preexec_fn is not safe beside threads.
DIE_WITH_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"
NOT_THERE = "http://127.0.0.1:9"


def environment(**changes: str) -> dict[str, str]:
    """This process's without settings of Polycopy, and with the packages of this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYCOPY_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"} | changes


def polycopy(
    *arguments: object, env: Mapping[str, str] | None = None, stdin: str = "", cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [*PROGRAM, *map(str, arguments)]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, env=environment(**(env or {})), cwd=cwd
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def invoke(
    *arguments: object, env: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """The same in this process: for tests of many calls. Needs the fixture `own_logging`."""
    unset = dict.fromkeys(name for name in os.environ if name.startswith("POLYCOPY_"))
    result = CliRunner().invoke(main, [*map(str, arguments)], input=stdin, env={**unset, **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess([], result.exit_code, result.stdout, result.stderr)


def json_of(done: "subprocess.CompletedProcess[str]") -> Any:
    """The one JSON document on standard output."""
    return json.loads(done.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def background(*command: object, log: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that stops with the block, and with this one however that ends."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", DIE_WITH_PARENT, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(),
        )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


@attrs.frozen(kw_only=True)
class LiveEngine:
    """An engine that follows nobody yet, on a simulated venue and an embedded database."""

    config_file: Path
    home: Path
    urls: dict[str, str]

    def polycopy(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        return polycopy("--config", self.config_file, *arguments)


@contextmanager
def live_engine(home: Path) -> Iterator[LiveEngine]:
    options = ("--lag-scale", "0", "--rate", "2", "--wallets", "300", "--markets", "20")
    with background(sys.executable, "-m", "engine.simulator", *options, log=home / "simulator.log") as simulator:
        assert simulator.stdout is not None
        urls = json.loads(simulator.stdout.readline())
        port = free_port()
        config_file = home / "polycopy.toml"
        config_file.write_text(configuration(urls, home, port))
        with background(*PROGRAM, "--config", config_file, "run", log=home / "engine.log") as engine:
            wait_until(lambda: _is_ready(port), engine, home / "engine.log")
            yield LiveEngine(config_file=config_file, home=home, urls=urls)


def configuration(urls: Mapping[str, str], home: Path, port: int) -> str:
    venue = "\n".join(f'{name} = "{url}"' for name, url in urls.items() if name != "control_url")
    database = f'data_dir = "{home / "postgres"}"'
    return f"[venue]\n{venue}\n[database]\n{database}\n[http]\nport = {port}\n[filter]\ntargets_poll_s = 0.2\n"


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
