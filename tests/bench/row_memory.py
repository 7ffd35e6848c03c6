"""Resident memory of the engine's process, with its database elsewhere: idle, and by the number of wallets."""

import trio

from .bench import Bench
from .figures import Figure, median
from .frames import TARGET, wallets
from .processes import BlasterHandle, EngineHandle, blaster, engine

IDLE_S = 20.0
FOLLOWED_SIZES = (1_000, 2_000, 5_000)
WALLETS = 100_000
FOLLOWED = 20_000
CHUNK = 10_000
REFERENCE_IDLE_MB = 66


async def measure(bench: Bench) -> list[Figure]:
    """Reads both after 20 s of a quiet feed; the second also while the wallet sets are read again."""
    idle = await _idle(bench, 20)
    sizes = [(count, await _idle(bench, count)) for count in FOLLOWED_SIZES]
    at_rest, highest = await _with_wallets(bench)
    return [
        Figure(
            row="memory",
            what="resident memory, idle",
            value=idle,
            unit="MB",
            target=75,
            reference=REFERENCE_IDLE_MB,
            reference_text=f"{REFERENCE_IDLE_MB} MB (recorded)",
            note=f"after {IDLE_S:g} s, 5 strangers' trades a second",
        ),
        *(
            Figure(row="memory", what=f"resident memory, {count:,} followed wallets", value=found, unit="MB", target=95)
            for count, found in sizes
        ),
        Figure(
            row="memory",
            what=f"resident memory, {WALLETS:,} wallets, highest",
            value=highest,
            unit="MB",
            target=95,
            note=f"{at_rest:.1f} MB at rest; highest while the sets are read again",
        ),
    ]


async def _idle(bench: Bench, followed: int) -> float:
    database = await bench.database()
    await database.follow(wallets(TARGET, followed))
    async with blaster() as sender, engine(sender, bench.home(), dsn=database.dsn()) as running:
        await running.wait_ready()
        await sender.wait_clients()
        return await _quiet(running, sender)


async def _quiet(running: EngineHandle, sender: BlasterHandle) -> float:
    """Returns the median of the last five seconds of a quiet feed."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(running.watch_memory)
        await sender.order("pace", label="quiet", rate=0, noise_rate=5, seconds=IDLE_S)
        nursery.cancel_scope.cancel()
    last_s = running.samples[-1][0]
    return median([megabytes for at_s, megabytes in running.samples if at_s > last_s - 5])


async def _with_wallets(bench: Bench) -> tuple[float, float]:
    database = await bench.database()
    everybody = wallets(TARGET, WALLETS)
    for start in range(0, WALLETS, CHUNK):
        await database.know(everybody[start : start + CHUNK])
    await database.follow(everybody[:FOLLOWED])
    async with blaster() as sender, engine(sender, bench.home(), dsn=database.dsn()) as running:
        await running.wait_ready()
        await sender.wait_clients()
        at_rest = await _quiet(running, sender)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(running.watch_memory, 0.02)
            for number in range(3):
                before = await _refreshed(running)
                await database.follow([f"0x{number:040x}"])
                with trio.fail_after(20):
                    while await _refreshed(running) == before:
                        await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        return at_rest, max(megabytes for _, megabytes in running.samples)


async def _refreshed(running: EngineHandle) -> float:
    """Returns the size of the sets, which every refresh here changes."""
    return (await running.metrics())["polycopy_target_wallets"]
