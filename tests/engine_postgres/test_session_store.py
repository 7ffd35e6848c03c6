import pytest
import trio
from engine_postgres.server_fixtures import fetch

from engine.adapters.postgres import session_store
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.session_store import PostgresPasswords, PostgresSessions
from engine.adapters.postgres.user_store import UserStore
from protocols.errors import RejectedError
from protocols.sessions import NewSession, SessionKind, secret_digest

PHC = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"
OTHER = PHC + "b"
NOW_MS = 2_000_000_000_000


@pytest.fixture
async def connection(database, aio):
    one = Connection(database, "test")
    yield one
    await one.aclose()


@pytest.fixture
def sessions(connection):
    return PostgresSessions(connection)


@pytest.fixture
def passwords(connection):
    return PostgresPasswords(connection)


@pytest.fixture
async def ann(connection):
    return (await UserStore(connection).add_user("ann")).user_id


def new(name, *, at_ms=NOW_MS, days=30, kind=SessionKind.PASSWORD):
    return NewSession(
        digest=secret_digest(name), kind=kind, created_at_ms=at_ms, expires_at_ms=at_ms + days * 86_400_000,
        user_agent="Firefox", address="203.0.113.7",
    )  # fmt: skip


async def test_a_session_is_kept_by_its_digest_only(sessions, ann, database):
    made = await sessions.add(ann, new("secret"), revision=None)
    assert (made.user_name, made.is_admin, made.kind, made.created_at_ms) == ("ann", False, "password", NOW_MS)
    assert (await sessions.sessions()).sessions == [made]
    assert await sessions.add(ann, new("secret"), revision=None) == made  # asked again, the answer was lost
    (row,) = fetch(database.dsn, "SELECT row_to_json(web_sessions)::text FROM web_sessions")
    assert "secret_digest" in row[0]
    assert '"secret"' not in row[0]
    assert secret_digest("secret").hex() not in repr(made)


async def test_every_change_is_seen_in_the_version_and_the_time_of_use_is_none(sessions, passwords, ann, connection):
    versions = [await sessions.version()]

    async def changed():
        versions.append(await sessions.version())
        return versions[-1] > versions[-2]

    first = await sessions.add(ann, new("one"), revision=None)
    assert await changed()
    await sessions.seen({first.session_id: NOW_MS + 60_000})
    assert not await changed()
    await sessions.seen({first.session_id: NOW_MS + 1, "00000000-0000-4000-8000-000000000001": NOW_MS})
    assert [one.last_seen_at_ms for one in (await sessions.sessions()).sessions] == [NOW_MS + 60_000]
    await sessions.add(ann, new("two"), revision=None)
    assert await changed()
    assert await sessions.end(first.session_id, user_id=ann)
    assert await changed()
    assert await passwords.set_password(ann, PHC, revision=None) is not None
    assert await changed()
    await connection.run(lambda raw: raw.execute("UPDATE profiles SET is_admin = true WHERE user_name = 'ann'"))
    assert await changed()
    await UserStore(connection).disable_user("ann")
    assert await changed()


async def test_a_session_ends_by_its_user_only_and_all_but_one(sessions, ann, connection):
    bob = (await UserStore(connection).add_user("bob")).user_id
    made = [await sessions.add(ann, new(name), revision=None) for name in "abc"]
    his = await sessions.add(bob, new("his"), revision=None)
    assert not await sessions.end(his.session_id, user_id=ann)
    assert not await sessions.end("nonsense", user_id=ann)
    assert await sessions.end(made[0].session_id, user_id=ann)
    assert not await sessions.end(made[0].session_id, user_id=ann)
    assert await sessions.end_all(ann, but=made[1].session_id) == [made[2].session_id]
    assert {one.session_id for one in (await sessions.sessions()).sessions} == {made[1].session_id, his.session_id}
    assert await sessions.end_all(ann) == [made[1].session_id]


async def test_the_oldest_of_very_many_sessions_ends_and_what_has_expired_is_deleted(sessions, ann, database):
    await sessions.add(ann, new("expired", at_ms=1_000_000_000_000), revision=None)
    for number in range(session_store.SESSIONS_HELD_MAX + 2):
        await sessions.add(ann, new(f"n{number}", at_ms=NOW_MS + number), revision=None)
    held = (await sessions.sessions()).sessions
    assert len(held) == session_store.SESSIONS_HELD_MAX
    assert min(one.created_at_ms for one in held) == NOW_MS + 2
    assert fetch(database.dsn, "SELECT count(*) FROM web_sessions") == [(session_store.SESSIONS_HELD_MAX,)]


async def test_a_disabled_user_has_no_session_and_gets_none(sessions, passwords, ann, connection):
    await sessions.add(ann, new("one"), revision=None)
    await UserStore(connection).disable_user("ann")
    assert (await sessions.sessions()).sessions == []
    assert await sessions.add(ann, new("two"), revision=None) is None
    assert await passwords.set_password(ann, PHC, revision=None) is None
    assert (await passwords.password("ann")).is_disabled


async def test_a_password_is_set_changed_and_hashed_again(sessions, passwords, ann):
    assert await passwords.password("nobody") is None
    assert await passwords.password("a\x00b") is None
    row = await passwords.password("ann")
    assert (row.user_id, row.phc, row.revision, row.is_disabled) == (ann, None, None, False)
    first = await sessions.add(ann, new("a"), revision=None)
    assert await passwords.set_password(ann, PHC, revision=None) == [first.session_id]
    assert await passwords.set_password(ann, OTHER, revision=None) is None
    row = await passwords.password("ann")
    assert row.phc == PHC
    assert PHC not in repr(row)
    await passwords.rehash(ann, OTHER, revision=row.revision)
    again = await passwords.password("ann")
    assert (again.phc, again.revision) == (OTHER, row.revision)
    kept, lost = [await sessions.add(ann, new(name), revision=row.revision) for name in "bc"]
    ended = await passwords.set_password(ann, PHC, revision=row.revision, but_session=kept.session_id)
    assert ended == [lost.session_id]
    # What was true of the old password is nothing now.
    assert await passwords.set_password(ann, OTHER, revision=row.revision) is None
    assert await sessions.add(ann, new("d"), revision=row.revision) is None
    await passwords.rehash(ann, OTHER, revision=row.revision)
    assert (await passwords.password("ann")).phc == PHC


async def test_a_login_and_a_change_of_the_password_never_leave_a_session_of_the_old_one(database, aio, ann):
    one, two = Connection(database, "one"), Connection(database, "two")
    sessions, passwords = PostgresSessions(one), PostgresPasswords(two)
    await passwords.set_password(ann, PHC, revision=None)
    for number in range(20):
        revision = (await passwords.password("ann")).revision
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda name=f"s{number}", old=revision: sessions.add(ann, new(name), revision=old))
            nursery.start_soon(lambda old=revision: passwords.set_password(ann, OTHER, revision=old))
        assert (await sessions.sessions()).sessions == []
    await one.aclose()
    await two.aclose()


@pytest.mark.parametrize("phc", ["plain", "$argon2i$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", "$argon2id$" + "x" * 400])
async def test_nothing_but_a_hash_is_stored(passwords, ann, phc):
    with pytest.raises(RejectedError):
        await passwords.set_password(ann, phc, revision=None)
