"""`python -m tests.bench.upstream_minutes USERS [MINUTES]`: what so many users cost the venue, minute by minute, by who asks.

The world of `--only impact`, one size of it, with live trading on and pollers off: ten minutes instead of half an hour.
"""

import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import trio

from .bench import Bench, opened_bench
from .impact_world import ACTIVE_MARKETS, User, impact_engine, looked_at, mirror, populated, venue
from .processes import EngineHandle
from .row_impact import LIVE_ON, MARKETS_SEEN, POLLERS_OFF, opened, orders_of, price_lines
from .upstream_calls import upstream_calls

WARM_S = 105
TARGETS = {"clob": 10, "gamma": 36, "data": 5}


async def measure(scratch: Path, count: int, minutes: int) -> None:
    """Prints a row a minute, and the mean of each API beside its target."""
    async with opened_bench(scratch=scratch, quick=True, say=print) as bench, venue(bench) as place:
        database = await bench.database()
        people = await populated(database, place.wallets, count)
        await mirror(database)
        async with impact_engine(bench, place, database, POLLERS_OFF | LIVE_ON) as engine:
            await trio.sleep(WARM_S)
            markets = [row["condition_id"] for row in await database.fetch(ACTIVE_MARKETS, MARKETS_SEEN)]
            await opened(engine, people, markets)
            totals = await _watched(bench, engine, people, markets, minutes)
    for api, target in TARGETS.items():
        print(f"{api}: {totals[api] / minutes:.1f} calls a minute, target at most {target}")


async def _watched(
    bench: Bench, engine: EngineHandle, people: list[User], markets: list[str], minutes: int
) -> Counter[str]:
    totals, lines = Counter[str](), price_lines(people, markets)

    async def look() -> None:
        await looked_at(engine, lines, connections=len(people), seconds=60 * minutes + 5, interval_s=1.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        before, at_s = await engine.metrics(), trio.current_time()
        for minute in range(minutes):
            at_s += 60
            await trio.sleep_until(at_s)
            after = await engine.metrics()
            calls = {who: count for who, count in upstream_calls(after, before).items() if count}
            for (api, _), count in calls.items():
                totals[api] += count
            text = ", ".join(f"{api} {user} {count}" for (api, user), count in sorted(calls.items()))
            bench.say(f"minute {minute + 1}: {text}; orders {orders_of(after) - orders_of(before):g}")
            before = after
        nursery.cancel_scope.cancel()
    return totals


def main() -> None:
    """Runs it in a directory that is gone afterwards."""
    count, minutes = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    scratch = Path(tempfile.mkdtemp(prefix="polycopy-bench-"))
    # An unprivileged server has to pass through.
    scratch.chmod(0o711)
    try:
        trio.run(measure, scratch, count, minutes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
