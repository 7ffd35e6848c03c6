"""The demo as its user starts it, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import attrs

PASSWORD = "a password of the tests"
ADMIN_TOKEN = "token-of-the-browser-tests-0123456789"
START_S = 90
PLENTY = {
    "POLYCOPY_HTTP__ADMIN_TOKEN": ADMIN_TOKEN,
    "POLYCOPY_HTTP__READS_PER_MINUTE": "1000000",
    "POLYCOPY_HTTP__CHANGES_PER_MINUTE": "1000000",
    "POLYCOPY_HTTP__ADMIN_PER_MINUTE": "1000000",
}


@attrs.frozen
class DemoSite:
    """A running demo."""

    address: str
    log: list[str]
    sessions: dict[str, Any] = attrs.field(factory=dict)
    """Cookies of those who have logged in, by user."""


@contextmanager
def demo_site(*options: str) -> Iterator[DemoSite]:
    """Yields a demo that shows its pages; ends it afterwards, with all it started."""
    argv = [
        sys.executable,
        "-m",
        "engine.cli.main",
        "demo",
        "--live-sim",
        "--rate",
        "0.5",
        "--seconds",
        "3600",
        "--password",
        PASSWORD,
        *options,
    ]
    root = Path(__file__).parents[2]
    environment = {**os.environ, **PLENTY, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=root, env=environment, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    lines, found = list[str](), Queue[str]()

    def read() -> None:
        for line in process.stdout:
            lines.append(line)
            del lines[:-2_000]
            if match := re.search(r"Open (http://\S+?)/ ", line):
                found.put(match[1])
        found.put("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        try:
            address = found.get(timeout=START_S)
        except Empty:
            address = ""
        assert address, "the demo did not start:\n" + "".join(lines[-30:])
        yield DemoSite(address, lines)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(timeout=5)
        process.stdout.close()
