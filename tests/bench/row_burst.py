"""A sweep: 90 rows of one transaction of one target within 50 ms, ten identical pairs among them."""

import trio

from .bench import Bench
from .databases import BenchDatabase
from .figures import Figure
from .frames import TARGET, wallets
from .processes import blaster, engine
from .stall_proxy import Mode, stall_proxy

TRADES = 90
WITHIN_S = 0.05
REPETITIONS = 20
SLOW_S = 0.2
STORED = "SELECT count(*) FROM trades_public WHERE lane = 0"


async def measure(bench: Bench) -> list[Figure]:
    """Repeats the burst on a healthy database and on one that takes 200 ms for every call, as in the reference."""
    lost: dict[float, int] = {}
    for delay_s in (0.0, SLOW_S):
        database = await bench.database()
        await database.follow(wallets(TARGET, 20))
        async with (
            stall_proxy(upstream=database.socket_dir, directory=bench.home()) as proxy,
            blaster() as sender,
            engine(sender, bench.home(), dsn=database.dsn(proxy.directory)) as running,
        ):
            await running.wait_ready()
            await sender.wait_clients()
            if delay_s:
                proxy.turn(Mode.DELAY, delay_s)
            sent = 0
            for number in range(REPETITIONS):
                order = {"label": "burst", "transaction": number, "count": TRADES, "within_s": WITHIN_S}
                sent += (await sender.order("burst", **order))["sent"]
                await trio.sleep(0.3)
            lost[delay_s] = sent - await _settled(database, sent)
    return [
        Figure(
            row="burst",
            what=f"target trades lost of {REPETITIONS} × {TRADES} within {WITHIN_S * 1000:.0f} ms{suffix}",
            value=lost[delay_s],
            target=0,
            reference_text="78 % (recorded)" if delay_s else "–",
        )
        for delay_s, suffix in ((0.0, ""), (SLOW_S, f", database {SLOW_S * 1000:.0f} ms a call"))
    ]


async def _settled(database: BenchDatabase, sent: int) -> int:
    """Returns how many rows are stored in the end; waits at most 10 s."""
    stored = 0
    with trio.move_on_after(10):
        while (stored := int(await database.value(STORED))) < sent:
            await trio.sleep(0.05)
    return stored
