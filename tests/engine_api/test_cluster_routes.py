import msgspec
import pytest
from engine_postgres.test_member_store import EXPIRE, beat_of

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.postgres.member_store import PostgresMemberStore
from engine.api.cluster_routes import cluster_routes
from engine.api.route import Call, Rate
from protocols.cluster import Role
from protocols.users import Principal, Scope

ADMIN = Principal(user_id="u", user_name="ann", token_id="t", scopes=frozenset({Scope.ADMIN}))


@pytest.fixture
async def connection(database, aio):
    one = Connection(database, "test")
    yield one
    await one.aclose()


@pytest.fixture
def store(connection):
    return PostgresMemberStore(connection)


@pytest.fixture
def ask(store):
    [route] = cluster_routes(store, "b")
    assert (route.scope, route.rate) == (Scope.ADMIN, Rate.ADMIN)

    async def call():
        answer = await route.handler(Call(principal=ADMIN, params={}, body=None, headers={}))
        assert isinstance(answer, route.answer)
        return msgspec.json.decode(msgspec.json.encode(answer))

    return call


async def test_nobody_does_anything_where_nobody_is(ask):
    answer = await ask()
    assert (answer["members"], answer["versions"]) == ([], [])
    assert answer["rolesOfNobody"] == ["ingest", "decide", "execute", "poll", "jobs", "api"]


async def test_engines_are_told_with_what_they_do_hold_and_may_use(ask, store, connection):
    await store.beat(beat_of("a", 1, Role.INGEST, Role.POLL, heap_bytes=7, loop_lag_ms=1.25))
    await store.beat(beat_of("b", 1, Role.API))
    await LeaseOffice(connection=connection, owner="a", holder="host a", ttl_s=9).acquire("ingest")
    answer = await ask()
    assert answer["me"] == "b"
    first, second = answer["members"]
    assert (first["id"], first["state"], first["working"]) == ("a", "live", ["ingest", "poll"])
    assert first["roles"] == ["ingest", "decide", "execute", "poll", "jobs", "api"]
    assert (first["leases"][0]["name"], first["leases"][0]["epoch"]) == ("ingest", 1)
    assert first["shares"] == {"data": 0.875, "gamma": 0.875, "clob": 0.875}
    assert second["shares"] == {"data": 0.0, "gamma": 0.062, "clob": 0.062}
    assert (first["heapBytes"], first["loopLagMs"], first["streamAgeS"]) == (7, 1.2, None)
    assert answer["rolesOfNobody"] == ["decide", "execute", "jobs"]
    assert [(one["name"], one["held"]) for one in answer["leases"]] == [("ingest", True)]


async def test_whoever_is_gone_does_nothing_any_more(ask, store, connection):
    for name in ("a", "b", "c"):
        await store.beat(beat_of(name, 1, Role.JOBS))
    await connection.run(lambda raw: raw.execute(EXPIRE, 5.0, "a"))
    await store.leave("b")
    answer = await ask()
    assert [(one["id"], one["state"], one["working"]) for one in answer["members"]] == [
        ("c", "live", ["jobs"]), ("a", "lost", []), ("b", "left", []),
    ]  # fmt: skip
    assert answer["members"][1]["shares"]["data"] == 0
