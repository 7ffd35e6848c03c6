"""Who may pass: bearer tokens, sessions of browsers, scopes and rate limits."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from actors.rules.networks import network_of
from config.http import HttpConfig
from engine.api.browser import BrowserDoor, Visitor
from engine.api.errors import ApiError, forbidden, unauthorized
from engine.api.request_rate import RateLimit
from engine.api.route import Rate
from protocols.users import Principal, Scope, token_digest

FAILURES_PER_MINUTE = 60

Find = Callable[[bytes], Principal | None]
"""From the SHA-256 of a token to its bearer, or None when the token does not hold."""


def rates_of(config: HttpConfig) -> dict[Rate, int]:
    """Returns how many calls a minute each class of calls allows to one token."""
    return {
        Rate.READ: config.reads_per_minute,
        Rate.CHANGE: config.changes_per_minute,
        Rate.ADMIN: config.admin_per_minute,
    }


@attrs.define(eq=False)
class Gate:
    """Lets a request pass as its principal, or raises why not.

    A token is looked up by its digest, so what the look-up takes tells nothing about any token. Failures are counted for each
    address and then answered 429; a valid token is never refused for them, since behind a proxy all clients share an address.
    """

    find: Find = attrs.field(repr=False)
    rates: Mapping[Rate, int]
    failures_per_minute: int = FAILURES_PER_MINUTE
    streams_max: int = 256
    """Event streams of all kinds that may be open together."""
    door: BrowserDoor | None = attrs.field(default=None, repr=False)
    """None: sessions of browsers are not known here."""
    streams: int = attrs.field(init=False, default=0)
    """Those that are open."""
    _limits: dict[Rate, RateLimit] = attrs.field(init=False, repr=False)
    _failures: RateLimit = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._limits = {rate: RateLimit(per_minute=count) for rate, count in self.rates.items()}
        self._failures = RateLimit(per_minute=self.failures_per_minute)

    def set_rates(self, rates: Mapping[Rate, int]) -> None:
        """Changes how many calls a minute each class allows, from now on."""
        self.rates = rates
        for rate, limit in self._limits.items():
            limit.per_minute = rates[rate]

    def take_stream(self) -> bool:
        """Whether one more event stream may open; if so it counts until it is given back."""
        if self.streams >= self.streams_max:
            return False
        self.streams += 1
        return True

    def give_stream_back(self) -> None:
        """Says that an event stream has ended."""
        self.streams -= 1

    def admit(self, authorization: bytes | None, address: str, scope: Scope | None, rate: Rate) -> Principal:
        """Returns who asks. `authorization` is the header's value, None when it is missing or there are several.

        Raises `ApiError`: 401 without a valid token, 403 when it lacks the scope, 429 with the seconds to wait.
        """
        principal = self.find(token_digest(_bearer(authorization)))
        if principal is None:
            raise self._failed(address)
        return self._limited(principal, scope, rate)

    def admit_browser(self, request: Mapping[str, Any], scope: Scope | None, rate: Rate) -> Principal:
        """Returns whose session's cookie an ASGI request without a bearer carries. `request` is its scope.

        Raises as `admit`, and a 403 `csrf` when no page of ours asks.
        """
        visitor = None if self.door is None else self.door.visitor(request)
        if self.door is None or visitor is None:
            client = request["client"]
            raise self._failed(client[0] if client else "")
        self.door.require_own_page(request, visitor)
        return self._limited(visitor.principal, scope, rate)

    def admit_page(self, request: Mapping[str, Any], rate: Rate) -> Visitor | None:
        """Returns whose session's cookie a request of a page carries; None without one that holds: he has to log in.

        A link on another site's page may lead to ours: reading a page changes nothing. Raises a 429.
        """
        visitor = None if self.door is None else self.door.visitor(request)
        if visitor is not None:
            self._limited(visitor.principal, None, rate)
        return visitor

    def still_holds(self, authorization: bytes | None, request: Mapping[str, Any]) -> bool:
        """Returns whether a request that was admitted would be now, as far as its token or session goes; counts nothing."""
        if authorization is None:
            return self.door is not None and self.door.visitor(request) is not None
        return self.find(token_digest(_bearer(authorization))) is not None

    def _failed(self, address: str) -> ApiError:
        wait_s = self._failures.take(network_of(address))
        return _too_many(wait_s) if wait_s else unauthorized()

    def _limited(self, principal: Principal, scope: Scope | None, rate: Rate) -> Principal:
        if scope is not None and scope not in principal.scopes:
            raise forbidden(scope.value)
        wait_s = self._limits[rate].take(principal.token_id)
        if wait_s:
            raise _too_many(wait_s)
        return principal


def _bearer(authorization: bytes | None) -> bytes:
    """Returns the credentials; what is no bearer's becomes an empty text, which is nobody's token."""
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip(b" ")
    return b""


def _too_many(wait_s: float) -> ApiError:
    return ApiError(429, "too_many_requests", "too many requests; wait before the next one", None, wait_s)
