"""From a trade on the wire to its committed row, at 50 target trades a second.

Two clocks that agree: the engine's own histogram (arrival of the frame to the answer of the commit), and an outside
observer. The sender writes the machine's monotonic time into the frame just before it hands it to the kernel; a trigger
notifies at commit, and PostgreSQL delivers notifications only after the commit is durable and visible. The observer's
figure is therefore an upper bound: it contains the notification and the observer's own wake-up.
"""

import time
from bisect import bisect_left

import asyncpg
import attrs
import trio

from engine.adapters.postgres.database import Connection

from .bench import Bench
from .databases import BenchDatabase
from .figures import Figure, quantile
from .frames import TARGET, wallets
from .processes import EngineHandle, blaster, cpu_s, engine

RATE = 50
OBSERVE = (
    """
    CREATE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('bench_rows', max(ingest_seq)::text) FROM added HAVING count(*) > 0;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER bench_rows AFTER INSERT ON trades_public REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION bench_notify()
    """,
)
SENT = "SELECT ingest_seq, split_part(raw->>'bio', ' ', 2)::bigint AS sent_ns FROM trades_public ORDER BY ingest_seq"
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
HISTOGRAM = "polycopy_trade_to_row_seconds_bucket"


@attrs.frozen(kw_only=True)
class Waits:
    """What a run saw."""

    waits_ms: list[float]
    sent: int
    own_ms: tuple[float, float]
    """p50 and p99 by the engine's own histogram."""
    transactions: float
    """Commits in the database for each trade."""
    cpu_ms: float
    """Processor time of the engine for each trade."""


async def measure(bench: Bench) -> list[Figure]:
    """Sends a Poisson process of target trades and reads when each row was committed."""
    database = await bench.database()
    await database.follow(wallets(TARGET, 20))
    seen = await observed(bench, database, bench.either(20, 60))
    note = f"{len(seen.waits_ms)} of {seen.sent} rows seen; engine's own histogram {seen.own_ms[0]:.2g} ms"
    return [
        _figure(seen.waits_ms, 0.50, 3.0, note),
        _figure(seen.waits_ms, 0.99, 15.0, f"engine's own histogram {seen.own_ms[1]:.2g} ms"),
    ]


async def observed(bench: Bench, database: BenchDatabase, seconds: float) -> Waits:
    """Runs an engine on a database for so long, at 50 target trades a second."""
    for statement in OBSERVE:
        await database.fetch(statement)
    commits: list[tuple[int, int]] = []
    connection = Connection(database.options, "bench observer")

    async def listen(raw: asyncpg.Connection) -> None:
        await raw.add_listener("bench_rows", lambda *event: commits.append((int(event[3]), time.monotonic_ns())))

    await connection.run(listen)
    async with blaster() as sender, engine(sender, bench.home(), dsn=database.dsn()) as running:
        await running.wait_ready()
        await sender.wait_clients()
        # The first commits prepare statements; a running engine has done that long ago.
        await sender.order("pace", label="warm", rate=RATE, noise_rate=0, seconds=2)
        await trio.sleep(0.5)
        before = await running.metrics()
        warm = len(await database.fetch(SENT))
        commits_before, cpu_before_s = await database.value(COMMITS), cpu_s(running.process.pid)
        sent = (await sender.order("pace", label="latency", rate=RATE, noise_rate=0, seconds=seconds, seed=2))["sent"]
        await trio.sleep(0.5)
        own_ms = await own_quantiles_ms(running, before, HISTOGRAM)
        transactions = (await database.value(COMMITS) - commits_before) / sent
        cpu_ms = (cpu_s(running.process.pid) - cpu_before_s) / sent * 1000
    waits_ms = (await _observed_ms(database, commits))[warm:]
    await connection.aclose()
    return Waits(waits_ms=waits_ms, sent=sent, own_ms=own_ms, transactions=transactions, cpu_ms=cpu_ms)


def _figure(waits_ms: list[float], share: float, target_ms: float, note: str) -> Figure:
    return Figure(
        row="latency",
        what=f"trade on the wire → committed row, {RATE}/s, p{share * 100:.0f}",
        value=quantile(waits_ms, share),
        unit="ms",
        target=target_ms,
        reference=23.0 if share == 0.5 else 36.0,
        reference_text=f"{23 if share == 0.5 else 36} ms trial with a 20 ms timer (recorded)",
        note=note,
    )


async def _observed_ms(database: BenchDatabase, commits: list[tuple[int, int]]) -> list[float]:
    """A row is committed with the first notification that names it or a later one: numbers rise in commit order."""
    ends = [newest for newest, _ in commits]
    found = [(row, bisect_left(ends, row["ingest_seq"])) for row in await database.fetch(SENT)]
    return [(commits[at][1] - row["sent_ns"]) / 1e6 for row, at in found if at < len(commits)]


async def own_quantiles_ms(running: EngineHandle, before: dict[str, float], histogram: str) -> tuple[float, float]:
    """Interpolates p50 and p99 in the buckets of a histogram that were filled since `before`."""
    buckets = []
    for name, value in (await running.metrics()).items():
        if name.startswith(histogram):
            buckets.append((float(name.partition('le="')[2].rstrip('"}')), value - before.get(name, 0.0)))
    buckets.sort()
    total = buckets[-1][1]
    return _interpolated_ms(buckets, 0.50 * total), _interpolated_ms(buckets, 0.99 * total)


def _interpolated_ms(buckets: list[tuple[float, float]], rank: float) -> float:
    lower_s = below = 0.0
    for upper_s, count in buckets:
        if count >= rank:
            share = (rank - below) / (count - below) if count > below else 1.0
            return 1000 * (lower_s + share * (upper_s - lower_s))
        lower_s, below = upper_s, count
    return float("inf")
