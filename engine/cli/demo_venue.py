"""The venue of the demo: a simulator in a process of its own."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

import click


@contextlib.contextmanager
def simulated_venue(*, rate: float, seed: int) -> Iterator[dict[str, str]]:
    """Runs the venue's other side in a process of its own and yields its addresses."""
    command = [sys.executable, "-m", "engine.simulator", "--rate", str(rate), "--seed", str(seed), "--lag-scale", "0.2"]
    # Markets live a fiftieth of their time, so that positions are settled while somebody looks.
    command += ["--life-scale", "0.02"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise click.ClickException("the simulator did not start")
        yield json.loads(line)
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
