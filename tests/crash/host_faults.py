"""What goes wrong with one of several hosts, or between two, one function each: it returns when trading goes on.

Each measures what an operator waits for: until another has taken over, or, where nobody has to, until work goes on.
"""

import signal
import time
from collections.abc import Awaitable, Callable

import attrs
import trio
from crash.broker_faults import BROKER_FAULTS
from crash.postgres_pair import PRIMARY, STANDBY
from crash.several_hosts import ACCOUNTS, CUT_S, TTL_S, SeveralHosts

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.lane_edge import LANES
from protocols.decide_shards import every_lease

OTHER = {
    f"{role}{number}": f"{role}{3 - number}" for role in ("ingest", "decide", "execute", "api") for number in (1, 2)
}
LEASES = ("ingest", LANES, *every_lease(), *(f"live:{account}" for account in ACCOUNTS))
HALTED_S = 3
SENT = "SELECT order_hash FROM lt_orders WHERE order_hash IS NOT NULL"
ENTRIES_AFTER = """
SELECT count(*) AS entries FROM lt_orders, lt_control
WHERE side = 'BUY' AND order_hash IS NOT NULL AND signed_at > halted_at
"""
EXTENDED = "SELECT count(*) AS leases FROM engine_leases WHERE name IN ({}) AND expires_at > to_timestamp({})"


@attrs.frozen(kw_only=True)
class Outcome:
    """Seconds since the fault, or since it was mended."""

    taken_over_s: float | None
    """None: nobody had to take over."""
    goes_on_s: float
    """Until every account has traded anew: since the fault, or since the end of it where nobody could have taken over.

    With a fault of Redis also until trades of both lanes that go over it are in the table; with one of who polls, until the
    other has polled everybody.
    """


Fault = Callable[[SeveralHosts], Awaitable[Outcome]]


async def _taken_over(hosts: SeveralHosts, victim: str) -> float:
    """Waits until another host has what the victim had; returns the seconds."""
    began_s = trio.current_time()
    if victim.startswith("ingest"):
        for lease in ("ingest", LANES):
            await hosts.until_held(lease, {OTHER[victim]})
    elif victim.startswith("decide"):
        await hosts.until_decided_by({OTHER[victim]})
    elif victim.startswith("execute"):
        await hosts.until_shared({OTHER[victim]})
    else:
        await hosts.until_answered(OTHER[victim])
    return trio.current_time() - began_s


async def _going_on(hosts: SeveralHosts, victim: str) -> None:
    """Waits until there is trade without the victim, and its wallets are polled by the other."""
    await hosts.until_traded()
    if victim.startswith("decide"):
        await hosts.until_polled()


async def _victim(hosts: SeveralHosts, role: str) -> str:
    return (await hosts.holders())["ingest"] if role == "ingest" else f"{role}1"


def killed(role: str) -> Fault:
    """kill -9."""

    async def fault(hosts: SeveralHosts) -> Outcome:
        victim, began_s = await _victim(hosts, role), trio.current_time()
        hosts.engines[victim].send(signal.SIGKILL)
        await hosts.engines[victim].wait()
        taken_s = await _taken_over(hosts, victim)
        await _going_on(hosts, victim)
        goes_on_s = trio.current_time() - began_s
        await hosts.start(victim)
        await _back(hosts, victim)
        return Outcome(taken_over_s=taken_s, goes_on_s=goes_on_s)

    return fault


def asleep(role: str) -> Fault:
    """SIGSTOP beyond the lease, then SIGCONT: the sleeper finds that another does its work."""

    async def fault(hosts: SeveralHosts) -> Outcome:
        victim, began_s = await _victim(hosts, role), trio.current_time()
        hosts.engines[victim].send(signal.SIGSTOP)
        taken_s = await _taken_over(hosts, victim)
        await _going_on(hosts, victim)
        goes_on_s = trio.current_time() - began_s
        hosts.engines[victim].send(signal.SIGCONT)
        await _back(hosts, victim)
        return Outcome(taken_over_s=taken_s, goes_on_s=goes_on_s)

    return fault


def apart_from_database(role: str) -> Fault:
    """The host hears nothing of either server any more, and of everybody else as before."""

    async def fault(hosts: SeveralHosts) -> Outcome:
        victim, began_s = await _victim(hosts, role), trio.current_time()
        for server in (PRIMARY, STANDBY):
            hosts.network.cut(victim, server)
        taken_s = await _taken_over(hosts, victim)
        await _going_on(hosts, victim)
        goes_on_s = trio.current_time() - began_s
        await trio.sleep_until(began_s + CUT_S)
        for server in (PRIMARY, STANDBY):
            hosts.network.heal(victim, server)
        await _back(hosts, victim)
        return Outcome(taken_over_s=taken_s, goes_on_s=goes_on_s)

    return fault


def apart_from_venue(role: str) -> Fault:
    """The host keeps its leases and cannot reach the venue, for longer than a lease lasts."""

    async def fault(hosts: SeveralHosts) -> Outcome:
        victim = await _victim(hosts, role)
        hosts.network.cut(victim, "venue")
        await trio.sleep(CUT_S)
        hosts.network.heal(victim, "venue")
        began_s = trio.current_time()
        await hosts.until_traded()
        return Outcome(taken_over_s=None, goes_on_s=trio.current_time() - began_s)

    return fault


async def standby_away(hosts: SeveralHosts) -> Outcome:
    """The servers do not hear each other for longer than a lease lasts: no commit is answered, so that all leases run out."""
    hosts.network.cut(PRIMARY, STANDBY)
    await trio.sleep(CUT_S)
    hosts.network.heal(PRIMARY, STANDBY)
    began_s = trio.current_time()
    await hosts.until_traded()
    return Outcome(taken_over_s=None, goes_on_s=trio.current_time() - began_s)


def of_broker(fault: Callable[[SeveralHosts], Awaitable[float]]) -> Fault:
    """Of `broker_faults.py`: nobody has to take over."""

    async def run(hosts: SeveralHosts) -> Outcome:
        return Outcome(taken_over_s=None, goes_on_s=await fault(hosts))

    return run


async def rolling_restart(hosts: SeveralHosts) -> Outcome:
    """Every engine is stopped in order and started anew, one after the other, as for an upgrade.

    Who stands by for the ingest is the first, who ingests the last. Measured are the longest of the take-overs, and the whole.
    """
    ingests, began_s, longest_s = (await hosts.holders())["ingest"], trio.current_time(), 0.0
    for host in (OTHER[ingests], *(host for host in hosts.engines if not host.startswith("ingest")), ingests):
        hosts.engines[host].send(signal.SIGTERM)
        longest_s = max(longest_s, await _taken_over(hosts, host))
        assert await hosts.engines[host].wait() == 0, f"{host}: {hosts.engines[host].log_text()[-4000:]}"
        await hosts.start(host)
        await _back(hosts, host)
    return Outcome(taken_over_s=longest_s, goes_on_s=trio.current_time() - began_s)


async def failover(hosts: SeveralHosts) -> Outcome:
    """kill -9 of the primary; the standby is promoted, as whoever watches over servers does it. Engines find it themselves."""
    return await _failed_over(hosts)


async def failover_without_the_last_commits(hosts: SeveralHosts) -> Outcome:
    """The same with a standby that nobody waits for and that hears nothing of the last seconds: entries halt until an operator
    has looked.
    """
    hosts.network.cut(PRIMARY, STANDBY)
    await hosts.until_traded(2)
    sent = await hosts.fetch(SENT)
    outcome = await _failed_over(hosts, until_traded=False)
    [control] = await hosts.fetch("SELECT halted_by, halted_reason FROM lt_control")
    assert control["halted_by"] == "failover", dict(control)
    assert "timeline 2 from 1" in control["halted_reason"]
    with trio.fail_after(30):
        while {row["order_hash"] for row in sent} - {row["order_hash"] for row in await hosts.fetch(SENT)}:
            await trio.sleep(0.1)
    logs = [hosts.engines[host].log_text() for host in ("execute1", "execute2")]
    assert any("the database had lost are journaled again" in log for log in logs), "nothing was lost: no test of it"
    for host in ("execute1", "execute2"):
        answer = await hosts.engines[host].readyz()
        assert answer is not None
        assert answer[1]["live_entries"] == "halted after a failover", answer[1]
    await trio.sleep(HALTED_S)
    [later] = await hosts.fetch(ENTRIES_AFTER)
    assert later["entries"] == 0, "bought while it was not known what is missing"
    async with open_connection(hosts.live.world.database, "operator") as connection:
        assert await LiveStrategyStore(connection).end_halt(by="operator", reason="compared")
    began_s = trio.current_time()
    await hosts.until_traded()
    return attrs.evolve(outcome, goes_on_s=trio.current_time() - began_s)


async def failover_of_a_machine(hosts: SeveralHosts) -> Outcome:
    """The primary's machine is gone: nobody hears anything of it, no refusal either. The standby is promoted."""
    for host in (*hosts.engines, "venue", STANDBY):
        hosts.network.cut(PRIMARY, host)
    return await _failed_over(hosts, kill=False)


async def _failed_over(hosts: SeveralHosts, *, until_traded: bool = True, kill: bool = True) -> Outcome:
    names = ", ".join(f"'{name}'" for name in LEASES)
    began_s, killed_at = trio.current_time(), time.time()
    if kill:
        hosts.pair.kill(PRIMARY)
    await trio.to_thread.run_sync(hosts.pair.promote, STANDBY)
    extended, wanted = EXTENDED.format(names, killed_at + TTL_S), len(LEASES)
    with trio.fail_after(60):
        while (await hosts.fetch(extended))[0]["leases"] < wanted:
            await trio.sleep(0.05)
    taken_s = trio.current_time() - began_s
    if until_traded:
        await hosts.until_traded(2)
    return Outcome(taken_over_s=taken_s, goes_on_s=trio.current_time() - began_s)


async def _back(hosts: SeveralHosts, victim: str) -> None:
    """Waits until the host does its part again: has its share, stands by, answers."""
    if victim.startswith("execute"):
        await hosts.until_shared({victim, OTHER[victim]})
    elif victim.startswith("decide"):
        await hosts.until_decided_by({victim, OTHER[victim]})
        await hosts.until_answered(victim)
    elif victim.startswith("ingest"):
        await hosts.until_answered(victim, ready=False)
    else:
        await hosts.until_answered(victim)
    await hosts.until_traded()


FAULTS: dict[str, Fault] = {
    "kill -9 of ingest": killed("ingest"),
    "kill -9 of decide and poll": killed("decide"),
    "kill -9 of execute": killed("execute"),
    "kill -9 of api": killed("api"),
    "SIGSTOP of ingest": asleep("ingest"),
    "SIGSTOP of decide and poll": asleep("decide"),
    "SIGSTOP of execute": asleep("execute"),
    "cut ingest - PostgreSQL": apart_from_database("ingest"),
    "cut decide - PostgreSQL": apart_from_database("decide"),
    "cut execute - PostgreSQL": apart_from_database("execute"),
    "cut api - PostgreSQL": apart_from_database("api"),
    "cut ingest - venue": apart_from_venue("ingest"),
    "cut execute - venue": apart_from_venue("execute"),
    **{name: of_broker(fault) for name, fault in BROKER_FAULTS.items()},
    "failover of PostgreSQL, kill -9": failover,
    "failover of PostgreSQL, machine gone": failover_of_a_machine,
    "rolling restart of every engine": rolling_restart,
    "cut primary - standby": standby_away,
    "cut decide and poll - venue": apart_from_venue("decide"),
}
