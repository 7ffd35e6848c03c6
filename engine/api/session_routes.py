"""Sessions of browsers: one's own, where they are, and their end; one's password; login URLs."""

from datetime import datetime
from typing import Any

import attrs

from actors.login_urls import VALID_S, LoginUrls
from actors.web_login import WebLogin
from engine.api.errors import ApiError, bad_field, not_found
from engine.api.params import pattern
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.api.user_routes import UserName
from protocols.sessions import LoginRefusal, RefusalReason, SessionKind, WebSession
from protocols.timestamps import utc_datetime
from protocols.users import ADMIN_NAME, Scope

LOGIN_URL_PATH = "/login/once"
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class BrowserSession(Struct):
    """One of one's sessions."""

    session_id: str
    kind: SessionKind
    created_at: datetime
    last_seen_at: datetime
    """To the minute."""
    expires_at: datetime
    user_agent: str
    """As the browser called itself, shortened."""
    address: str
    is_this: bool
    """The session that asks."""


class BrowserSessions(Struct):
    """One's sessions that hold, the one used last first."""

    sessions: list[BrowserSession]


class EndedSessions(Struct):
    """How many sessions have ended."""

    ended: int


class PasswordChange(Struct):
    """A new password."""

    new_password: str
    old_password: str | None = None
    """Only who has none yet may leave it out, in a session of a login URL."""

    def __repr__(self) -> str:
        return "PasswordChange(****)"

    __str__ = __repr__


class PasswordChanged(Struct):
    """The password is changed, and one's other sessions have ended."""

    user_name: str


class LoginUrlRequest(Struct):
    """For whom a login URL is made."""

    user_name: UserName = ADMIN_NAME


class LoginUrl(Struct):
    """A URL that lets somebody in once."""

    path: str
    """With its key; put it behind the address of the engine."""
    valid_s: int


@attrs.define(eq=False, kw_only=True)
class _Handlers:
    login: WebLogin
    urls: LoginUrls

    async def sessions(self, call: Call) -> BrowserSessions:
        rows = self.login.sessions_of(call.principal.user_id)
        return BrowserSessions(sessions=[_session(row, call.principal.session_id) for row in rows])

    async def end(self, call: Call) -> EndedSessions:
        if not await self.login.end_session(call.principal.user_id, call.params["sessionId"].lower()):
            raise not_found("unknown_session", "there is no such session, or it has ended")
        return EndedSessions(ended=1)

    async def end_others(self, call: Call) -> EndedSessions:
        one = call.principal
        return EndedSessions(ended=await self.login.log_out_everywhere(one.user_id, but=one.session_id))

    async def change_password(self, call: Call) -> PasswordChanged:
        one, body = call.principal, call.body
        # A token, or a session that may only read, must not make itself more than it is.
        if body.old_password is None and not (one.is_login_free and Scope.TRADE in one.scopes):
            raise bad_field("oldPassword", "is needed; `polycopy users password` sets a first one")
        refusal = await self.login.change_password(
            one.user_name, body.old_password, body.new_password, session_id=one.session_id
        )
        if refusal is not None:
            raise _refused(refusal)
        return PasswordChanged(user_name=one.user_name)

    async def login_url(self, call: Call) -> LoginUrl:
        row = await self.login.passwords.password(call.body.user_name)
        if row is None or row.is_disabled:
            raise not_found("unknown_user", "there is no such user, or he is disabled")
        made = self.urls.make(row.user_name)
        if made is None:
            raise ApiError(
                409, "no_login_urls",
                "login URLs are only for an engine that listens on loopback, without live trading, with http.login_url on",
            )  # fmt: skip
        return LoginUrl(path=login_path(made), valid_s=int(VALID_S))


def login_path(key: str) -> str:
    """Returns the path of a login URL with its key."""
    return f"{LOGIN_URL_PATH}?key={key}"


def session_routes(login: WebLogin, urls: LoginUrls) -> list[ApiRoute]:
    """Returns the routes of sessions and passwords."""
    handlers = _Handlers(login=login, urls=urls)
    session_id = pattern("sessionId", "id of a session", _UUID, allowed="a uuid", required=True, in_path=True)
    change: dict[str, Any] = {"scope": None, "rate": Rate.CHANGE}
    return [
        ApiRoute(method="GET", path="/api/sessions", handler=handlers.sessions, answer=BrowserSessions, scope=None,
                 summary="One's sessions of browsers."),
        ApiRoute(method="DELETE", path="/api/sessions", handler=handlers.end_others, answer=EndedSessions,
                 summary="Ends one's sessions, except the one that asks.", **change),
        ApiRoute(method="DELETE", path="/api/sessions/{sessionId}", handler=handlers.end, answer=EndedSessions,
                 params=(session_id,), summary="Ends one of one's sessions, also the one that asks.",
                 refusals={404: "there is no such session"}, **change),
        ApiRoute(method="POST", path="/api/me/password", handler=handlers.change_password, answer=PasswordChanged,
                 body=PasswordChange, summary="Changes one's password; one's other sessions end.",
                 refusals={403: "the present password is another one"}, **change),
        ApiRoute(method="POST", path="/api/admin/login-url", handler=handlers.login_url, answer=LoginUrl,
                 body=LoginUrlRequest, summary="Makes a URL that lets somebody in once, within 15 minutes.",
                 refusals={404: "there is no such user", 409: "this engine makes none"}, scope=Scope.ADMIN, rate=Rate.ADMIN),
    ]  # fmt: skip


def _refused(refusal: LoginRefusal) -> ApiError:
    if refusal.reason is RefusalReason.UNFIT:
        return bad_field("newPassword", refusal.message)
    if refusal.reason is RefusalReason.WRONG:
        return ApiError(403, "wrong_password", refusal.message, "oldPassword")
    status, code = (429, "too_many_requests") if refusal.reason is RefusalReason.THROTTLED else (503, "unavailable")
    return ApiError(status, code, refusal.message, None, refusal.retry_after_s)


def _session(row: WebSession, this: str | None) -> BrowserSession:
    return BrowserSession(
        session_id=row.session_id,
        kind=row.kind,
        created_at=utc_datetime(row.created_at_ms),
        last_seen_at=utc_datetime(row.last_seen_at_ms),
        expires_at=utc_datetime(row.expires_at_ms),
        user_agent=row.user_agent,
        address=row.address,
        is_this=row.session_id == this,
    )
