"""How far the trades of a wallet have been read.

A watermark is a whole second up to which every trade that a source showed has been handed to the ingest. The second itself
is read again, and `OVERLAP_S` before it: rows of one second may appear one after another, and late. What was handed over
still has to be committed, and a process may die before that; so a watermark is kept only `SETTLE_S` after it was reached.
"""

import attrs

OVERLAP_S = 120
SETTLE_S = 60.0
FIRST_S = 86_400
"""What is read of a wallet that was never polled."""
LONGEST_S = 30 * 86_400
FUTURE_S = 60
"""A row may be this much ahead of our clock."""


@attrs.frozen
class Window:
    """Whole seconds to read, both included."""

    since_s: int
    until_s: int


def window(watermark_s: int | None, now_s: int) -> Window:
    """Returns what to read at wall-clock second `now_s` from a watermark, or of a wallet that has none."""
    since_s = now_s - FIRST_S if watermark_s is None else watermark_s - OVERLAP_S
    return Window(max(0, min(since_s, now_s), now_s - LONGEST_S), now_s + FUTURE_S)


def reached(watermark_s: int | None, read: Window, newest_s: int | None, now_s: int) -> int:
    """Returns the watermark after a window was read to its end; it never moves back, nor beyond now.

    A window without a row moves it to its beginning only: what happened since may still be on its way.
    """
    found_s = read.since_s if newest_s is None else newest_s
    return max(min(found_s, now_s), -1 if watermark_s is None else watermark_s)


@attrs.define(eq=False)
class Settling:
    """A watermark as this process has reached it, and what of it may be kept."""

    second: int
    _reached_s: float
    """Monotonic time at which `second` was reached."""
    _earlier: list[tuple[float, int]] = attrs.field(init=False, factory=list)
    """A few of the seconds before, each with its monotonic time; oldest first."""

    def advance(self, second: int, at_s: float) -> None:
        """Moves on to a later second."""
        if second <= self.second:
            return
        if not self._earlier or self._reached_s - self._earlier[-1][0] >= SETTLE_S / 2:
            self._earlier.append((self._reached_s, self.second))
        self.second, self._reached_s = second, at_s

    def settled(self, at_s: float) -> int | None:
        """Returns the latest second that was reached long enough ago, or None."""
        if at_s - self._reached_s >= SETTLE_S:
            self._earlier.clear()
            return self.second
        old = [second for reached_s, second in self._earlier if at_s - reached_s >= SETTLE_S]
        del self._earlier[: max(0, len(old) - 1)]
        return old[-1] if old else None
