"""The Data API in whichever version is there: v2, or v1 where a server still speaks only that (venue.md §5)."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from engine.adapters.upstream import Params, Upstream
from protocols.clock import WallClock
from protocols.errors import RejectedError, TransientError

_log = logging.getLogger(__name__)
T = TypeVar("T")
V1_FOR_MS = 3_600_000
V1_CURSOR = "v1:"
"""How cursors of v1 begin, which this program makes itself: v1 has none."""
_GONE = ("answered 404", "answered 410")


@attrs.define(eq=False, kw_only=True)
class VersionedDataApi:
    """One kind of question to the Data API. Where v2 has no such path, v1 is asked for an hour; then v2 is tried again."""

    api: Upstream
    clock: WallClock
    what: str
    """What is asked for; for the log."""
    _v1_until_ms: int = attrs.field(init=False, default=0)
    """Wall-clock time at which v2 is tried again."""
    _requests: int = attrs.field(init=False, default=0)

    async def get(self, path: str, params: Params) -> bytes:
        """Returns an answer that no cache had: answers are kept by address, for up to 300 s, so each gets a new one.

        Raises `TransientError` and `RejectedError`.
        """
        self._requests += 1
        return await self.api.get(path, [*params, ("_", f"{self.clock.now_ms()}{self._requests:04d}")])

    async def ask(self, by_v2: Callable[[], Awaitable[T]], by_v1: Callable[[], Awaitable[T]]) -> T:
        """Returns what v2 says, or v1. Raises `TransientError` where neither is there, and what they raise."""
        if self.clock.now_ms() < self._v1_until_ms:
            return await by_v1()
        try:
            return await by_v2()
        except RejectedError as error:
            if not any(gone in str(error) for gone in _GONE):
                raise
            try:
                found = await by_v1()
            except RejectedError:
                raise TransientError(f"neither Data API v2 nor v1 here: {error}") from None
        self._v1_until_ms = self.clock.now_ms() + V1_FOR_MS
        _log.warning("no %s by Data API v2 here, going on with v1 for an hour", self.what)
        return found

    async def page(
        self,
        cursor: str | None,
        by_v2: Callable[[str | None], Awaitable[T]],
        by_v1: Callable[[str | None], Awaitable[T]],
    ) -> T:
        """Returns a page of a list, which goes on in the version in which it began. Raises as `ask` does."""
        if cursor is None:
            return await self.ask(lambda: by_v2(None), lambda: by_v1(None))
        return await (by_v1 if cursor.startswith(V1_CURSOR) else by_v2)(cursor)
