"""Several hosts on one machine, each fault of `host_faults.py` once: 0 orders lost, 0 sent twice, ledger exact.

`pytest -m slow -n 0 -s tests/crash/test_several_hosts.py` prints a row of the table of engine/RECOVERY.md for each fault.
"""

import os
import signal
from collections import Counter
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from crash.host_faults import FAULTS, Fault, Outcome, failover_without_the_last_commits
from crash.live_audit import audit, audit_end, audit_venue, undecided
from crash.live_world import START_USD
from crash.several_hosts import ACCOUNTS, TTL_S, SeveralHosts, several_hosts
from crash.test_kill import ledger
from crash.test_live_kill import unrest
from simulation.ingest_world import Fill

REST_S = 60
AUDIT_S = 30


@attrs.frozen(kw_only=True)
class Audited:
    """What it comes to, once nothing moves any more. What is wrong has been raised."""

    orders: int
    filled: int
    trades: int
    """Of those who are copied, since the world was complete: each of them is in the table, and decided."""
    others: int
    """Of those who are followed or known: each of them is in the table too, most by way of Redis."""


async def at_rest(hosts: SeveralHosts, before: Counter[Fill]) -> Audited:
    """Stops the venue's traders, lets everything come to its end, stops the engines in order, and compares."""
    live = hosts.live
    await live.world.post("/play", action="pause")
    played = await ledger(live.world, hosts.watched)
    owed = played - before
    with trio.move_on_after(REST_S):
        while owed - await live.world.stored() or await undecided(hosts.fetch):
            await trio.sleep(0.3)
    # What was decided last becomes orders only then.
    with trio.move_on_after(REST_S):
        while await unrest(live):
            await trio.sleep(0.3)
    await audit_trades(hosts, played, owed)
    for engine in hosts.engines.values():
        engine.send(signal.SIGTERM)
    for host, engine in hosts.engines.items():
        assert await engine.wait() == 0, f"{host}: {engine.log_text()[-4000:]}"
    orders = await audited(hosts)
    for name in ACCOUNTS:
        own = [one for one in orders if one["account"] == name]
        audit_end(own, await live.account(name), START_USD, Decimal(0))
        assert sum(one["filled_shares"] > 0 for one in own) > 2, f"nothing was traded with {name}"
    copied = sum(count for fill, count in owed.items() if fill[1] in live.targets)
    filled = sum(one["filled_shares"] > 0 for one in orders)
    return Audited(orders=len(orders), filled=filled, trades=copied, others=owed.total() - copied)


async def audit_trades(hosts: SeveralHosts, played: Counter[Fill], owed: Counter[Fill]) -> None:
    """Compares the table with what the venue has played, of everybody who is watched."""
    stored, lanes = await hosts.live.world.stored(), dict.fromkeys(hosts.live.targets, 0)
    lanes |= {wallet: int(lane) for lane, wallets in hosts.others.items() for wallet in wallets}
    lost = Counter(lanes[fill[1]] for fill in (owed - stored).elements())
    assert not lost, f"trades that are not in the table, by lane: {dict(lost)}"
    doubled = Counter(lanes[fill[1]] for fill in (stored - played).elements() if fill[1] in lanes)
    assert not doubled, f"trades that nobody made, by lane: {dict(doubled)}"
    left = await undecided(hosts.fetch)
    assert not left, f"{len(left)} purchases were never decided: {[dict(row) for row in left[:5]]}"


async def audited(hosts: SeveralHosts) -> list[Any]:
    """The venue first: what is journaled and sent between two readings is then in the second."""
    at_venue = {name: await hosts.live.account(name) for name in ACCOUNTS}
    # One reading of everything: on a busy machine it takes longer than a question of the test may.
    orders = await audit(attrs.evolve(hosts.live.world.database, statement_timeout_s=AUDIT_S))
    for name in ACCOUNTS:
        audit_venue([one for one in orders if one["account"] == name], at_venue[name])
    return orders


def row(name: str, outcome: Outcome, found: Audited) -> str:
    """A row of the table: what was lost or doubled would have failed the test."""
    taken = "nobody has to" if outcome.taken_over_s is None else f"{outcome.taken_over_s:.1f} s"
    load = os.getloadavg()[0]
    return (
        f"| {name} | {taken} | {outcome.goes_on_s:.1f} s | 0 of {found.orders} | 0 | exact | 0 of {found.trades} "
        f"| 0 of {found.others} | {load:.1f} |"
    )


async def audited_run(name: str, fault: Fault, hosts: SeveralHosts) -> Outcome:
    before = await ledger(hosts.live.world, hosts.watched)
    outcome = await fault(hosts)
    await audited(hosts)
    found = await at_rest(hosts, before)
    print(f"\n{row(name, outcome, found)}")
    return outcome


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_several_hosts_loses_and_doubles_nothing(name: str) -> None:
    async with several_hosts(40 + list(FAULTS).index(name)) as hosts:
        outcome = await audited_run(name, FAULTS[name], hosts)
    assert outcome.taken_over_s is None or outcome.taken_over_s <= TTL_S + 2


@pytest.mark.slow
@pytest.mark.timeout(500)
async def test_a_failover_that_loses_commits_halts_entries_and_what_was_sent_is_known_again() -> None:
    async with several_hosts(70, synchronous=False) as hosts:
        await audited_run("failover, asynchronous", failover_without_the_last_commits, hosts)
