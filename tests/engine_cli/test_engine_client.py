from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from config.http import HttpConfig
from config.secrets import Secret
from engine.cli.engine_client import EngineUnreachableError, Metrics, open_engine_client, parse_metrics
from engine.metrics import trade_to_row_histogram
from engine.web.asgi_server import ServerLimits, serve_asgi
from protocols.errors import MalformedError

METRICS = """
# TYPE polycopy_ready gauge
polycopy_ready 1.0
# TYPE polycopy_channel_dropped_total counter
polycopy_channel_dropped_total{channel="writer",lane="2",reason="shed"} 3.0
polycopy_channel_dropped_total{channel="writer",lane="2",reason="full"} 4.0
polycopy_channel_dropped_total{channel="a b",lane="0",reason="x"} 1.0
"""


def histogram(*values):
    registry = CollectorRegistry()
    metric = trade_to_row_histogram(registry)
    for value in values:
        metric.observe(value)
    return parse_metrics("# TYPE polycopy_ready gauge\npolycopy_ready 1.0\n" + generate_latest(registry).decode())


def test_samples_are_found_by_name_and_label():
    metrics = parse_metrics(METRICS)
    assert metrics.value("ready") == 1
    assert metrics.value("not_there") is None
    assert metrics.value("channel_dropped_total", channel="writer", lane="2", reason="full") == 4
    assert metrics.by("channel_dropped_total", "channel") == {"writer": 7, "a b": 1}
    assert metrics.total("channel_dropped_total") == 8
    assert metrics.by("not_there", "channel") == {}


@pytest.mark.parametrize(
    "text", ["", "<html>", "other_ready 1\n", "polycopy_ready{\n", "\x00", 'a{b="', "polycopy_ready x"]
)
def test_what_is_no_exposition_of_an_engine_is_refused(text):
    with pytest.raises(MalformedError):
        parse_metrics(text)


def test_quantiles_lie_in_their_bucket():
    metrics = histogram(*[0.004] * 98, 0.02, 0.2)
    assert 0.003 < metrics.quantile("trade_to_row_seconds", 0.5) <= 0.005
    assert 0.015 < metrics.quantile("trade_to_row_seconds", 0.99) <= 0.025
    assert 0.1 < metrics.quantile("trade_to_row_seconds", 1) <= 0.25


def test_an_empty_histogram_has_no_quantile_and_a_full_last_bucket_its_lower_bound():
    assert histogram().quantile("trade_to_row_seconds", 0.5) is None
    assert Metrics({}).quantile("trade_to_row_seconds", 0.5) is None
    assert histogram(1000, 1000).quantile("trade_to_row_seconds", 0.5) == 300


@asynccontextmanager
async def serving(readyz, metrics):
    app = Starlette(routes=[Route("/readyz", readyz), Route("/metrics", metrics)])
    async with trio.open_nursery() as nursery:
        limits = ServerLimits(allowed_hosts=frozenset({"127.0.0.1", "::1"}))
        yield await nursery.start(partial(serve_asgi, app, host="127.0.0.1", port=0, limits=limits))
        nursery.cancel_scope.cancel()


async def read(port, **settings):
    async with open_engine_client(HttpConfig(port=port, **settings)) as client:
        return await client.read()


def ready(_):
    body = {"ready": True, "waiting_for": {}, "degraded": {"edge e": "no answer"}, "actors": {"watch": "up"}}
    return JSONResponse(body)


async def test_a_state_is_read_with_the_token_and_wherever_the_engine_listens():
    seen = []

    def metrics(request):
        seen.append(request.headers.get("authorization"))
        return PlainTextResponse(METRICS)

    async with serving(ready, metrics) as port:
        view = await read(port, host="0.0.0.0", metrics_token=Secret("abc"))
    assert (view.ready, view.actors, view.metrics_error) == (True, {"watch": "up"}, None)
    assert view.degraded == {"edge e": "no answer"}
    assert view.metrics.value("ready") == 1
    assert seen == ["Bearer abc"]


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (lambda _: PlainTextResponse("", 401), "needs a token"),
        (lambda _: PlainTextResponse("", 500), "answered 500"),
        (lambda _: PlainTextResponse("<html>"), "answers no metrics"),
    ],
)
async def test_readiness_is_known_even_without_metrics(metrics, reason):
    async with serving(ready, metrics) as port:
        view = await read(port)
    assert view.ready
    assert reason in view.metrics_error
    assert view.metrics.by("channel_depth", "channel") == {}


@pytest.mark.parametrize("answer", [PlainTextResponse("hello"), JSONResponse([1]), JSONResponse({"ready": "yes"})])
async def test_another_program_is_not_taken_for_an_engine(answer):
    async with serving(lambda _: answer, ready) as port:
        with pytest.raises(EngineUnreachableError, match="no Polycopy engine"):
            await read(port)


async def test_nobody_there_and_no_port():
    with pytest.raises(EngineUnreachableError, match=r"no engine answers at http://127\.0\.0\.1:9"):
        await read(9)
    with pytest.raises(EngineUnreachableError, match=r"http\.port is 0"):
        await read(0)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("[::1]", "http://[::1]:80"),
        ("192.0.2.7", "http://192.0.2.7:80"),
        ("box.example", "http://box.example:80"),
    ],
)
async def test_the_address_is_one_that_can_be_reached(host, url):
    async with open_engine_client(HttpConfig(host=host, port=80)) as client:
        assert client.url == url
