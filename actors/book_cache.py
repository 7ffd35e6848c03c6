"""The best orders of tokens, asked for once a second however many want to see them."""

from collections import Counter, OrderedDict

import attrs
import trio

from actors.price_memory import Forgetful
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.prices import BookTop, BookUpstream

TTL_S = 1.0
PATIENCE_S = 2.0
FAILED_S = 1.0
ABSENT_S = 5.0
TOKENS_MAX = 1_000


@attrs.frozen(kw_only=True)
class SeenBook:
    """A book and when it was asked for."""

    top: BookTop
    as_of_ms: int
    observed_s: float
    stale: bool = False


@attrs.define(eq=False, kw_only=True)
class BookCache:
    """No task of its own: the first who wants a book asks for it, the others wait for him."""

    upstream: BookUpstream
    clock: WallClock
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Books asked for, by `hit`, `wait`, `stale`, `missing` and `unavailable`."""
    _seen: OrderedDict[str, SeenBook] = attrs.field(init=False, factory=OrderedDict)
    _calls: dict[str, trio.Event] = attrs.field(init=False, factory=dict)
    _absent: Forgetful[str] = attrs.field(init=False, factory=lambda: Forgetful(ABSENT_S, TOKENS_MAX))
    _failed: Forgetful[str] = attrs.field(init=False, factory=lambda: Forgetful(FAILED_S, TOKENS_MAX))

    async def top(self, token_id: str) -> SeenBook | None:
        """Returns a book at most a second old, or an older one marked stale; None when the venue has none for the token.

        Raises `TransientError` when nothing is known and the venue does not answer.
        """
        result = "hit"
        while True:
            now_s = trio.current_time()
            seen = self._seen.get(token_id)
            if seen is not None and now_s - seen.observed_s < TTL_S:
                self._seen.move_to_end(token_id)
                return self._counted(result, seen)
            if self._absent.holds(token_id, now_s):
                return self._counted("missing", None)
            if self._failed.holds(token_id, now_s):
                if seen is None:
                    self.results["unavailable"] += 1
                    raise TransientError("the book is not known and the venue does not answer")
                return self._counted("stale", attrs.evolve(seen, stale=True))
            result = "wait"
            call = self._calls.get(token_id)
            if call is not None:
                await call.wait()
            else:
                brought = await self._ask(token_id)
                if brought is not None:
                    # However long the answer took, to him who asked it is new.
                    return self._counted(result, brought)

    async def _ask(self, token_id: str) -> SeenBook | None:
        call = self._calls[token_id] = trio.Event()
        sent_s, sent_ms = trio.current_time(), self.clock.now_ms()
        try:
            with trio.fail_after(PATIENCE_S):
                top = await self.upstream.book(token_id)
        except (TransientError, trio.TooSlowError):
            self._failed.add(token_id, trio.current_time())
            return None
        finally:
            del self._calls[token_id]
            call.set()
        if top is None:
            self._seen.pop(token_id, None)
            self._absent.add(token_id, trio.current_time())
            return None
        seen = self._seen[token_id] = SeenBook(top=top, as_of_ms=sent_ms, observed_s=sent_s)
        self._seen.move_to_end(token_id)
        if len(self._seen) > TOKENS_MAX:
            self._seen.popitem(last=False)
        return seen

    def _counted(self, result: str, seen: SeenBook | None) -> SeenBook | None:
        self.results[result] += 1
        return seen
