"""Target trades a second from the socket to the committed row, with identity, de-duplication, metrics and database."""

import sys
import time
from collections.abc import Awaitable, Callable

import attrs
import trio

from . import bare_pipeline
from .bench import Bench
from .databases import NEWEST, BenchDatabase
from .figures import Figure, median
from .frames import TARGET, wallets
from .processes import BlasterHandle, blaster, cpu_s, engine, resident_mb, running

WALLETS = 1_000
POLL_S = 0.05
STILL_S = 4.0
REREAD_S = 45.0
STORED = "SELECT count(*) FROM trades_public"
RECORDED_ROWS_PER_S = 19_194


@attrs.frozen(kw_only=True)
class Flood:
    """One flood of trades and what became of it."""

    rows_per_s: float
    sent: int
    stored: int
    late: int = 0
    """Of these, rows that came after the flood, read again from history."""
    cpu_us: float
    resident_mb: float

    def __str__(self) -> str:
        return (
            f"{self.rows_per_s:,.0f} rows/s, {self.stored:,} of {self.sent:,} stored ({self.late:,} by the gap filler), "
            f"{self.cpu_us:.0f} µs CPU a row, {self.resident_mb:.0f} MB"
        )


async def measure(bench: Bench) -> list[Figure]:
    """Sends distinct trades of followed wallets as fast as the socket takes them; engine and bare pipeline in turn."""
    count = int(bench.either(20_000, 60_000))
    floods: list[Flood] = []
    bare: list[Flood] = []
    for number in range(int(bench.either(3, 5))):
        floods.append(await flood_of_engine(bench, count, f"rows{number}"))
        bench.say(f"  engine: {floods[-1]}")
        bare.append(await _bare(bench, count))
        bench.say(f"  bare pipeline: {bare[-1]}")
    speeds = [flood.rows_per_s for flood in floods]
    reference = median([flood.rows_per_s for flood in bare])
    return [
        Figure(
            row="throughput",
            what="target trades/s, socket to committed row",
            value=median(speeds),
            unit="/s",
            reference=reference,
            reference_text=f"{reference:,.0f}/s bare pipeline, this run ({RECORDED_ROWS_PER_S:,} recorded)",
            target=12_000,
            at_least=True,
            note=f"{min(speeds):,.0f}..{max(speeds):,.0f}; CPU a row {median([f.cpu_us for f in floods]):.0f} µs, "
            f"bare {median([f.cpu_us for f in bare]):.0f} µs",
        ),
        Figure(
            row="throughput",
            what="  the same to the bare pipeline",
            value=median(speeds) / reference,
            unit="×",
            target=round(12_000 / RECORDED_ROWS_PER_S, 3),
            at_least=True,
            note="the target on the recorded reference; does not depend on the machine",
        ),
        Figure(row="throughput", what="  trades of that flood lost", value=max(f.sent - f.stored for f in floods), target=0,
               note=f"{max(f.late for f in floods)} came by the gap filler"),
    ]  # fmt: skip


async def flood_of_engine(bench: Bench, count: int, label: str) -> Flood:
    """Returns one flood of an engine on a database of its own."""
    database = await bench.database()
    await database.follow(wallets(TARGET, WALLETS))

    async def newest() -> int:
        return int(await database.value(NEWEST))

    async with blaster() as sender, engine(sender, bench.home(), dsn=database.dsn()) as handle:
        await handle.wait_ready()
        flood = await _flood(sender, handle.pid, count, label, newest)
        metrics = await handle.metrics()
    gone = {
        name: value for name, value in metrics.items() if name.startswith("polycopy_channel_dropped_total") and value
    }
    if gone:
        bench.say(f"  dropped by channels: {gone}")
    return attrs.evolve(flood, stored=len(await database.stored_numbers()))


async def _bare(bench: Bench, count: int) -> Flood:
    database: BenchDatabase = await bench.database()
    await database.fetch(bare_pipeline.CREATE)
    await database.fetch(bare_pipeline.INDEX)

    async def newest() -> int:
        return int(await database.value(bare_pipeline.NEWEST))

    async with blaster() as sender:
        argv = [sys.executable, "-m", "tests.bench.bare_pipeline", sender.rtds_url, database.dsn()]
        async with running(argv, end_s=2) as process:
            return await _flood(sender, process.pid, count, "bare", newest)


async def _flood(
    sender: BlasterHandle, pid: int, count: int, label: str, newest: Callable[[], Awaitable[int]]
) -> Flood:
    """Counts from the first frame sent to the last row seen committed.

    Commits are seen by asking for the newest row each 50 ms, so a run of some seconds is right within a percent.
    """
    await sender.wait_clients()
    await sender.order("prepare", label=label, kind=TARGET, wallets=WALLETS, first=0, count=count)
    before_s, began_ns = cpu_s(pid), 0
    sent = trio.Event()

    async def blast() -> None:
        nonlocal began_ns
        began_ns = (await sender.order("blast"))["began_ns"]
        sent.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(blast)
        seen, seen_ns, resident = 0, time.monotonic_ns(), 0.0
        while seen < count:
            now = await newest()
            resident = max(resident, resident_mb(pid))
            if now > seen:
                seen, seen_ns = now, time.monotonic_ns()
            elif sent.is_set() and time.monotonic_ns() - seen_ns > STILL_S * 1e9:
                break
            await trio.sleep(POLL_S)
        await sent.wait()
    return Flood(
        rows_per_s=seen / ((seen_ns - began_ns) / 1e9),
        sent=count,
        stored=seen,
        cpu_us=(cpu_s(pid) - before_s) / max(1, seen) * 1e6,
        resident_mb=resident,
    )
