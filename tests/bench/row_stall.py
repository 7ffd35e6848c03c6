"""The database takes 2 s for every call while 50 target trades a second arrive: what is lost, how long it takes after."""

import time

import trio

from .bench import Bench
from .databases import BenchDatabase
from .figures import Figure
from .frames import TARGET, wallets
from .processes import EngineHandle, blaster, engine
from .stall_proxy import Mode, StallProxy, stall_proxy

RATE = 50
DELAY_S = 2.0
STORED = "SELECT count(*) FROM trades_public WHERE lane = 0"
COMMITTED_TARGET_S = 1.0
SPILLED = 'polycopy_rows_written_total{result="spilled"}'


async def measure(bench: Bench) -> list[Figure]:
    """Stalls for a minute; the feed ends with the stall, so that its end is also the end of what is due."""
    seconds = bench.either(15, 60)
    database = await bench.database()
    await database.follow(wallets(TARGET, 20))
    async with (
        stall_proxy(upstream=database.socket_dir, directory=bench.home()) as proxy,
        blaster() as sender,
        engine(sender, bench.home(), dsn=database.dsn(proxy.directory)) as running,
        trio.open_nursery() as nursery,
    ):
        await running.wait_ready()
        await sender.wait_clients()
        await sender.order("pace", label="before", rate=RATE, noise_rate=RATE, seconds=2)
        nursery.start_soon(running.watch_memory)
        proxy.turn(Mode.DELAY, DELAY_S)
        order = {"label": "stall", "rate": RATE, "noise_rate": RATE, "seconds": seconds, "seed": 3}
        sent = 2 * RATE + (await sender.order("pace", **order))["sent"]
        proxy.turn(Mode.PASS)
        took_s, stored = await _until_stored(database, sent)
        metrics = await running.metrics()
        nursery.cancel_scope.cancel()
    return [
        Figure(
            row="stall",
            what=f"target trades lost, database stalled {DELAY_S:g} s a call, {RATE}/s for {seconds:g} s",
            value=sent - stored,
            target=0,
            reference_text="80 % (recorded)",
            note=f"{sent} sent; {metrics[SPILLED]:.0f} went through the journal",
        ),
        Figure(
            row="stall",
            what="  all committed after the stall's end",
            value=took_s,
            unit="s",
            target=COMMITTED_TARGET_S,
            note="held requests released; seen within 10 ms",
        ),
        _memory(running, proxy),
    ]


def _memory(running: EngineHandle, proxy: StallProxy) -> Figure:
    return Figure(
        row="stall",
        what="resident memory under that stall, highest",
        value=max(megabytes for _, megabytes in running.samples),
        unit="MB",
        target=95,
        reference=125,
        reference_text="125 MB (recorded)",
        note=f"{proxy.connections} database connections were opened",
    )


async def _until_stored(database: BenchDatabase, sent: int) -> tuple[float, int]:
    """Returns the time until all rows are there, or until nothing comes any more, and how many there are."""
    began_s = last_s = time.monotonic()
    stored = 0
    while time.monotonic() - last_s < 15:
        now = int(await database.value(STORED))
        if now != stored:
            stored, last_s = now, time.monotonic()
        if stored >= sent:
            break
        await trio.sleep(0.01)
    return last_s - began_s, stored
