import pytest
from engine_postgres.server_fixtures import fetch

from engine.adapters.postgres import user_store
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.user_store import TooManyTokensError, UserStore
from protocols.errors import RejectedError
from protocols.users import Scope, token_digest


@pytest.fixture
async def store(database, aio):
    connection = Connection(database, "test")
    yield UserStore(connection)
    await connection.aclose()


def digest(name):
    return token_digest(name.encode())


async def test_users_are_listed_by_name_in_pages(store):
    for name in ("zoe", "Bob", "ann"):
        assert (await store.add_user(name)).user_name == name
    assert await store.add_user("ann") is None
    assert [row.user_name for row in await store.users()] == ["Bob", "admin", "ann", "zoe"]
    assert [row.user_name for row in await store.users(after="admin", limit=1)] == ["ann"]
    assert (await store.user("admin")).is_admin
    assert not (await store.user("zoe")).is_admin
    assert await store.user("nobody") is None


async def test_only_the_digest_of_a_token_is_kept(store, database):
    made = await store.add_token("admin", name="bot", digest=digest("pcy_secret"), scopes=[Scope.TRADE, Scope.READ])
    assert made.scopes == (Scope.READ, Scope.TRADE)
    (row,) = fetch(database.dsn, "SELECT token_digest, row_to_json(api_tokens)::text FROM api_tokens")
    assert bytes(row[0]) == digest("pcy_secret")
    assert "pcy_secret" not in row[1]
    assert "pcy_" not in repr(made)


async def test_a_valid_token_is_neither_revoked_nor_of_a_disabled_user(store, database):
    await store.add_user("ann")
    kept = await store.add_token(
        "ann", name="a", digest=digest("a"), scopes=[Scope.READ], expires_at_ms=4_000_000_000_123
    )
    gone = await store.add_token("ann", name="b", digest=digest("b"), scopes=[Scope.READ])
    await store.add_token("ann", name="old", digest=digest("old"), scopes=[Scope.READ], expires_at_ms=1_000)
    versions = [await store.version()]
    assert await store.revoke_token(gone.token_id)
    versions.append(await store.version())
    table = await store.valid_tokens()
    assert [one.digest for one in table.tokens] == [digest("a")]
    (one,) = table.tokens
    assert (one.principal.token_id, one.principal.user_name) == (kept.token_id, "ann")
    assert one.principal.expires_at_ms == 4_000_000_000_123
    assert table.version == versions[-1]
    assert table.admin_id == (await store.user("admin")).user_id
    assert not await store.revoke_token(gone.token_id)
    first = await store.disable_user("ann")
    versions.append(await store.version())
    assert (await store.valid_tokens()).tokens == []
    assert first.disabled_at is not None
    assert (await store.disable_user("ann")).disabled_at == first.disabled_at
    assert await store.add_token("ann", name="c", digest=digest("c"), scopes=[Scope.READ]) is None
    assert await store.disable_user("nobody") is None
    fetch(database.dsn, "DELETE FROM profiles WHERE user_name = 'ann' RETURNING 1")
    versions.append(await store.version())
    assert versions == sorted(set(versions))


async def test_a_token_is_revoked_by_its_owner_only(store):
    ann = await store.add_user("ann")
    made = await store.add_token("admin", name="a", digest=digest("a"), scopes=[Scope.READ])
    assert not await store.revoke_token(made.token_id, user_id=ann.user_id)
    assert not await store.revoke_token("nonsense")
    assert await store.revoke_token(made.token_id, user_id=made.user_id)
    assert await store.tokens("admin") == []


async def test_tokens_of_one_and_of_all(store):
    await store.add_user("ann")
    for user, name in (("ann", "one"), ("admin", "two"), ("ann", "three")):
        await store.add_token(user, name=name, digest=digest(name), scopes=[Scope.READ])
    assert [row.name for row in await store.tokens()] == ["two", "one", "three"]
    assert [row.name for row in await store.tokens("ann")] == ["one", "three"]


async def test_making_a_token_may_be_repeated_but_not_for_another_user(store):
    await store.add_user("ann")
    first = await store.add_token("ann", name="a", digest=digest("a"), scopes=[Scope.READ])
    again = await store.add_token("ann", name="a", digest=digest("a"), scopes=[Scope.READ])
    assert first == again
    assert await store.add_token("admin", name="a", digest=digest("a"), scopes=[Scope.READ]) is None


async def test_a_user_has_only_so_many_tokens(store, database, monkeypatch):
    monkeypatch.setattr(user_store, "TOKENS_HELD_MAX", 2)
    monkeypatch.setattr(user_store, "TOKEN_ROWS_MAX", 3)

    async def make(name):
        return await store.add_token("admin", name=name, digest=digest(name), scopes=[Scope.READ])

    one, _ = await make("1"), await make("2")
    with pytest.raises(TooManyTokensError):
        await make("3")
    await store.revoke_token(one.token_id)
    three = await make("3")
    await store.revoke_token(three.token_id)
    with pytest.raises(TooManyTokensError):
        await make("4")
    fetch(database.dsn, "UPDATE api_tokens SET revoked_at = now() - interval '31 days' WHERE name = '1' RETURNING 1")
    await make("4")
    assert [row.name for row in await store.tokens("admin")] == ["2", "4"]


async def test_the_database_refuses_what_makes_no_sense(store, database):
    for scopes in ([], ["root"]):
        with pytest.raises(RejectedError, match="23514"):
            await store.add_token("admin", name="a", digest=digest("a"), scopes=[_Word(word) for word in scopes])
    with pytest.raises(RejectedError, match="23514"):
        await store.add_token("admin", name="a", digest=b"short", scopes=[Scope.READ])
    with pytest.raises(RejectedError, match="23514"):
        await store.add_token("admin", name="", digest=digest("a"), scopes=[Scope.READ])


class _Word:
    def __init__(self, value):
        self.value = value
