"""The engine's ASGI application. For now three routes that need no token: health, readiness, metrics."""

import hmac
import ipaddress
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from config.secrets import Secret
from engine.metrics import EngineCollector, render
from engine.wiring import Engine

_SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def engine_app(engine: Engine, registry: CollectorRegistry) -> Starlette:
    """Returns the application over a running engine, whose figures it adds to `registry`."""
    collector = EngineCollector(engine)
    registry.register(collector)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": version("polycopy")}, headers=_SECURITY_HEADERS)

    async def readyz(_: Request) -> Response:
        body = {
            "ready": engine.readiness.ready,
            "waiting_for": engine.readiness.open_conditions(),
            "actors": {name: "up" if state.up else "down" for name, state in engine.supervisor.states.items()},
        }
        return JSONResponse(body, status_code=200 if engine.readiness.ready else 503, headers=_SECURITY_HEADERS)

    async def metrics(request: Request) -> Response:
        if not _may_read_metrics(request, engine.config.http.metrics_token):
            return JSONResponse({"error": "metrics need a token from here"}, status_code=401, headers=_SECURITY_HEADERS)
        text = await render(registry, collector)
        return Response(text, headers={**_SECURITY_HEADERS, "Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])


def _may_read_metrics(request: Request, token: Secret | None) -> bool:
    """On loopback, unless a proxy brought the request here; elsewhere with the metrics token."""
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), token.reveal().encode()):
            return True
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return not forwarded and request.client is not None and _is_loopback(request.client.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
