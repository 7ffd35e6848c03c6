"""Connections of an upstream API whose answers a function makes: what a test of a client's paging and fallbacks needs."""

from collections.abc import Callable
from typing import Any

import attrs
import httpx

from engine.adapters.http_line import HttpAnswer


@attrs.define(eq=False)
class AnsweringLines:
    """`HttpLines` to nowhere."""

    answer: Callable[[httpx.Request], httpx.Response]

    async def request(self, method: str, target: str, headers: Any, body: bytes, timeout_s: float) -> HttpAnswer:
        assert timeout_s > 0
        response = self.answer(httpx.Request(method, f"http://upstream{target}", headers=headers, content=body))
        return HttpAnswer(status=response.status_code, headers=dict(response.headers), body=response.content)
