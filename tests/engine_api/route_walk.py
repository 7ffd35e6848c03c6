"""Walks a list from its first page to the last through its route: parameters and cursors as a client writes them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from engine_api.api_server import USER_ID

from engine.api.params import parsed
from engine.api.route import ApiRoute, Call
from protocols.users import Principal, Scope

ME = Principal(user_id=USER_ID, user_name="ann", token_id="t", scopes=frozenset({Scope.READ}))
PAGES_MAX = 3_000


async def walked(routes: Sequence[ApiRoute], path: str, name: str, **given: object) -> list[Any]:
    """All rows of the list `name` in the answers of a path; every page but the last is as long as `limit`."""
    [route] = [one for one in routes if one.path == path]
    rows: list[Any] = []
    cursor: dict[str, object] = {}
    for _ in range(PAGES_MAX):
        texts = {key: [str(value)] for key, value in {**given, **cursor}.items()}
        call = Call(principal=ME, params=parsed(route.params, texts), body=None, headers={})
        answer = await route.handler(call)
        page = getattr(answer, name)
        rows += page
        assert msgspec.json.encode(answer)
        if answer.next_cursor is None:
            assert len(page) <= call.params["limit"]
            return rows
        assert len(page) == call.params["limit"]
        cursor = {"cursor": answer.next_cursor}
    raise AssertionError("it never ends")
