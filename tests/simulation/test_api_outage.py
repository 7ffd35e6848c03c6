"""The API while the database, or the ingest lease, is elsewhere."""

import os
import signal

import httpx
import trio
from crash.engine_process import engine_process
from crash.frozen_server import freeze
from engine_simulator.loopback_http import NO_TLS
from simulation.api_world import QUIET, Listener, api_engine, emit, own_server_world
from simulation.ingest_world import ingest_world

WALLET = "0x" + "a7" * 20
READS = (
    "/api/v2/feed/trades",
    "/api/v2/feed/stream",
    "/api/follows",
    "/api/tokens",
    "/api/admin/users",
    "/api/admin/jobs",
    "/api/admin/jobs/retention/runs",
)
MARKET = "conditionId=0x" + "e" * 64
OF_VENUE = (f"/api/polymarket/price?{MARKET}", f"/api/polymarket/market?{MARKET}", "/api/polymarket/book?token=77")
"""May be answered without the database, but not late."""
ANSWER_MAX_S = 10
# More than the API has connections.
COPIES = 3


async def answers(engine, requests):
    """Status, Retry-After and seconds of each request, all asked at once."""
    found = []

    async def one(method, path, body):
        began_s = trio.current_time()
        content = {} if body is None else {"json": body}
        with trio.move_on_after(3 * ANSWER_MAX_S):
            response = await engine.ask(method, path, timeout=None, **content)
            took_s = trio.current_time() - began_s
            found.append((method, path, response.status_code, response.headers.get("retry-after"), took_s))
            return
        found.append((method, path, None, None, trio.current_time() - began_s))

    async with trio.open_nursery() as nursery:
        for request in requests:
            nursery.start_soon(one, *request)
    return found


def assert_unavailable(found):
    for method, path, status, retry_after, took_s in found:
        assert status == 503, f"{method} {path}: {status} after {took_s:.1f} s"
        assert int(retry_after) >= 1
        assert took_s < ANSWER_MAX_S, f"{method} {path} took {took_s:.1f} s"


async def until_back(engine):
    with trio.fail_after(20):
        while not all([await engine.answers(path, 200) for path in READS if not path.endswith("stream")]):
            await trio.sleep(0.1)


async def test_while_the_database_is_away_requests_are_told_so_soon_and_served_again_after():
    follow = ("POST", "/api/follows", {"wallets": [WALLET]})
    token = ("POST", "/api/tokens", {"name": "new", "scopes": ["read"]})
    requests = [*(("GET", path, None) for path in READS), follow, token]
    async with own_server_world() as (world, server, home), api_engine(world, home) as engine:
        await engine.done(*follow)
        await engine.process.until_ready()
        freeze(server, signal.SIGSTOP)
        try:
            assert_unavailable(await answers(engine, requests * COPIES))
            for _, path, status, _, took_s in await answers(engine, [("GET", path, None) for path in OF_VENUE]):
                assert status in (200, 404, 503), path
                assert took_s < ANSWER_MAX_S, f"{path} took {took_s:.1f} s"
            assert (await engine.get("/api/me")).status_code == 200, "tokens that held go on to hold"
            assert (await engine.get("/api/me", token="unknown")).status_code == 401
            assert (await engine.get("/healthz")).status_code == 200
        finally:
            freeze(server, signal.SIGCONT)
        await until_back(engine)

        os.kill(server.pid, signal.SIGQUIT)
        await server.wait_dead()
        assert_unavailable(await answers(engine, requests))
        await server.restart()
        await until_back(engine)
        await engine.process.until_ready()
        await emit(world, WALLET)
        with trio.fail_after(10):
            while len((await engine.done("GET", "/api/v2/feed/trades"))["trades"]) < 1:
                await trio.sleep(0.1)
        assert engine.process.process.poll() is None


async def test_without_its_database_from_the_start_the_api_says_that_it_is_starting(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        settings = {**world.settings, "database.url": "postgresql://nobody@127.0.0.1:9/none"}
        async with engine_process(settings) as process:
            await process.until_not_ready_because("database")
            async with httpx.AsyncClient(
                verify=NO_TLS, base_url=f"http://127.0.0.1:{process.port}", trust_env=False
            ) as http:
                for path in (*READS, "/api/openapi.json", "/api/nothing"):
                    response = await http.get(path)
                    assert (response.status_code, response.json()["error"]["code"]) == (503, "starting")
                    assert int(response.headers["retry-after"]) >= 1


async def test_an_engine_that_stands_by_serves_what_the_other_one_reads(database, tmp_path):
    async with (
        ingest_world(database, tmp_path / "spill", **QUIET) as world,
        api_engine(world, tmp_path) as first,
    ):
        await first.process.until_ready()
        async with api_engine(world, tmp_path) as second:
            await second.process.until_not_ready_because("lease ingest is held by")
            await second.user("ann")
            ann, token_id = await second.token("ann", "read")
            await second.done("POST", "/api/follows", {"wallets": [WALLET]}, token=ann)
            async with trio.open_nursery() as nursery:
                listener = Listener()
                await nursery.start(listener.listen, second, ann)
                await trio.sleep(0.5)  # two polls of the other engine's targets
                await emit(world, WALLET)
                await listener.until(1)
                nursery.cancel_scope.cancel()
            assert listener.trades[0][1]["traderWallet"] == WALLET
            for engine in (first, second):
                [row] = (await engine.done("GET", "/api/v2/feed/trades", token=ann))["trades"]
                assert row["traderWallet"] == WALLET
                follows = (await engine.done("GET", "/api/follows", token=ann))["follows"]
                assert [one["wallet"] for one in follows] == [WALLET]
            assert (await world.state())["connections"]["now"] == 1, "the one that stands by must not read the stream"
            await first.done("DELETE", f"/api/tokens/{token_id}")
            with trio.fail_after(2):
                while await second.answers("/api/me", 200, token=ann):
                    await trio.sleep(0.02)
