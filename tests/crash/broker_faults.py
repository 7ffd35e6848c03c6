"""What goes wrong with Redis, or between it and a host: nobody has to take over, and nothing may wait for it.

An edge that is closed takes the way inside of the process, so that trades of lanes 1 and 2 have to reach PostgreSQL meanwhile.
"""

from collections.abc import Awaitable, Callable

import trio
from crash.redis_host import BROKER
from crash.several_hosts import CUT_S, SeveralHosts

CLOSED = "edge lanes"
TOLD_S = 10
"""So long `readyz` may take to tell: a call, the patience, and a busy machine."""
READ = 3
"""So many trades over the edge prove that it is used again."""


async def killed(hosts: SeveralHosts) -> float:
    """kill -9, started again empty after longer than a lease lasts. Returns the seconds until all went on without it."""
    hosts.broker.kill()
    return await _gone(hosts, hosts.broker.start)


async def flushed(hosts: SeveralHosts) -> float:
    """FLUSHALL: stream, group and books are gone with what lay in them, and nobody was told."""
    began_s = trio.current_time()
    hosts.broker.flush()
    await _all_go_on(hosts)
    await _until_read(hosts, READ)
    return trio.current_time() - began_s


async def apart_from_ingest(hosts: SeveralHosts) -> float:
    """Whoever ingests hears nothing of Redis, and of everybody else as before."""
    victim = (await hosts.holders())["ingest"]
    hosts.network.cut(victim, BROKER)
    return await _gone(hosts, lambda: hosts.network.heal(victim, BROKER))


async def apart_from_reader(hosts: SeveralHosts) -> float:
    """Whoever writes lanes 1 and 2 hears nothing of Redis, and the one that fills the stream may hear it. The reader keeps its
    lease: what lies in the stream waits for the end of it. Returns the seconds since then.
    """
    victim, began_s = (await hosts.holders())["lanes"], trio.current_time()
    hosts.network.cut(victim, BROKER)
    await hosts.until_traded()
    await trio.sleep_until(began_s + CUT_S)
    hosts.network.heal(victim, BROKER)
    began_s = trio.current_time()
    await _all_go_on(hosts)
    await _until_read(hosts, READ)
    return trio.current_time() - began_s


async def apart_from_api(hosts: SeveralHosts) -> float:
    """A host with API and jobs hears nothing of Redis: it stays ready, says that feeds poll, and fetches prices by itself."""
    began_s = trio.current_time()
    hosts.network.cut("api1", BROKER)
    await _until_degraded(hosts, "api1", told=True)
    await _all_go_on(hosts)
    goes_on_s = trio.current_time() - began_s
    await trio.sleep_until(began_s + CUT_S)
    hosts.network.heal("api1", BROKER)
    await _until_degraded(hosts, "api1", told=False)
    return goes_on_s


async def _gone(hosts: SeveralHosts, end: Callable[[], None]) -> float:
    """The ingest has to say so while Redis is gone for it, and has to use it again when it is back."""
    began_s = trio.current_time()
    ingest = hosts.engines[(await hosts.holders())["ingest"]]
    await ingest.until_not_ready_because(CLOSED, timeout_s=TOLD_S)
    await _all_go_on(hosts)
    goes_on_s = trio.current_time() - began_s
    await trio.sleep_until(began_s + CUT_S)
    answer = await ingest.readyz()
    assert answer is not None
    assert CLOSED in str(answer[1]["waiting_for"]), answer[1]
    end()
    before = (await hosts.broker.lanes()).acknowledged
    await ingest.until_ready()
    await _until_read(hosts, before + READ)
    return goes_on_s


async def _all_go_on(hosts: SeveralHosts) -> None:
    async with trio.open_nursery() as nursery:
        for wait in (hosts.until_traded, hosts.until_others_stored):
            nursery.start_soon(wait)


async def _until_read(hosts: SeveralHosts, count: int) -> None:
    with trio.fail_after(60):
        while (await hosts.broker.lanes()).acknowledged < count:
            await trio.sleep(0.1)


async def _until_degraded(hosts: SeveralHosts, host: str, *, told: bool) -> None:
    with trio.fail_after(30):
        while True:
            answer = await hosts.engines[host].readyz()
            assert answer is None or answer[0] == 200, answer
            if answer is not None and ("edge feed_events" in answer[1]["degraded"]) is told:
                return
            await trio.sleep(0.05)


BROKER_FAULTS: dict[str, Callable[[SeveralHosts], Awaitable[float]]] = {
    "kill -9 of Redis, back empty": killed,
    "FLUSHALL of Redis": flushed,
    "cut ingest - Redis": apart_from_ingest,
    "cut reader of lanes - Redis": apart_from_reader,
    "cut api - Redis": apart_from_api,
}
