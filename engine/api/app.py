"""The engine's ASGI application: health, readiness and metrics, which need no token, the API below `/api/`, and the pages."""

import hmac
import ipaddress
from importlib.metadata import version

import attrs
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from config.secrets import Secret
from engine.api.answer import SECURITY_HEADERS, ErrorBody, ErrorDetail, encode
from engine.api.mount import ApiMount
from engine.metrics import EngineCollector, render
from engine.running import Engine
from engine.web.asgi_cycle import AsgiApp, Receive, Scope, Send

PROBES = ("/healthz", "/readyz", "/metrics")
_SECURITY_HEADERS = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}


@attrs.frozen(eq=False)
class EngineApp:
    """The application. `mount` takes the routes of the API when the database is reached, and loses them when it is not.

    `pages` do the same; without them there is nothing outside `/api/` and `probes`.
    """

    probes: Starlette
    mount: ApiMount
    pages: AsgiApp | None = None

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes that need no token."""
        return self.probes.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith("/api/"):
            await self.mount(scope, receive, send)
        elif self.pages is None or not path or path in PROBES:
            await self.probes(scope, receive, send)
        else:
            await self.pages(scope, receive, send)


def engine_app(
    engine: Engine, registry: CollectorRegistry, mount: ApiMount | None = None, pages: AsgiApp | None = None
) -> EngineApp:
    """Returns the application over a running engine, whose figures it adds to `registry`.

    Until routes are installed in `mount`, also in one that is not given, the API answers 503.
    """
    collector = EngineCollector(engine)
    registry.register(collector)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok", "version": version("polycopy")}, headers=_SECURITY_HEADERS)

    async def readyz(_: Request) -> Response:
        body = {
            "ready": engine.readiness.ready,
            "waiting_for": engine.readiness.open_conditions(),
            "degraded": engine.readiness.degradations(),
            **_entries(engine),
            "actors": {name: "up" if state.up else "down" for name, state in engine.supervisor.states.items()},
        }
        return JSONResponse(body, status_code=200 if engine.readiness.ready else 503, headers=_SECURITY_HEADERS)

    async def metrics(request: Request) -> Response:
        if not _may_read_metrics(request, engine.config.http.metrics_token):
            return JSONResponse({"error": "metrics need a token from here"}, status_code=401, headers=_SECURITY_HEADERS)
        text = await render(registry, collector)
        return Response(text, headers={**_SECURITY_HEADERS, "Content-Type": CONTENT_TYPE_LATEST})

    routes = [Route(path, probe) for path, probe in zip(PROBES, (healthz, readyz, metrics), strict=True)]
    probes = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed})
    probes.router.redirect_slashes = False
    return EngineApp(probes, ApiMount() if mount is None else mount, pages)


def _entries(engine: Engine) -> dict[str, str]:
    """Whether live trading buys, of an engine that trades. Being halted is no reason to take it out of service."""
    if engine.live is None:
        return {}
    halt = engine.live.registry.table.halt
    if halt is None:
        return {"live_entries": "open"}
    return {"live_entries": "halted after a failover" if halt.is_failover else "halted"}


async def _not_found(_: Request, __: Exception) -> Response:
    return _error(404, "not_found", "there is nothing at this path", {})


async def _not_allowed(_: Request, error: Exception) -> Response:
    allow = dict(getattr(error, "headers", None) or {})
    return _error(405, "method_not_allowed", f"this path allows {allow.get('Allow', 'GET')}", allow)


def _error(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    body = encode(ErrorBody(error=ErrorDetail(code=code, message=message, field=None)))
    return Response(body, status, {**_SECURITY_HEADERS, **headers}, media_type="application/json")


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
