"""Asks the API without a socket: a page shows what the API answers to the same user, and nothing else."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from engine.api.answer import encode
from engine.api.errors import ApiError, forbidden, not_found
from engine.api.params import parsed
from engine.api.request import QueryReader, RequestHeaders
from engine.api.route import ApiRoute, Call, Response
from protocols.users import Principal

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_NO_HEADERS = RequestHeaders(())


@attrs.frozen
class _Target:
    """A GET route, ready to be asked."""

    route: ApiRoute
    path: re.Pattern[str]
    query: QueryReader

    @classmethod
    def of(cls, route: ApiRoute) -> "_Target":
        parts = re.split(r"{(\w+)}", route.path)
        pattern = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        return cls(route, re.compile(pattern), QueryReader(tuple(one for one in route.params if not one.in_path)))


@attrs.define(eq=False)
class InProcessApi:
    """The GET routes of the API as functions. State is changed by the browser, over HTTP, with a CSRF token."""

    _exact: dict[str, _Target] = attrs.field(init=False, factory=dict)
    _patterns: list[_Target] = attrs.field(init=False, factory=list)

    def install(self, routes: Sequence[ApiRoute]) -> None:
        """Asks `routes` from now on, in place of others."""
        targets = [_Target.of(route) for route in routes if route.method == "GET" and not route.streams]
        self._exact = {target.route.path: target for target in targets if "{" not in target.route.path}
        self._patterns = [target for target in targets if "{" in target.route.path]

    def remove(self) -> None:
        """Knows no route any more."""
        self._exact, self._patterns = {}, []

    async def get(self, principal: Principal, path: str, query: bytes = b"") -> Any:
        """Returns the decoded JSON of an answer: dicts with the camelCase names of the API, numbers exact.

        Raises `ApiError` as the route would answer, and `TransientError`.
        """
        target, in_path = self._find(path)
        route = target.route
        if route.scope is not None and route.scope not in principal.scopes:
            raise forbidden(route.scope.value)
        params = target.query.read(query)
        if in_path:
            path_params = tuple(param for param in route.params if param.in_path)
            params |= parsed(path_params, {name: (value,) for name, value in in_path.items()})
        answer = await route.handler(Call(principal=principal, params=params, body=None, headers=_NO_HEADERS))
        assert not isinstance(answer, Response)
        return _decode(answer if type(answer) is bytes else encode(answer))

    def _find(self, path: str) -> tuple[_Target, dict[str, str]]:
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for target in self._patterns:
            match = target.path.fullmatch(path)
            if match is not None:
                return target, match.groupdict()
        if not self._exact:
            raise ApiError(503, "starting", "the engine has not reached its database yet", None, 1.0)
        raise not_found("not_found", "there is nothing at this path")
