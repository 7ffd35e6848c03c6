"""Whole order books for those who fill paper orders: one call a token at a time, however many want it."""

from collections import Counter, OrderedDict

import attrs
import trio

from protocols.decisions import Book
from protocols.errors import TransientError
from protocols.paper import BookDepths

REUSE_S = 0.2
PATIENCE_S = 2.0
TOKENS_MAX = 500


@attrs.define(eq=False, kw_only=True)
class _Call:
    sent_s: float
    done: trio.Event = attrs.field(factory=trio.Event)
    result: str = "cancelled"
    book: Book | None = None


@attrs.define(eq=False, kw_only=True)
class BookDesk:
    """No task of its own: the first who wants a book asks for it, the others wait for him."""

    upstream: BookDepths
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Books asked for, by `book`, `missing` and `unavailable`."""
    calls: int = attrs.field(init=False, default=0)
    _calls: OrderedDict[str, _Call] = attrs.field(init=False, factory=OrderedDict)

    async def depth(self, token_id: str) -> Book | None:
        """Returns a book that was asked for at most 200 ms ago, or now; None when there is none, or no answer in 2 s.

        A call that is under way is shared only by those who come within 200 ms of it: a book must not be older than that.
        """
        while True:
            call = self._calls.get(token_id)
            if call is None or trio.current_time() - call.sent_s > REUSE_S:
                call = await self._ask(token_id)
            else:
                await call.done.wait()
            # He who asked may have been cancelled; then the next one asks.
            if call.result != "cancelled":
                self.results[call.result] += 1
                return call.book

    async def _ask(self, token_id: str) -> _Call:
        call = self._calls[token_id] = _Call(sent_s=trio.current_time())
        self._calls.move_to_end(token_id)
        if len(self._calls) > TOKENS_MAX:
            self._calls.popitem(last=False)
        self.calls += 1
        try:
            with trio.fail_after(PATIENCE_S):
                call.book = await self.upstream.depth(token_id)
            call.result = "missing" if call.book is None else "book"
        except (TransientError, trio.TooSlowError):
            call.result = "unavailable"
        finally:
            call.done.set()
            if call.result == "cancelled" and self._calls.get(token_id) is call:
                del self._calls[token_id]
        return call
