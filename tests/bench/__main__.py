"""`python -m tests.bench [--quick] [--only NAME]... [--json]`: measures and prints one table."""

import argparse
import importlib
import logging
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import trio

from .bench import Bench, opened_bench
from .figures import Figure, as_json, table

# name → longest time in minutes: quick, full
ROWS = {
    "stall": (3, 5),
    "burst": (3, 3),
    "memory": (6, 6),
    "growth": (5, 20),
    "frame_cpu": (5, 10),
    "throughput": (4, 6),
    "latency": (3, 5),
    "start": (3, 3),
    "feed": (5, 30),
    "prices": (3, 6),
    "forward": (4, 8),
    "replay": (3, 5),
    "score": (2, 2),
    "training": (8, 20),
    "live": (8, 15),
    "impact": (30, 50),
    "replicas": (8, 16),
    "edges": (5, 10),
    "seam": (2, 4),
}


def main() -> int:
    """Returns 0 when everything was measured, whatever the figures, and 1 when something could not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs: about five minutes instead of half an hour")
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--dir", type=Path, help="where to work; on a disk, or commits cost nothing")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    scratch = Path(tempfile.mkdtemp(prefix="polycopy-bench-", dir=chosen.dir))
    # An unprivileged server has to pass through.
    scratch.chmod(0o711)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    try:
        trio.run(_measure, scratch, chosen.quick, chosen.only or list(ROWS), figures, failures)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(as_json(figures, failures) if chosen.json else table(figures))
    for name, reason in failures.items():
        print(f"{name}: not measured: {reason}", file=sys.stderr)
    return 1 if failures else 0


async def _measure(
    scratch: Path, quick: bool, names: list[str], figures: list[Figure], failures: dict[str, str]
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_sigterm, nursery.cancel_scope)
        async with opened_bench(scratch=scratch, quick=quick, say=_say) as bench:
            for name in dict.fromkeys(names):
                _say(f"{name} …")
                began_s = time.perf_counter()
                try:
                    figures += await _row(bench, name)
                except Exception as error:
                    failures[name] = _text(error)
                _say(f"{name}: {time.perf_counter() - began_s:.0f} s")
        nursery.cancel_scope.cancel()


async def _row(bench: Bench, name: str) -> list[Figure]:
    with trio.fail_after(60 * ROWS[name][0 if bench.quick else 1]):
        found: list[Figure] = await importlib.import_module(f".row_{name}", __package__).measure(bench)
    return found


async def _end_on_sigterm(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


def _text(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
