import trio
from engine_api.api_server import TOKEN, error_of, gate_of, principal, route, serving_routes

from engine.api.errors import not_found
from engine.api.feed_stream import EventStream
from protocols.users import Scope

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


async def idle(_call):
    async def chunk():
        await trio.sleep(0.05)
        return b": still here\n\n"

    return EventStream(chunk)


async def refuse(_call):
    raise not_found("nothing", "there is no such stream")


async def until(condition):
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.01)


async def test_streams_of_all_kinds_share_their_places_and_give_them_back():
    gate = gate_of({TOKEN: principal(Scope.READ)}, streams_max=2)
    routes = [route(idle, f"/api/{name}/stream", streams=True, answer=None) for name in ("prices", "feed")]
    async with serving_routes(*routes, gate=gate) as client:
        async with (
            client.http.stream("GET", "/api/prices/stream", headers=AUTHORIZED) as first,
            client.http.stream("GET", "/api/feed/stream", headers=AUTHORIZED) as second,
        ):
            assert (first.status_code, second.status_code) == (200, 200)
            third = await client.get("/api/prices/stream")
            assert error_of(third)[:2] == (503, "unavailable")
            assert third.headers["retry-after"]
        await until(lambda: gate.streams == 0)
        async with client.http.stream("GET", "/api/feed/stream", headers=AUTHORIZED) as again:
            assert again.status_code == 200


async def test_a_stream_that_is_refused_takes_no_place():
    gate = gate_of({TOKEN: principal(Scope.READ)}, streams_max=1)
    async with serving_routes(route(refuse, "/api/stream", streams=True, answer=None), gate=gate) as client:
        for token in (TOKEN, None):
            assert (await client.get("/api/stream", token=token)).status_code in (401, 404)
            assert gate.streams == 0
