"""Browsers: the cookie of a session, and what makes sure that a change was asked for by a page of ours."""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from engine.api.errors import ApiError
from engine.api.peer import Network, Peer, peer_of
from protocols.sessions import SetSession, csrf_token, secret_digest
from protocols.users import Principal

HTTPS_COOKIE = "__Host-polycopy"
HTTP_COOKIE = "polycopy_session"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD"})
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_Scope = Mapping[str, Any]
FindSession = Callable[[bytes], Principal | None]
"""From the SHA-256 of a session's secret to its user, or None when the session does not hold."""


@attrs.frozen(kw_only=True)
class Visitor:
    """Who looks at a page."""

    principal: Principal
    csrf_token: str = attrs.field(repr=False)
    """For the header `X-CSRF-Token` of scripts, and a hidden field of forms."""


@attrs.define(eq=False, kw_only=True)
class BrowserDoor:
    """Knows the sessions of browsers by their cookies. Everything is looked up in memory."""

    find: FindSession = attrs.field(repr=False)
    trusted_proxies: Sequence[Network] = ()

    def peer(self, scope: _Scope) -> Peer:
        """Returns where a request comes from, for `WebLogin`."""
        return peer_of(scope, self.trusted_proxies)

    def visitor(self, scope: _Scope) -> Visitor | None:
        """Returns who sends a request with a cookie of ours; None when there is none, or its session has ended."""
        name = HTTPS_COOKIE if self.peer(scope).is_https else HTTP_COOKIE
        secret = cookie_value(scope, name)
        if secret is None or not _SECRET.fullmatch(secret):
            return None
        principal = self.find(secret_digest(secret))
        return None if principal is None else Visitor(principal=principal, csrf_token=csrf_token(secret))

    def require_own_page(self, scope: _Scope, visitor: Visitor, given: str | None = None) -> None:
        """Raises a 403 `csrf` unless a page of ours asks: any method but GET and HEAD needs the visitor's token.

        The token is `given`, of a form, or stands in the header. What a browser says of where it comes from has to fit,
        for reading too: another program's page on this host must not open event streams.
        """
        require_own_origin(scope, is_https=self.peer(scope).is_https)
        if scope["method"] in SAFE_METHODS:
            return
        token = given if given is not None else header_value(scope, CSRF_HEADER)
        if token is None or not hmac.compare_digest(token.encode("utf-8", "replace"), visitor.csrf_token.encode()):
            raise csrf_refused("a change by a browser needs the X-CSRF-Token of its session")

    def set_cookie(self, scope: _Scope, made: SetSession) -> tuple[bytes, bytes]:
        """Returns the header that gives a browser its new session."""
        return _cookie(made.secret, is_https=self.peer(scope).is_https, max_age_s=made.lifetime_s)

    def clear_cookie(self, scope: _Scope) -> tuple[bytes, bytes]:
        """Returns the header that takes it away."""
        return _cookie("", is_https=self.peer(scope).is_https, max_age_s=0)


def require_own_origin(scope: _Scope, *, is_https: bool) -> None:
    """Raises a 403 `csrf` when a browser says that another site's page asks. Programs that say nothing pass.

    A GET that somebody typed, or followed from a bookmark, has `Sec-Fetch-Site: none`.
    """
    site = header_value(scope, "sec-fetch-site", "same-origin")
    if site != "same-origin" and not (site == "none" and scope["method"] in SAFE_METHODS):
        raise csrf_refused("this was asked for by a page of another site")
    host = header_value(scope, "host") or ""
    schemes = ("https",) if is_https else ("http", "https")  # a proxy that nobody trusts may speak TLS
    own = {f"{scheme}://{host.lower()}" for scheme in schemes}
    origin = header_value(scope, "origin", next(iter(own)))
    if origin is None or origin.lower() not in own:
        raise csrf_refused("this was asked for by a page of another origin")


def csrf_refused(message: str) -> ApiError:
    """Returns the 403 of a change that no page of ours asked for."""
    return ApiError(403, "csrf", message)


def header_value(scope: _Scope, name: str, missing: str | None = None) -> str | None:
    """Returns the value of a header; `missing` when there is none, and None when there are several."""
    wanted = name.encode()
    values = [value for header, value in scope["headers"] if header == wanted]
    if not values:
        return missing
    return values[0].decode("latin-1") if len(values) == 1 else None


def cookie_value(scope: _Scope, name: str) -> str | None:
    """Returns the value of a cookie. None when there is none, or several that differ: another site may have set one."""
    found = set()
    for header, line in scope["headers"]:
        if header == b"cookie":
            for part in line.decode("latin-1").split(";"):
                key, _, value = part.strip(" \t").partition("=")
                if key == name:
                    found.add(value)
    return found.pop() if len(found) == 1 else None


def cookie_header(name: str, value: str, *, is_https: bool, max_age_s: int) -> tuple[bytes, bytes]:
    """Returns a `Set-Cookie` header of a cookie that no script reads and no other site sends along."""
    secure = "; Secure" if is_https else ""
    text = f"{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"
    return b"set-cookie", text.encode("ascii")


def _cookie(value: str, *, is_https: bool, max_age_s: int) -> tuple[bytes, bytes]:
    return cookie_header(HTTPS_COOKIE if is_https else HTTP_COOKIE, value, is_https=is_https, max_age_s=max_age_s)
