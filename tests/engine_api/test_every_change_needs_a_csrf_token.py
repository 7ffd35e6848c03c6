"""Every route of the engine, as the router has it: a new one is tested here without anybody thinking of it."""

import random
import re
from contextlib import asynccontextmanager

import attrs
from engine_api.api_server import error_of
from engine_api.login_server import login_server

from config.live import LiveConfig
from config.schema import EngineConfig
from engine.adapters.serving import open_serving_adapters
from engine.adapters.system_clock import SystemClock
from engine.api.browser import SAFE_METHODS
from engine.api.mount import ApiMount
from engine.page_wiring import page_mount
from engine.reload import Reloader
from engine.running import Engine
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic
from engine.service_wiring import build_services
from engine.serving import ServingContext, engine_routes, service_ports
from protocols.users import Scope

ELSEWHERE = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
             {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1:1"}]  # fmt: skip


@asynccontextmanager
async def every_route(database):
    """The routes as `serving` installs them, over adapters that nobody asks."""
    config, rng, clock = EngineConfig(), random.Random(1), SystemClock()
    gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ())
    engine = Engine(
        config=config, supervisor=Supervisor(rng=rng), gauges=gauges, readiness=Readiness(), traffic=Traffic()
    )
    context = ServingContext(
        mount=ApiMount(),
        pages=page_mount(engine, clock),
        reloader=Reloader(LiveConfig(config), lambda: config),
        price_age=_NoObserver(),
        clock=clock,
        rng=rng,
        secret_rng=random.SystemRandom(),
        owner="test",
        holder="test",
        is_money_real=False,
    )
    async with open_serving_adapters(config, database, engine.traffic, clock) as io:
        _, services = build_services(config, service_ports(io, context))
        yield engine_routes(engine, io, services, context)


class _NoObserver:
    def observe(self, value):
        pass


@attrs.define
class Recorder:
    """Stands in for every handler: what reaches it would have been done."""

    reached: list = attrs.field(factory=list)

    def instead(self, route):
        async def handler(call):
            self.reached.append((route.method, route.path))
            return b"{}"

        return attrs.evolve(route, handler=handler)


def example_path(route):
    """The path with values that its parameters take, as far as one guess fits all."""
    return re.sub(r"{\w+}", "00000000-0000-4000-8000-000000000001", route.path)


async def test_no_change_is_made_without_a_token_or_from_elsewhere(database, aio):
    recorder = Recorder()
    async with every_route(database) as routes:
        changing = [route for route in routes if route.method not in SAFE_METHODS]
        stand_ins = [recorder.instead(route) for route in routes]
        async with login_server(database, routes=stand_ins) as server:
            await server.add_user("root", is_admin=True)
            made = await server.log_in("root")
            assert (await server.ask(made, "GET", "/api/me")).status_code == 200
            recorder.reached.clear()
            for route in changing:
                path = example_path(route)
                refused = await server.ask(made, route.method, path, csrf=False, json={})
                assert error_of(refused) == (403, "csrf", None), (route.method, path)
                for headers in ELSEWHERE:
                    refused = await server.ask(made, route.method, path, headers=headers, json={})
                    assert error_of(refused) == (403, "csrf", None), (route.method, path, headers)
            assert recorder.reached == []
            # The other way round: with both it is no longer this that stands in the way, and many are reached.
            for route in changing:
                asked = await server.ask(made, route.method, example_path(route))
                assert asked.status_code == 200 or error_of(asked)[1] != "csrf", (route.method, route.path)
            assert recorder.reached
            document = (await server.client.get("/api/openapi.json", token=None)).json()["paths"]
    described = {(method.upper(), path) for path, methods in document.items() for method in methods}
    assert {(route.method, route.path) for route in routes} == described
    assert len(changing) > 40


async def test_what_only_reads_is_refused_to_pages_of_others_and_needs_a_session(database, aio):
    recorder = Recorder()
    async with every_route(database) as routes:
        reading = [route for route in routes if route.method in SAFE_METHODS]
        async with login_server(database, routes=[recorder.instead(route) for route in routes]) as server:
            await server.add_user("root", is_admin=True)
            made = await server.log_in("root")
            for route in reading:
                path = example_path(route)
                foreign = await server.ask(made, "GET", path, headers={"Sec-Fetch-Site": "cross-site"})
                assert error_of(foreign)[:2] == (403, "csrf"), path
                nobody = await server.ask("a" * 43, "GET", path)
                assert error_of(nobody)[:2] == (401, "unauthorized"), path
            assert recorder.reached == []


async def test_a_session_without_the_scope_is_refused_where_a_token_would_be(database, aio):
    async with every_route(database) as routes, login_server(database, routes=routes) as server:
        await server.add_user("ann")
        made = await server.log_in()
        ruling = [route for route in routes if route.scope is Scope.ADMIN]
        assert len(ruling) > 5
        for route in ruling:
            asked = await server.ask(made, route.method, example_path(route))
            assert error_of(asked)[:2] == (403, "forbidden"), route.path
