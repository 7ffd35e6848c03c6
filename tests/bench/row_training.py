"""What a training beside a running engine does to it: loop lag and time to the committed row, with and without.

Two engines in turn on databases of their own, each under 50 target trades a second; beside the second `polycopy model train`
runs on a made-up platform in the same server. Rounds alternate, so that what else the machine does meets both.
"""

import sys
from pathlib import Path

import attrs
import trio

from .bench import Bench
from .figures import Figure, median
from .frames import TARGET, wallets
from .processes import blaster, engine, running
from .row_latency import HISTOGRAM, own_quantiles_ms
from .training_cost import planted

RATE = 50
LAG_SAMPLE_S = 0.5
LAG = "polycopy_loop_lag_seconds"
SEEN_FROM_MS = 1.0
"""The gauge shows 0 for whatever is shorter; nothing is told apart below."""


@attrs.frozen(kw_only=True)
class Beside:
    """What one engine saw."""

    lag_p99_ms: float
    row_p50_ms: float
    row_p99_ms: float
    trainings: int
    seconds: float


async def measure(bench: Bench) -> list[Figure]:
    """Runs rounds of both kinds."""
    trades, seconds = int(bench.either(50_000, 200_000)), bench.either(20, 60)
    source = await planted(bench.server, trades)
    alone, beside = list[Beside](), list[Beside]()
    for _ in range(int(bench.either(2, 3))):
        alone.append(await _run(bench, seconds, None, trades))
        beside.append(await _run(bench, seconds, source.dsn(), trades))
        bench.say(f"  alone {alone[-1]}")
        bench.say(f"  beside {beside[-1]}")
    load = Path("/proc/loadavg").read_text().split()[0]
    note = f"{trades:,} trades trained on, {sum(one.trainings for one in beside)} times; load average {load}"
    return [
        _figure(what, [read(one) for one in alone], [read(one) for one in beside], note)
        for what, read in (
            ("loop lag p99", lambda one: one.lag_p99_ms),
            ("trade → row p50", lambda one: one.row_p50_ms),
            ("trade → row p99", lambda one: one.row_p99_ms),
        )
    ]


async def _run(bench: Bench, seconds: float, train_on: str | None, trades: int) -> Beside:
    database = await bench.database()
    await database.follow(wallets(TARGET, 20))
    done, lags = [0], list[float]()
    async with blaster() as sender, engine(sender, bench.home(), dsn=database.dsn()) as started:
        await started.wait_ready()
        await sender.wait_clients()
        await sender.order("pace", label="warm", rate=RATE, noise_rate=0, seconds=3)
        async with trio.open_nursery() as nursery:

            async def look() -> None:
                while True:
                    lags.append((await started.metrics())[LAG] * 1000)
                    await trio.sleep(LAG_SAMPLE_S)

            if train_on is not None:
                nursery.start_soon(_train_again, train_on, trades, done)
                await trio.sleep(2)
            before = await started.metrics()
            nursery.start_soon(look)
            await sender.order("pace", label="beside", rate=RATE, noise_rate=500, seconds=seconds, seed=2)
            await trio.sleep(0.5)
            p50_ms, p99_ms = await own_quantiles_ms(started, before, HISTOGRAM)
            nursery.cancel_scope.cancel()
    return Beside(lag_p99_ms=lags[-1], row_p50_ms=p50_ms, row_p99_ms=p99_ms, trainings=done[0], seconds=seconds)


async def _train_again(dsn: str, trades: int, done: list[int]) -> None:
    """Trains until cancelled."""
    argv = [
        sys.executable, "-m", "engine.cli.main", "--set", f"database.url={dsn}", "model", "train", "--json", "--no-keep",
        "--days", "3000", "--rows-max", str(trades),
    ]  # fmt: skip
    while True:
        done[0] += 1
        async with running(argv, end_s=2, stdout=-3) as process:
            await process.wait()


def _figure(what: str, alone: list[float], beside: list[float], note: str) -> Figure:
    reference = max(SEEN_FROM_MS, median(alone))
    return Figure(
        row="training",
        what=f"{what} beside a training",
        value=max(SEEN_FROM_MS, median(beside)),
        unit="ms",
        target=1.2 * reference,
        reference=reference,
        reference_text=f"{reference:.3g} ms without, this run",
        note=note,
    )
