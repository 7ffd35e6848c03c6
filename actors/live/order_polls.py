"""Orders that were sent a moment ago, and until when the venue is asked about them. Part of fill_watcher."""

import attrs


@attrs.define(eq=False, kw_only=True)
class SentOrders:
    """Hashes to poll for: each for at most `poll_max_s`, until the first news of it. Times are monotonic seconds."""

    poll_max_s: float
    _until_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """In the order in which it is their turn."""

    def add(self, order_hash: str, now_s: float) -> None:
        """Begins to poll for an order, or begins anew."""
        self._until_s.pop(order_hash, None)
        self._until_s[order_hash] = now_s + self.poll_max_s

    def heard(self, order_hash: str) -> None:
        """Says that there was news of an order."""
        self._until_s.pop(order_hash, None)

    def take(self, orders_max: int, now_s: float) -> list[str]:
        """Returns the orders that are asked about now; where there are more, the others have their turn first next time."""
        for order_hash, until_s in list(self._until_s.items()):
            if until_s < now_s:
                del self._until_s[order_hash]
        taken = list(self._until_s)[:orders_max]
        if len(taken) < len(self._until_s):
            for order_hash in taken:
                self._until_s[order_hash] = self._until_s.pop(order_hash)
        return taken

    def __contains__(self, order_hash: str) -> bool:
        return order_hash in self._until_s

    def __len__(self) -> int:
        return len(self._until_s)
