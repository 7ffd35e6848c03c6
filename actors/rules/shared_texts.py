"""Equal texts that come again share one object, so that reading a large set anew does not hold all of it twice."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import attrs

LOOK_AHEAD = 8


@attrs.define(eq=False)
class SharedTexts:
    """Knows the texts of the reading before; they come in nearly the same order again.

    Whoever falls out of step, after many removals in a row, gets new texts: right, only not shared.
    """

    before: Iterable[str]
    _rest: Iterator[str] = attrs.field(init=False)
    _ahead: deque[str] = attrs.field(init=False, factory=deque)

    def __attrs_post_init__(self) -> None:
        self._rest = iter(self.before)

    def shared(self, text: str) -> str:
        """Returns an equal text: the one from before where it is found."""
        ahead = self._ahead
        ahead.extend(islice(self._rest, LOOK_AHEAD - len(ahead)))
        for number, candidate in enumerate(ahead):
            if candidate == text:
                for _ in range(number + 1):
                    ahead.popleft()
                return candidate
        return text
