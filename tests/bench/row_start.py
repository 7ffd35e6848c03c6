"""From the command to a 200 of `/readyz`: with an empty data directory, which is made on disk, and once more on it."""

import time

import trio

from .bench import Bench
from .figures import Figure, median
from .processes import blaster, end, engine

REPETITIONS = (3, 5)


async def measure(bench: Bench) -> list[Figure]:
    """Starts `polycopy run` with its own database several times, each time from nothing and then again."""
    cold: list[float] = []
    warm: list[float] = []
    async with blaster() as sender:
        for _ in range(REPETITIONS[0] if bench.quick else REPETITIONS[1]):
            home = bench.home()
            for taken in (cold, warm):
                began_s = time.perf_counter()
                async with engine(sender, home, dsn=None) as running:
                    with trio.fail_after(60):
                        await running.wait_ready()
                    taken.append(time.perf_counter() - began_s)
                    await end(running.process, 20)
            bench.say(f"  cold {cold[-1]:.2f} s, warm {warm[-1]:.2f} s")
    return [
        Figure(
            row="start",
            what=f"{name} start to ready",
            value=median(taken),
            unit="s",
            target=3.0,
            note=f"{min(taken):.2f}..{max(taken):.2f}",
        )
        for name, taken in (("cold", cold), ("warm", warm))
    ]
