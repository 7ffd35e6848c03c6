"""Memory growth over ten minutes under every stall: database held, database refusing, venue refusing."""

import trio

from .bench import Bench
from .figures import Figure, median
from .frames import TARGET, wallets
from .processes import BlasterHandle, blaster, engine
from .stall_proxy import Mode, stall_proxy

RATE = 50
NOISE_RATE = 50
WARM_RATE = 200
WARM_ROWS = 12_000
"""More than the trade ids that the filter remembers."""
SETTLE_S = 20
MARGIN = 0.1
HELD, REFUSING, SILENT = "database held", "database refusing", "venue refusing"


async def measure(bench: Bench) -> list[Figure]:
    """The stalls run side by side; each engine has its own database, feed and proxy."""
    grown: dict[str, tuple[float, float]] = {}

    async def one(kind: str) -> None:
        grown[kind] = await _grown_mb(bench, kind)

    async with trio.open_nursery() as nursery:
        for kind in (HELD, REFUSING, SILENT):
            nursery.start_soon(one, kind)
    return [
        Figure(
            row="growth",
            what=f"memory growth in {bench.either(1, 10):g} min, {kind}",
            value=round(grown[kind][0], 2),
            unit="MB",
            target=5,
            reference_text="10 MB/s on a failing target endpoint (recorded)" if kind == REFUSING else "–",
            note=f"highest {grown[kind][1]:.1f} MB",
        )
        for kind in (HELD, REFUSING, SILENT)
    ]


async def _grown_mb(bench: Bench, kind: str) -> tuple[float, float]:
    """Returns growth from the first to the last tenth of the time after warm-up, and the highest sample."""
    warm_s, seconds = bench.either(20, WARM_ROWS / WARM_RATE), bench.either(60, 600)
    database = await bench.database()
    await database.follow(wallets(TARGET, 20))
    async with (
        stall_proxy(upstream=database.socket_dir, directory=bench.home()) as proxy,
        blaster() as sender,
        engine(sender, bench.home(), dsn=database.dsn(proxy.directory)) as running,
    ):
        await running.wait_ready()
        await sender.wait_clients()
        # Bounded memories fill while all is well: what they take is not growth under a stall.
        await sender.order("pace", label="before", rate=WARM_RATE, noise_rate=NOISE_RATE, seconds=warm_s)
        if kind == SILENT:
            await sender.order("refuse")
        else:
            proxy.turn(Mode.HOLD if kind == HELD else Mode.RESET)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_feed, sender, SETTLE_S + seconds)
            await trio.sleep(SETTLE_S)
            nursery.start_soon(running.watch_memory, 1.0)
            await trio.sleep(seconds)
            nursery.cancel_scope.cancel()
        if running.process.poll() is not None:
            raise RuntimeError(f"{kind}: the engine ended: {running.log.read_text()[-1000:]}")
    first_s, last_s = running.samples[0][0], running.samples[-1][0]
    edge_s = MARGIN * (last_s - first_s)
    early = [megabytes for at_s, megabytes in running.samples if at_s <= first_s + edge_s]
    late = [megabytes for at_s, megabytes in running.samples if at_s >= last_s - edge_s]
    return median(late) - median(early), max(megabytes for _, megabytes in running.samples)


async def _feed(sender: BlasterHandle, seconds: float) -> None:
    await sender.order("pace", label="stalled", rate=RATE, noise_rate=NOISE_RATE, seconds=seconds, seed=4)
    await trio.sleep_forever()
