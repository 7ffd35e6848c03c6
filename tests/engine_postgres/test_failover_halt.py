"""A failover as a database shows it: what was recorded is of another timeline, system or place than what is there."""

import asyncio

import attrs
import pytest
import trio
from engine_adapters.live_worlds import postgres_live

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.database_history import HistoryWatch
from engine.adapters.postgres.leases import IDLE_MAX_MS, LeaseHold, LeaseOffice, LeaseRefused, fenced
from protocols.errors import FencedError

HISTORIES = "SELECT history_id, timeline, is_synchronous, continuity, reason FROM database_histories ORDER BY 1"
CONTROL = "SELECT halted_by, halted_reason FROM lt_control"
NOTES = "SELECT action, by_whom, reason FROM lt_halts ORDER BY halt_id"


@pytest.fixture
async def world(database, aio):
    """Its lease was taken a moment ago, so that somebody has looked already."""
    async with postgres_live(database) as one:
        await one.strategy()
        yield one


def office(world, name="x", ttl_s=15.0):
    return LeaseOffice(connection=world.connection, owner=name, holder=name, ttl_s=ttl_s)


async def failed_over(world, *, waited):
    """What the tables of a promoted standby say: the history before, and leases that were taken in it."""
    await world.fetch("UPDATE database_histories SET timeline = timeline - 1, is_synchronous = $1", waited)
    await world.fetch("UPDATE engine_leases SET timeline = timeline - 1")


async def halt_of(world):
    [control] = await world.fetch(CONTROL)
    return control["halted_by"], control["halted_reason"]


async def test_the_first_look_notes_the_history_and_halts_nothing(world):
    await office(world).acquire("one")
    await office(world).acquire("two")
    [row] = await world.fetch(HISTORIES)
    assert (row["timeline"], row["is_synchronous"], row["continuity"], row["reason"]) == (1, False, "same", None)
    assert await halt_of(world) == (None, None)


async def test_a_failover_that_nobody_waited_for_halts_entries_once(world):
    await failed_over(world, waited=False)
    for name in ("a", "b", "a"):
        await office(world, name).acquire(f"lease of {name}")
    assert [(row["timeline"], row["continuity"]) for row in await world.fetch(HISTORIES)] == [
        (0, "same"),
        (1, "doubtful"),
    ]
    by, reason = await halt_of(world)
    assert by == "failover"
    assert "timeline 1 from 0" in reason
    assert [tuple(row) for row in await world.fetch(NOTES)] == [("halt", "failover", reason)]


async def test_an_operators_word_holds_although_others_look_later(world):
    late = office(world, "late")
    held = await late.acquire("late")
    await failed_over(world, waited=False)
    await office(world).acquire("one")
    await world.fetch("UPDATE lt_control SET halted_by = NULL, halted_reason = NULL, halted_at = NULL")
    with pytest.raises(FencedError):
        await late.extend(held)
    await late.extend(await late.acquire("late"))
    assert await halt_of(world) == (None, None)


async def test_a_failover_to_a_standby_that_was_waited_for_halts_nothing(world):
    await failed_over(world, waited=True)
    await office(world).acquire("one")
    assert [row["continuity"] for row in await world.fetch(HISTORIES)] == ["same", "complete"]
    assert await halt_of(world) == (None, None)


async def test_a_halt_of_before_is_not_forgotten(world):
    await world.fetch("UPDATE lt_control SET halted_by = 'ann', halted_reason = 'lunch', halted_at = now()")
    await failed_over(world, waited=False)
    await office(world).acquire("one")
    by, reason = await halt_of(world)
    assert by == "failover"
    assert reason.startswith("failover to timeline 1")
    assert reason.endswith("; halted before by ann: lunch")


async def test_without_live_strategies_there_is_nothing_to_halt(database, aio):
    async with postgres_live(database) as world:
        await failed_over(world, waited=False)
        await office(world).acquire("one")
        assert await halt_of(world) == (None, None)
        assert [row["continuity"] for row in await world.fetch(HISTORIES)] == ["same", "doubtful"]


async def test_another_system_is_doubted_even_if_commits_waited(world):
    await world.fetch("UPDATE database_histories SET system_id = '1', is_synchronous = true")
    await office(world).acquire("one")
    assert "another one" in (await halt_of(world))[1]


async def test_a_server_that_is_behind_what_a_process_saw_is_doubted_and_its_leases_end(world):
    mine = office(world)
    held = await mine.acquire("one")
    seen = mine.history._seen
    mine.history._seen = attrs.evolve(
        seen, history=attrs.evolve(seen.history, position_bytes=seen.history.position_bytes + 10**9)
    )
    with pytest.raises(FencedError):
        await mine.extend(held)
    assert await halt_of(world) == (None, None)
    await mine.acquire("one")
    assert "behind what it had" in (await halt_of(world))[1]
    await mine.extend(held)


async def test_a_server_of_an_older_timeline_is_doubted_by_whoever_saw_the_younger(world):
    mine = office(world)
    await mine.acquire("one")
    seen = mine.history._seen
    mine.history._seen = attrs.evolve(
        seen, history_id=seen.history_id + 1, history=attrs.evolve(seen.history, timeline=2, is_synchronous=True)
    )
    await mine.acquire("one")
    assert "went back to timeline 1 from 2" in (await halt_of(world))[1]


async def test_that_commits_do_not_wait_any_more_is_noted_while_a_lease_is_extended(world):
    mine = office(world)
    held = await mine.acquire("one")
    await world.fetch("UPDATE database_histories SET is_synchronous = true")
    await mine.extend(held)
    assert [row["is_synchronous"] for row in await world.fetch(HISTORIES)] == [False]


async def test_a_lease_of_another_timeline_writes_nothing_and_is_taken_anew_by_its_holder_alone(world):
    [held] = world.leases.holds
    await failed_over(world, waited=True)
    with pytest.raises(FencedError):
        await world.store.claim([])
    with pytest.raises(FencedError):
        await world.store.journal([])
    mine = LeaseOffice(connection=world.connection, owner=held.owner, holder="me", ttl_s=15)
    # Given back it would be anybody's; only its holder remembers what may be lost.
    await mine.release(held)
    assert isinstance(await office(world, "other").acquire(held.name), LeaseRefused)
    again = await mine.acquire(held.name)
    assert isinstance(again, LeaseHold)
    assert again.epoch == held.epoch + 1


async def test_a_service_that_does_not_tell_its_timeline_is_not_doubted(world):
    await world.fetch(
        "CREATE OR REPLACE FUNCTION database_timeline() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 0'"
    )
    mine = office(world)
    held = await mine.acquire("one")
    await mine.extend(held)
    assert await world.connection.run(HistoryWatch().goes_on)
    assert await halt_of(world) == (None, None)


async def test_who_falls_silent_in_a_transaction_holds_nobody_off(world):
    """As one does that is cut off: his session is there, idle, with the rows of his leases locked."""
    [held] = world.leases.holds
    silent, other = Connection(world.database, "silent"), Connection(world.database, "other")
    begun = trio.Event()

    async def fall_silent(raw):
        async with fenced(raw, world.leases) as is_ours:
            assert is_ours
            begun.set()
            await asyncio.sleep(600)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(silent.run, fall_silent)
        await begun.wait()
        taker = LeaseOffice(connection=other, owner=held.owner, holder="me", ttl_s=15)
        with trio.fail_after(IDLE_MAX_MS / 1000 + 15):
            await taker.acquire(held.name)
        nursery.cancel_scope.cancel()
    for connection in (silent, other):
        await connection.aclose()
