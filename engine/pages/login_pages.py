"""The pages of those who are not in yet, and the way out: the only forms that go past the API."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

import attrs
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from engine.api.entrance import Entrance
from engine.api.errors import ApiError
from engine.api.request import ClientGoneError, body_too_large, read_body
from engine.api.safe_next import HOME, safe_next
from engine.api.session_routes import LOGIN_URL_PATH
from engine.pages.mount import HEADERS, LOGIN, PageMount
from engine.web.asgi_cycle import Receive, Scope, Send
from protocols.errors import TransientError
from protocols.sessions import LoginRefusal, RefusalReason, SetSession

_log = logging.getLogger(__name__)
FIRST_PAGE = "/v2/feed"
LOGOUT = "/logout"
FORM_BYTES_MAX = 8_192
_STATUS = {RefusalReason.WRONG: 401, RefusalReason.THROTTLED: 429, RefusalReason.BUSY: 503}
_STALE = "this form is too old, or was not sent from here; please try again"
_AWAY = LoginRefusal(reason=RefusalReason.BUSY, message="the database does not answer just now", retry_after_s=2.0)


def login_pages(site: PageMount, entrance: Entrance) -> list[Route]:
    """Returns the routes that need no session."""
    ways = _Ways(site, entrance)
    return [
        Route("/", _Asgi(ways.home, ("GET",))),
        Route(LOGIN, _Asgi(ways.login, ("GET", "POST"))),
        Route(LOGIN_URL_PATH, _Asgi(ways.login_once, ("GET",))),
        Route(LOGOUT, _Asgi(ways.logout, ("POST",))),
    ]


@attrs.frozen(eq=False)
class _Asgi:
    """One path. No function of a request for Starlette, since it would read bodies without end."""

    answer: Callable[[Request], Awaitable[Response]]
    methods: tuple[str, ...]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in self.methods:
            response = Response("", 405, {**HEADERS, "allow": ", ".join(sorted(self.methods))})
        else:
            try:
                response = await self.answer(Request(scope, receive))
            except ClientGoneError:
                return
        await response(scope, receive, send)


@attrs.frozen(eq=False)
class _Ways:
    site: PageMount
    entrance: Entrance

    async def home(self, _request: Request) -> Response:
        return _to(FIRST_PAGE)

    async def login(self, request: Request) -> Response:
        scope = request.scope
        wanted = safe_next(request.query_params.get("next"))
        if request.method == "GET" or request.method == "HEAD":
            if self.entrance.door.visitor(scope) is not None:
                return _to(wanted)
            return self._form(scope, wanted)
        try:
            form = await _form_of(request)
        except ApiError as error:
            return self.site.failure(scope, error)
        wanted, name = safe_next(form.get("next")), form.get("user_name", "")
        if not self.entrance.forms.checks(scope, form.get("csrf", "")):
            return self._form(scope, wanted, name=name, problem=_STALE, status=403)
        try:
            found = await self.entrance.login.log_in(
                name,
                form.get("password", ""),
                self.entrance.door.peer(scope).address,
                request.headers.get("user-agent", ""),
            )
        except TransientError:
            found = _AWAY
        if isinstance(found, LoginRefusal):
            return self._form(scope, wanted, name=name, refusal=found)
        return self._let_in(scope, found, wanted)

    async def login_once(self, request: Request) -> Response:
        scope = request.scope
        try:
            found = await self.entrance.login.log_in_once(
                request.query_params.get("key", ""),
                self.entrance.door.peer(scope).address,
                request.headers.get("user-agent", ""),
            )
        except TransientError:
            found = _AWAY
        if isinstance(found, LoginRefusal):
            return self._form(scope, HOME, refusal=found)
        return self._let_in(scope, found, HOME)

    async def logout(self, request: Request) -> Response:
        scope, door = request.scope, self.entrance.door
        visitor = door.visitor(scope)
        answer = _to(LOGIN)
        if visitor is not None:
            try:
                form = await _form_of(request)
                door.require_own_page(scope, visitor, form.get("csrf", ""))
            except ApiError as error:
                return self.site.failure(scope, error, visitor)
            session_id = visitor.principal.session_id
            assert session_id is not None
            try:
                await self.entrance.login.log_out(session_id, visitor.principal.user_id)
            except TransientError as error:
                # It holds no longer in this process, and the browser forgets it.
                _log.warning("a logout could not be written down", extra={"error": str(error)})
        answer.raw_headers.append(door.clear_cookie(scope))
        return answer

    def _let_in(self, scope: Scope, made: SetSession, wanted: str) -> Response:
        answer = _to(wanted)
        answer.raw_headers.append(self.entrance.door.set_cookie(scope, made))
        return answer

    def _form(
        self,
        scope: Scope,
        wanted: str,
        *,
        name: str = "",
        problem: str = "",
        status: int = 200,
        refusal: LoginRefusal | None = None,
    ) -> Response:
        token = self.entrance.forms.form_token(scope)
        headers: dict[str, str] = {}
        if refusal is not None:
            problem, status = refusal.message, _STATUS[refusal.reason]
            if refusal.retry_after_s is not None:
                headers["retry-after"] = str(max(1, round(refusal.retry_after_s)))
        context = {
            "title": "Log in",
            "nav": "",
            "next": wanted,
            "user_name": name[:64],
            "problem": problem,
            "csrf": token.token,
            "urls_allowed": self.entrance.login.urls.is_allowed,
        }
        answer = self.site.html(scope, "login.html", context, None, status=status, headers=headers)
        answer.raw_headers.append(token.set_cookie)
        return answer


async def _form_of(request: Request) -> Mapping[str, str]:
    """Returns the fields of a form, the last value of each. Raises `ApiError`, and `ClientGoneError`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise ApiError(415, "unsupported_media_type", "this takes a form")
    if int(request.headers.get("content-length", "0")) > FORM_BYTES_MAX:
        raise body_too_large(FORM_BYTES_MAX)
    body = await read_body(request.receive, FORM_BYTES_MAX)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise ApiError(400, "bad_request", "this is no form") from None
    return {name: values[-1] for name, values in fields.items()}


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, HEADERS)
