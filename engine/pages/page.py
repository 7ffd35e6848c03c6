"""A page as a value: where it is, who may see it, and what it shows."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import trio

from engine.api.browser import Visitor
from engine.api.errors import ApiError
from engine.pages.in_process import InProcessApi
from protocols.errors import TransientError
from protocols.users import Principal, Scope


@attrs.frozen
class Unavailable:
    """A part of a page that cannot be told just now; false, so that a template sees it."""

    message: str
    code: str = "unavailable"

    def __bool__(self) -> bool:
        return False


@attrs.frozen(kw_only=True)
class Visit:
    """One request of a page by somebody who may see it."""

    visitor: Visitor
    path_params: Mapping[str, str]
    query: Mapping[str, str]
    """The last value of each parameter. Whatever a page does not know is left alone."""
    query_lists: Mapping[str, tuple[str, ...]]
    api: InProcessApi

    @property
    def principal(self) -> Principal:
        """Who looks."""
        return self.visitor.principal

    def may(self, scope: str) -> bool:
        """Whether he may do what needs a scope, by its name."""
        return Scope(scope) in self.principal.scopes

    async def ask(self, path: str, **params: str | int | tuple[str, ...] | None) -> Any:
        """Returns what the API answers to a GET of this visitor; parameters that are None are left out.

        Raises `ApiError`, which becomes an error page, and `TransientError`.
        """
        given = {name: value for name, value in params.items() if value is not None}
        return await self.api.get(self.principal, path, urlencode(given, doseq=True).encode())

    async def part(self, path: str, **params: str | int | tuple[str, ...] | None) -> Any:
        """Returns the same for a part without which the page is still worth something: `Unavailable` when it fails."""
        try:
            return await self.ask(path, **params)
        except ApiError as error:
            return Unavailable(error.message, error.code)
        except TransientError:
            return Unavailable("this cannot be told for the moment")


async def side_by_side(*asked: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Returns what several calls return, made at the same time: a page waits for the slowest, not for all in turn.

    Raises what the first of them in their order raised.
    """
    results: list[Any] = [None] * len(asked)
    errors: dict[int, Exception] = {}

    async def call(place: int, ask: Callable[[], Awaitable[Any]]) -> None:
        try:
            results[place] = await ask()
        except Exception as error:
            errors[place] = error

    async with trio.open_nursery() as nursery:
        for place, ask in enumerate(asked):
            nursery.start_soon(call, place, ask)
    if errors:
        raise errors[min(errors)]
    return results


@attrs.frozen(kw_only=True)
class Page:
    """One page. `load` returns what its template shows."""

    path: str
    """With `{name}` for what is in the path."""
    template: str
    title: str
    nav: str
    """Which entry of the navigation it belongs to; empty for none."""
    load: Callable[[Visit], Awaitable[Mapping[str, Any]]]
    scope: Scope = Scope.READ
    part: bool = False
    """A piece of HTML for a module of ours, without the frame around it."""


NAVIGATION: tuple[tuple[str, str, str, Scope], ...] = (
    ("feed", "Feed", "/v2/feed", Scope.READ),
    ("portfolio", "Portfolio", "/portfolio", Scope.READ),
    ("discover", "Discover", "/discover", Scope.READ),
    ("bots", "Bots", "/v2/bots", Scope.READ),
    ("tests", "Forward tests", "/ft", Scope.READ),
    ("live", "Live", "/lt", Scope.READ),
    ("logs", "Logs", "/lt/logs", Scope.READ),
    ("jobs", "Jobs", "/jobs", Scope.ADMIN),
    ("engine", "Engine", "/engine", Scope.ADMIN),
    ("config", "Configuration", "/engine/config", Scope.ADMIN),
    ("users", "Users", "/users", Scope.ADMIN),
    ("settings", "Settings", "/settings", Scope.READ),
)
"""Name, label, address, and the scope without which it is not shown."""
