import msgspec
import pytest

from config.jobs import JobConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.system_clock import SystemClock
from engine.api.errors import ApiError
from engine.api.job_routes import job_routes
from engine.api.params import parsed
from engine.api.route import Call, Rate
from engine.tuner_process import is_installed
from protocols.jobs import JobOutcome, JobStatus
from protocols.users import Principal, Scope

ADMIN = Principal(user_id="u", user_name="ann", token_id="t", scopes=frozenset({Scope.ADMIN}))
SETTINGS = {"retention": JobConfig(), "off": JobConfig(enabled=False)}
PLACED = {"cold-poll": JobConfig(), "alpha-agent": JobConfig()}
SLOT_MS = 1_795_219_200_000


@pytest.fixture
async def store(database, aio):
    connection = Connection(database, "jobs")
    yield PostgresJobStore(connection)
    await connection.aclose()


@pytest.fixture
def ask(store):
    routes = {route.path: route for route in job_routes(store=store, settings=SETTINGS, clock=SystemClock())}

    async def call(path, **given):
        route = routes[path]
        assert (route.scope, route.rate) == (Scope.ADMIN, Rate.ADMIN)
        params = parsed(route.params, {name: [str(value)] for name, value in given.items()})
        answer = await route.handler(Call(principal=ADMIN, params=params, body=None, headers={}))
        assert isinstance(answer, route.answer)
        return msgspec.json.decode(msgspec.json.encode(answer))

    return call


async def run_once(store, slot_ms=None):
    lease = await store.claim("retention", slot_ms=slot_ms, owner=f"me {slot_ms}", holder="here", ttl_s=30)
    await store.finish(lease, JobOutcome(status=JobStatus.SUCCEEDED, figures={"deleted": 3}))


async def test_the_list_tells_what_runs_when_and_how_it_went(ask, store):
    await run_once(store, SLOT_MS)
    await store.announce("me", "here", ["retention"])
    await store.request("retention", "bob")
    answer = await ask("/api/admin/jobs")
    retention, off = answer["jobs"]
    assert (retention["name"], retention["enabled"], retention["cron"]) == ("retention", True, "0 4 * * *")
    assert retention["nextSlot"].endswith("T04:00:00Z")
    assert (retention["runningAt"], retention["requestedBy"]) == (None, "bob")
    assert (retention["lastRun"]["status"], retention["lastRun"]["figures"]) == ("succeeded", {"deleted": 3})
    assert retention["lastSuccessAt"] == retention["lastRun"]["endedAt"]
    assert (off["nextSlot"], off["lastRun"]) == (None, None)
    assert answer["schedulers"] == ["here"]


async def test_a_run_is_asked_for_once_in_the_name_of_the_asker(ask, store):
    first = await ask("/api/admin/jobs/{name}/run", name="retention")
    again = await ask("/api/admin/jobs/{name}/run", name="retention")
    assert again == {**first, "isNew": False}
    assert first["isNew"]
    await run_once(store)
    assert (await store.run_of_request(first["requestId"])).requested_by == "ann"


async def test_history_comes_in_pages(ask, store):
    for day in range(3):
        await run_once(store, SLOT_MS + day * 86_400_000)
    first = await ask("/api/admin/jobs/{name}/runs", name="retention", limit=2)
    rest = await ask("/api/admin/jobs/{name}/runs", name="retention", limit=2, before=first["nextBefore"])
    assert [run["slot"][:10] for run in [*first["runs"], *rest["runs"]]] == ["2026-11-23", "2026-11-22", "2026-11-21"]
    assert rest["nextBefore"] is None


@pytest.mark.parametrize("path", ["/api/admin/jobs/{name}/runs", "/api/admin/jobs/{name}/run"])
async def test_an_unknown_job_is_not_found(ask, path):
    with pytest.raises(ApiError) as refused:
        await ask(path, name="nothing")
    assert (refused.value.status, refused.value.code) == (404, "unknown_job")


async def test_a_job_that_no_engine_can_run_is_refused_and_says_what_it_needs(store):
    here = set()
    routes = {
        route.path: route
        for route in job_routes(store=store, settings=PLACED, clock=SystemClock(), runs_here=here.__contains__)
    }

    async def call(path, **params):
        return await routes[path].handler(Call(principal=ADMIN, params=params, body=None, headers={}))

    notes = {job.name: job.note for job in (await call("/api/admin/jobs")).jobs}
    assert notes == {
        "cold-poll": "needs an engine that polls, and none runs now",
        "alpha-agent": None if is_installed() else "not installed",
    }
    with pytest.raises(ApiError) as refused:
        await call("/api/admin/jobs/{name}/run", name="cold-poll")
    assert (refused.value.status, refused.value.code) == (409, "no_engine_for_job")
    states = await store.states(["cold-poll"], slots_until_ms=SLOT_MS)
    assert states["cold-poll"].requested_by is None
    # This process has just begun to ingest, and nobody was told yet.
    here.add("cold-poll")
    assert (await call("/api/admin/jobs/{name}/run", name="cold-poll")).is_new
    here.clear()
    await store.announce("me", "here", ["cold-poll"])
    assert not (await call("/api/admin/jobs/{name}/run", name="cold-poll")).is_new
    assert (await call("/api/admin/jobs/{name}/run", name="alpha-agent")).is_new
