"""Everything outside `/api/` that a browser opens: finds the page, lets its visitor in, draws it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import attrs
import trio
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from actors.rules.log_limit import LogLimit
from engine.api.browser import Visitor
from engine.api.errors import STARTING, ApiError
from engine.api.gate import Gate
from engine.api.route import ApiRoute, Rate
from engine.pages.in_process import InProcessApi
from engine.pages.page import NAVIGATION, Page, Visit
from engine.pages.rendering import Renderer
from engine.pages.static_files import PREFIX, StaticFiles
from engine.web.asgi_cycle import AsgiApp, Receive, Scope, Send
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types polycopy",
    )
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # With `no-referrer` a browser sends `Origin: null` with our own forms, and we could not tell them from foreign ones.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
LOGIN = "/login"
THEMES = ("light", "dark")
THEME_COOKIE = "polycopy_theme"


@attrs.frozen(kw_only=True)
class LiveBanner:
    """Orders are sent: what the executor itself says."""

    accounts: tuple[str, ...]
    is_simulated: bool = False
    """The venue is on this machine: no money is real there."""
    halt: str | None
    """By whom entries were stopped, and why."""


@attrs.define(eq=False, kw_only=True)
class PageMount:
    """Serves pages while there is a database. `api` knows the routes by then."""

    renderer: Renderer
    static: StaticFiles
    api: InProcessApi = attrs.field(factory=InProcessApi)
    live: Callable[[], LiveBanner | None] = lambda: None
    closed: ApiError = STARTING
    """The answer where there are no pages."""
    _router: Router | None = attrs.field(init=False, default=None)
    _pages: Callable[[], Sequence[Page]] | None = attrs.field(init=False, default=None)
    _others: Sequence[Route] = attrs.field(init=False, default=())
    _opening: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _gate: Gate | None = attrs.field(init=False, default=None)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def install(
        self,
        pages: Callable[[], Sequence[Page]],
        api: Sequence[ApiRoute],
        gate: Gate,
        others: Sequence[Route] = (),
    ) -> None:
        """Serves `pages` over the routes of the API, and `others` that are open to everybody, from now on.

        `pages` is called, in a thread, when somebody opens the first one: what draws them is not loaded before.
        """
        self._gate, self._pages, self._others, self._router = gate, pages, others, None
        self.api.install(api)

    def remove(self) -> None:
        """Serves nothing but its styles any more."""
        self._router = self._gate = self._pages = None
        self.api.remove()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        path = scope["path"]
        file = self.static.answer(path, Headers(scope=scope)) if path.startswith(PREFIX) else None
        if file is not None:
            await file(scope, receive, send)
            return
        await self.renderer.prepare("error.html")
        if path.startswith(PREFIX):
            await self.failure(scope, _NO_PAGE)(scope, receive, send)
        elif (router := await self._opened()) is None:
            await self.failure(scope, self.closed)(scope, receive, send)
        else:
            await router(scope, receive, send)

    def failure(self, scope: Scope, error: ApiError, visitor: Visitor | None = None) -> Response:
        """Returns the page that says what is wrong."""
        context = {"error": error, "title": _TITLES.get(error.status, "That did not work"), "nav": ""}
        headers = {} if error.retry_after_s is None else {"retry-after": str(max(1, round(error.retry_after_s)))}
        return self.html(scope, "error.html", context, visitor, status=error.status, headers=headers)

    def html(
        self,
        scope: Scope,
        template: str,
        context: Mapping[str, Any],
        visitor: Visitor | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Returns a drawn page with the frame's own values beside `context`."""
        scopes = visitor.principal.scopes if visitor else frozenset()
        frame = {
            "visitor": visitor,
            "navigation": [entry for entry in NAVIGATION if entry[3] in scopes],
            "live": self.live(),
            "theme": _theme(scope),
            "now_ms": self.renderer.clock.now_ms(),
        }
        text = self.renderer.page(template, {**frame, **context})
        return HTMLResponse(text, status, {**HEADERS, **(headers or {})})

    async def _opened(self) -> Router | None:
        async with self._opening:
            if self._router is None and self._pages is not None:
                pages = await trio.to_thread.run_sync(self._pages)
                routes = [*self._others, *(Route(page.path, self._endpoint(page)) for page in pages)]
                self._router = Router(routes, redirect_slashes=False, default=self._missing)
            return self._router

    async def _missing(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.failure(scope, _NO_PAGE, self._visitor_or_none(scope))(scope, receive, send)

    def _visitor_or_none(self, scope: Scope) -> Visitor | None:
        try:
            return None if self._gate is None else self._gate.admit_page(scope, Rate.READ)
        except ApiError:
            return None

    def _endpoint(self, page: Page) -> AsgiApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            if request.method not in ("GET", "HEAD"):
                answer = self.failure(scope, ApiError(405, "method_not_allowed", "this page can only be read"))
                answer.headers["allow"] = "GET, HEAD"
            else:
                answer = await self._answer(page, request)
            await answer(scope, receive, send)

        # A class instance, so that Starlette takes it for an ASGI application and not for a function of a request.
        return _Asgi(serve)

    async def _answer(self, page: Page, request: Request) -> Response:
        scope = request.scope
        visitor = None
        try:
            visitor = None if self._gate is None else self._gate.admit_page(scope, Rate.READ)
            if visitor is None:
                return _to_login(request)
            if page.scope not in visitor.principal.scopes:
                raise ApiError(
                    403, "forbidden", f"this page needs the right “{page.scope.value}”, which you do not have"
                )
            query = QueryParams(scope["query_string"])
            visit = Visit(
                visitor=visitor,
                path_params=request.path_params,
                query=dict(query.items()),
                query_lists={name: tuple(query.getlist(name)) for name in query},
                api=self.api,
            )
            await self.renderer.prepare(page.template)
            context = await page.load(visit)
            shown = {"title": page.title, "nav": page.nav, "visit": visit, **context}
            # A page that has more to say of what is not there than an error page does.
            return self.html(scope, page.template, shown, visitor, status=context.get("http_status", 200))
        except Exception as error:
            return self.failure(scope, self._refusal(page, error), visitor)

    def _refusal(self, page: Page, error: Exception) -> ApiError:
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, ApiError):
            return error
        if isinstance(error, TransientError):
            if self._log_limit.allows("transient", trio.current_time()) is not None:
                _log.warning("page not drawn for now", extra={"path": page.path, "error": str(error)})
            return ApiError(503, "unavailable", "the database does not answer just now", None, 2.0)
        _log.error("page failed", extra={"path": page.path}, exc_info=error)
        return ApiError(500, "internal_error", "the page failed; the log of the engine says why")


@attrs.frozen(eq=False)
class _Asgi:
    app: AsgiApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{LOGIN}?next={quote(wanted, safe='')}", 303, HEADERS)


def _theme(scope: Scope) -> str:
    """Returns the chosen theme; empty: what the system prefers."""
    for part in Headers(scope=scope).get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == THEME_COOKIE and value in THEMES:
            return value
    return ""


_TITLES = {403: "Not yours to see", 404: "Nothing is here", 429: "Too many requests", 503: "Not ready yet"}
_NO_PAGE = ApiError(404, "not_found", "there is no page at this address")
