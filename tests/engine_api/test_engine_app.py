import pytest
from engine_api.api_server import error_of, full_gate, route, serving
from prometheus_client import CollectorRegistry

from config.http import HttpConfig
from config.schema import EngineConfig
from config.secrets import Secret
from engine.adapters.system_clock import system_random
from engine.api.app import engine_app
from engine.api.mount import ApiMount
from engine.running import Engine
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic


@pytest.fixture
def engine():
    return Engine(
        config=EngineConfig(http=HttpConfig(metrics_token=Secret("metrics-secret"))),
        supervisor=Supervisor(rng=system_random()),
        gauges=RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=tuple),
        readiness=Readiness(),
        traffic=Traffic(),
    )


async def answer(call):
    return {"a": 1}


async def test_the_api_comes_and_goes_with_the_database(engine):
    mount = ApiMount()
    async with serving(engine_app(engine, CollectorRegistry(), mount)) as client:
        for path in ("/api/thing", "/api/nothing", "/api/openapi.json"):
            starting = await client.get(path, token=None)
            assert error_of(starting) == (503, "starting", None)
            assert starting.headers["retry-after"] == "2"
        mount.install([route(answer)], full_gate())
        assert mount.installed
        assert (await client.get("/api/thing")).json() == {"a": 1}
        assert (await client.get("/api/thing", token=None)).status_code == 401
        mount.remove()
        assert not mount.installed
        assert error_of(await client.get("/api/thing")) == (503, "starting", None)


async def test_health_readiness_and_metrics_need_no_token(engine):
    async with serving(engine_app(engine, CollectorRegistry())) as client:
        health = await client.get("/healthz", token=None)
        assert health.json()["status"] == "ok"
        engine.readiness.wait_for("database", "not reached yet")
        ready = await client.get("/readyz", token=None)
        assert (ready.status_code, ready.json()["waiting_for"]) == (503, {"database": "not reached yet"})
        assert ready.json()["degraded"] == {}
        metrics = await client.get("/metrics", token=None)
        assert "polycopy_heap_bytes" in metrics.text
        forwarded = {"X-Forwarded-For": "203.0.113.7"}
        assert (await client.get("/metrics", token=None, headers=forwarded)).status_code == 401
        assert (await client.get("/metrics", token="metrics-secret", headers=forwarded)).status_code == 200
        for response in (health, ready, metrics):
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["cache-control"] == "no-store"


async def test_what_an_engine_goes_on_without_is_told_and_takes_no_traffic_away(engine):
    async with serving(engine_app(engine, CollectorRegistry())) as client:
        engine.readiness.degraded_by("edge feed_events", "no answer")
        degraded = await client.get("/readyz", token=None)
        assert (degraded.status_code, degraded.json()["ready"]) == (200, True)
        assert (degraded.json()["waiting_for"], degraded.json()["degraded"]) == ({}, {"edge feed_events": "no answer"})
        engine.readiness.restored("edge feed_events")
        assert (await client.get("/readyz", token=None)).json()["degraded"] == {}


@pytest.mark.parametrize("path", ["/", "/healthz/", "/api", "/metrics/x", "/%61pi"])
async def test_a_path_outside_the_api_that_is_not_there(engine, path):
    async with serving(engine_app(engine, CollectorRegistry())) as client:
        refused = await client.get(path)
    assert error_of(refused) == (404, "not_found", None)
    assert refused.headers["x-content-type-options"] == "nosniff"


async def test_health_is_only_read(engine):
    async with serving(engine_app(engine, CollectorRegistry())) as client:
        refused = await client.ask("POST", "/healthz")
        assert error_of(refused) == (405, "method_not_allowed", None)
        assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert (await client.ask("HEAD", "/healthz")).status_code == 200
