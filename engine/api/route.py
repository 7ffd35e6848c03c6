"""A route of the API as a value: what it takes, who may call it, and what it answers."""

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import msgspec
from starlette.responses import Response

from engine.api.params import Param
from protocols.users import Principal, Scope


class Struct(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Base of bodies and answers: camelCase on the wire, unknown fields refused."""


class Rate(enum.StrEnum):
    """Which rate limit counts a call (domain.md §8.3)."""

    READ = "read"
    """Price and feed reads."""
    CHANGE = "change"
    ADMIN = "admin"


@attrs.frozen(kw_only=True)
class Call:
    """One request, checked: its parameters have their types and ranges, its bearer the scope."""

    principal: Principal
    params: Mapping[str, Any]
    body: Any
    """What the route's `body` type says, or None."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Lower-case names; without what carries a credential."""


Handler = Callable[[Call], Awaitable[Any]]
"""Returns a value of the route's `answer` type, or bytes that are its JSON already, or a Starlette response for what is no
JSON document (event streams). Raises `ApiError`; `TransientError` becomes 503."""


@attrs.frozen(kw_only=True)
class ApiRoute:
    """One method of one path."""

    method: str
    path: str
    """With `{name}` for path parameters, each of which is a `Param` with `in_path`."""
    handler: Handler
    scope: Scope | None
    """None: every valid token may."""
    summary: str
    answer: Any
    """A type that msgspec encodes: the body of a 200."""
    params: tuple[Param, ...] = ()
    body: Any = None
    """A type that msgspec decodes, or None where a body is refused."""
    body_bytes_max: int = 16_384
    rate: Rate = Rate.READ
    refusals: Mapping[int, str] = attrs.field(factory=dict)
    """Statuses of its own besides 400, 401, 403, 413, 429 and 503, with their meaning."""
    streams: bool = False
    """Answers text/event-stream."""


__all__ = ["ApiRoute", "Call", "Handler", "Rate", "Response", "Struct"]
