"""A bounded memory of what was seen lately."""

import attrs


@attrs.define(eq=False)
class RecentSet:
    """Remembers at least the last `keys_max` strings and at most twice as many.

    Two generations: when the young one is full it becomes the old one and the old one is forgotten. Costs one set look-up
    more than a plain set and no bookkeeping per key.
    """

    keys_max: int
    _young: set[str] = attrs.field(init=False, factory=set)
    _old: set[str] = attrs.field(init=False, factory=set)

    def __contains__(self, key: str) -> bool:
        return key in self._young or key in self._old

    def add(self, key: str) -> None:
        """Remembers `key` as the most recent."""
        self._young.add(key)
        if len(self._young) >= self.keys_max:
            self._old = self._young
            self._young = set()

    def discard(self, key: str) -> None:
        """Forgets `key`."""
        self._young.discard(key)
        self._old.discard(key)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
