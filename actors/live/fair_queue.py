"""Claims in the order in which strategies take turns: a busy strategy never starves another (D88)."""

from collections import deque
from collections.abc import Callable

import attrs

from protocols.live.orders import LiveIntent, OrderOrigin


@attrs.define(eq=False)
class FairQueue:
    """One line a strategy, served in turn. Exits and orders by hand go before entries of the same strategy."""

    _lines: dict[str, deque[LiveIntent]] = attrs.field(init=False, factory=dict)
    """In the order of their turns."""
    _known: set[str] = attrs.field(init=False, factory=set)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._known

    def add(self, intent: LiveIntent) -> bool:
        """Puts a claim into its line; False when it is there already."""
        if intent.order_id in self._known:
            return False
        self._known.add(intent.order_id)
        line = self._lines.setdefault(intent.strategy_id, deque())
        if intent.origin is OrderOrigin.COPY:
            line.append(intent)
        else:
            position = next((n for n, one in enumerate(line) if one.origin is OrderOrigin.COPY), len(line))
            line.insert(position, intent)
        return True

    def pick(self, count_max: int, ready: Callable[[LiveIntent], bool]) -> list[LiveIntent]:
        """Takes claims out in turns: the first ready one of each line, then the next, until `count_max` or none is ready."""
        picked: list[LiveIntent] = []
        turns = deque(self._lines)
        while turns and len(picked) < count_max:
            strategy_id = turns.popleft()
            intent = self._first_ready(strategy_id, ready)
            if intent is None:
                continue
            picked.append(intent)
            if strategy_id in self._lines:
                # To the end of the turns, for this pick and the next.
                self._lines[strategy_id] = self._lines.pop(strategy_id)
                turns.append(strategy_id)
        return picked

    def _first_ready(self, strategy_id: str, ready: Callable[[LiveIntent], bool]) -> LiveIntent | None:
        line = self._lines.get(strategy_id)
        if line is None:
            return None
        for position, intent in enumerate(line):
            if ready(intent):
                del line[position]
                if not line:
                    del self._lines[strategy_id]
                self._known.discard(intent.order_id)
                return intent
        return None
