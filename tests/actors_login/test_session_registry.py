import random

import attrs
import pytest
import trio
from actors_login.session_world import DAY_MS, NOW_MS, MemorySessions, PlainClock, SetClock, session

from actors.session_registry import REREAD_S, SessionRegistry, session_scopes
from protocols.sessions import IDLE_S, SessionKind, secret_digest
from protocols.users import Scope

READ_TRADE = {Scope.READ, Scope.TRADE}


def registry(store, **options):
    defaults = {"clock": SetClock(), "rng": random.Random(1), "is_money_real": False}
    return SessionRegistry(store=store, **{**defaults, **options})


def holds(sessions, name):
    return sessions.find(secret_digest(name)) is not None


async def test_it_starts_when_it_has_read_and_follows_the_version(nursery, autojump_clock):
    store = MemorySessions(down=True)
    store.put(session("one"))
    sessions = registry(store)
    with trio.move_on_after(30):
        await nursery.start(sessions.run)
        raise AssertionError("started without a table")
    store.down = False
    await nursery.start(sessions.run)
    assert holds(sessions, "one")
    store.put(session("two"))
    await trio.sleep(1.1)
    assert (holds(sessions, "two"), holds(sessions, "three")) == (True, False)
    await store.end("one", user_id="u-ann")
    await trio.sleep(1.1)
    assert (holds(sessions, "one"), holds(sessions, "two")) == (False, True)


async def test_the_last_good_table_stays_while_the_database_is_down(nursery, autojump_clock, caplog):
    store = MemorySessions()
    store.put(session("one"))
    sessions = registry(store)
    await nursery.start(sessions.run)
    store.down = True
    await trio.sleep(600)
    assert holds(sessions, "one")
    assert sessions.failures > 100
    assert 0 < len([record for record in caplog.records if "not refreshed" in record.message]) < 60
    # What ended here meanwhile holds no longer, and stays away when the database is back with it.
    sessions.forget(["one"])
    assert not holds(sessions, "one")


async def test_what_ended_while_a_reading_was_under_way_is_not_brought_back(nursery, autojump_clock):
    store = MemorySessions()
    store.put(session("one"), session("two"))
    sessions = registry(store)
    await nursery.start(sessions.run)
    store.hold = trio.Event()
    nursery.start_soon(sessions.refresh)
    await trio.testing.wait_all_tasks_blocked(0.01)
    sessions.forget(["one"])
    store.hold.set()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert (holds(sessions, "one"), holds(sessions, "two")) == (False, True)


async def test_the_sessions_of_a_user_go_together(autojump_clock):
    store = MemorySessions()
    store.put(session("one"), session("two"), session("his", user_id="u-bob"))
    sessions = registry(store)
    await sessions.refresh()
    sessions.forget_user("u-ann")
    assert [holds(sessions, name) for name in ("one", "two", "his")] == [False, False, True]


async def test_a_session_ends_when_it_is_idle_and_when_its_time_is_over(autojump_clock):
    store, clock = MemorySessions(), PlainClock()
    store.put(session("used"), session("idle"))
    sessions = registry(store, clock=clock)
    await sessions.refresh()
    for day in range(1, 31):
        clock.at_ms = NOW_MS + day * DAY_MS - 1
        assert holds(sessions, "used")
        if day < IDLE_S // 86_400:
            assert len(sessions.sessions_of("u-ann")) == 2
    assert not holds(sessions, "idle")
    assert [one.session_id for one in sessions.sessions_of("u-ann")] == ["used"]
    assert sessions.sessions_of("u-ann")[0].last_seen_at_ms == clock.at_ms
    clock.at_ms += 1
    assert not holds(sessions, "used")
    assert sessions.sessions_of("u-ann") == []


async def test_uses_are_written_down_once_a_minute_and_cost_no_call_in_between(nursery, autojump_clock):
    store = MemorySessions()
    store.put(session("one"), session("idle"))
    sessions = registry(store)
    await nursery.start(sessions.run)
    for _ in range(600):
        assert holds(sessions, "one")
        await trio.sleep(1)
    assert 9 <= len(store.seen_calls) <= 11
    assert all(set(call) == {"one"} for call in store.seen_calls)
    assert store.reads == 1


async def test_a_use_that_could_not_be_written_is_written_later(nursery, autojump_clock):
    store = MemorySessions()
    store.put(session("one"))
    sessions = registry(store)
    await nursery.start(sessions.run)
    store.down = True
    await trio.sleep(100)
    assert holds(sessions, "one")
    await trio.sleep(10)
    assert store.seen_calls == []
    store.down = False
    await trio.sleep(3)
    assert [set(call) for call in store.seen_calls] == [{"one"}]


async def test_what_another_engine_saw_used_is_not_idle_here(nursery, autojump_clock):
    store = MemorySessions()
    store.put(session("one"))
    here, there = registry(store, poll_s=600.0), registry(store, poll_s=600.0)
    await nursery.start(here.run)
    await nursery.start(there.run)
    for _ in range(20):  # days
        await trio.sleep(86_400)
        assert holds(there, "one")
    await trio.sleep(REREAD_S + 1_200)
    assert holds(here, "one")


@pytest.mark.parametrize("kind", list(SessionKind))
@pytest.mark.parametrize("is_admin", [False, True])
@pytest.mark.parametrize("is_money_real", [False, True])
async def test_what_a_session_may_do(kind, is_admin, is_money_real):
    one = session("one", kind=kind, is_admin=is_admin)
    expected = set(Scope) if is_admin else READ_TRADE
    if is_money_real and kind is SessionKind.LOGIN_URL:
        expected = {Scope.READ}
    assert session_scopes(one, is_money_real=is_money_real) == expected
    store = MemorySessions()
    store.put(one)
    sessions = registry(store, is_money_real=is_money_real)
    await sessions.refresh()
    principal = sessions.find(one.digest)
    assert principal.scopes == expected
    assert (principal.session_id, principal.token_id, principal.user_id) == ("one", "session-one", "u-ann")
    # A token that outlives the session is only for who has said his password.
    is_free = kind is SessionKind.LOGIN_URL
    assert (principal.is_login_free, principal.expires_at_ms) == (is_free, one.expires_at_ms if is_free else None)


async def test_who_is_no_administrator_any_more_rules_no_longer(nursery, autojump_clock):
    store = MemorySessions()
    one = session("one", is_admin=True)
    store.put(one)
    sessions = registry(store)
    await nursery.start(sessions.run)
    store.put(attrs.evolve(one, is_admin=False))
    await trio.sleep(1.1)
    assert sessions.find(one.digest).scopes == READ_TRADE
