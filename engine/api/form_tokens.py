"""Tokens of forms that are sent before anybody has logged in: a signed value that fits a cookie of the same browser."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import attrs

from engine.api.browser import BrowserDoor, cookie_header, cookie_value, require_own_origin
from engine.api.errors import ApiError
from protocols.clock import Random, WallClock
from protocols.sessions import new_secret

HTTPS_COOKIE = "__Host-polycopy_form"
HTTP_COOKIE = "polycopy_form"
VALID_S = 3_600
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_TOKEN = re.compile(r"([0-9]{1,15})\.([0-9a-f]{64})", re.ASCII)


@attrs.frozen(kw_only=True)
class FormToken:
    """What a page with such a form needs."""

    token: str = attrs.field(repr=False)
    """For a hidden field."""
    set_cookie: tuple[bytes, bytes] = attrs.field(repr=False)
    """A header of the page's answer."""


@attrs.define(eq=False, kw_only=True)
class FormTokens:
    """Signs and checks. The key is this process's own: a form that outlives it is shown again."""

    door: BrowserDoor
    clock: WallClock
    secret_rng: Random = attrs.field(repr=False)
    """A `random.SystemRandom`."""
    _key: bytes = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._key = self.secret_rng.randbytes(32)

    def form_token(self, scope: Mapping[str, Any]) -> FormToken:
        """Returns the token of a form, for the browser that asks for the page."""
        is_https = self.door.peer(scope).is_https
        name = _cookie_name(is_https=is_https)
        held = cookie_value(scope, name)
        # The same cookie for all tabs, or the form in one would spoil that in another.
        value = held if held is not None and _SECRET.fullmatch(held) else new_secret(self.secret_rng)
        ends_s = self.clock.now_ms() // 1000 + VALID_S
        return FormToken(
            token=f"{ends_s}.{self._signed(ends_s, value)}",
            set_cookie=cookie_header(name, value, is_https=is_https, max_age_s=VALID_S),
        )

    def checks(self, scope: Mapping[str, Any], token: str) -> bool:
        """Returns whether a form was sent from our own page, by the browser that got it, in time."""
        is_https = self.door.peer(scope).is_https
        try:
            require_own_origin(scope, is_https=is_https)
        except ApiError:
            return False
        value, match = cookie_value(scope, _cookie_name(is_https=is_https)), _TOKEN.fullmatch(token)
        if value is None or match is None or not _SECRET.fullmatch(value):
            return False
        ends_s = int(match[1])
        is_signed = hmac.compare_digest(match[2], self._signed(ends_s, value))
        return is_signed and self.clock.now_ms() < ends_s * 1000

    def _signed(self, ends_s: int, value: str) -> str:
        return hmac.new(self._key, f"form:{ends_s}:{value}".encode(), hashlib.sha256).hexdigest()


def _cookie_name(*, is_https: bool) -> str:
    return HTTPS_COOKIE if is_https else HTTP_COOKIE
