"""Tells identical fills of one transaction apart by counting them within the place they were seen in."""

from collections.abc import Mapping

import attrs

Place = tuple[str, str]
"""(scope, fill key): a scope is one connection and topic, or one response."""


@attrs.define(eq=False)
class OrdinalCounter:
    """Counts equal fills per scope (design.md §4).

    A replay on a new connection has a new scope, so its rows get the ordinals of their first appearance. Counting is in
    two steps, so that a batch that has to be processed again after a crash is counted again from the same base:
    `tentative` asks, `commit` remembers. Bounded to two generations of `keys_max` places; equal fills of one transaction
    arrive within seconds, long before their place is forgotten.
    """

    keys_max: int = 5_000
    _young: dict[Place, int] = attrs.field(init=False, factory=dict)
    _old: dict[Place, int] = attrs.field(init=False, factory=dict)

    def tentative(self, scope: str, key: str, batch: dict[Place, int]) -> int:
        """Returns the ordinal of the next fill with `key` in `scope`, counting it in `batch` only."""
        place = (scope, key)
        ordinal = batch.get(place)
        if ordinal is None:
            ordinal = self._young.get(place)
            if ordinal is None:
                ordinal = self._old.get(place, 0)
        batch[place] = ordinal + 1
        return ordinal

    def commit(self, batch: Mapping[Place, int]) -> None:
        """Remembers the counts of a batch that was passed on."""
        self._young.update(batch)
        if len(self._young) > self.keys_max:
            self._old = self._young
            self._young = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
