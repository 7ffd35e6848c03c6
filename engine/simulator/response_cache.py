"""The cache in front of the Data API: whole answers by full URL (venue.md §5.1)."""

from collections import OrderedDict
from collections.abc import Mapping

import attrs

from protocols.clock import WallClock

ENTRIES_MAX = 4_000
BYTES_MAX = 64 << 20


@attrs.frozen(kw_only=True, eq=False)
class CachedAnswer:
    """A body and when it was made."""

    body: bytes
    stored_ms: int
    until_ms: int


class ResponseCache:
    """Least recently used answers go first, beyond `ENTRIES_MAX` or `BYTES_MAX`."""

    def __init__(self, clock: WallClock, ages_s: Mapping[str, float], *, scale: float) -> None:
        self._clock = clock
        self._ages_ms = {path: age * 1000 * scale for path, age in ages_s.items()}
        self._answers: OrderedDict[str, CachedAnswer] = OrderedDict()
        self._bytes = 0
        self.hits = 0

    def age_ms(self, path: str) -> float:
        """Returns how long answers of a path are kept; 0: not at all."""
        return self._ages_ms.get(path, 0.0)

    def now_ms(self) -> int:
        """Returns the time by which ages are counted."""
        return self._clock.now_ms()

    def get(self, url: str) -> CachedAnswer | None:
        """Returns the answer kept for a path with its query, exactly as sent: one more parameter is another URL."""
        answer = self._answers.get(url)
        if answer is None or answer.until_ms <= self._clock.now_ms():
            return None
        self._answers.move_to_end(url)
        self.hits += 1
        return answer

    def put(self, path: str, url: str, body: bytes) -> None:
        """Keeps an answer for as long as its path allows."""
        age_ms = self.age_ms(path)
        if age_ms <= 0:
            return
        now = self._clock.now_ms()
        old = self._answers.pop(url, None)
        self._bytes += len(body) - (len(old.body) if old is not None else 0)
        self._answers[url] = CachedAnswer(body=body, stored_ms=now, until_ms=now + round(age_ms))
        while len(self._answers) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            _, evicted = self._answers.popitem(last=False)
            self._bytes -= len(evicted.body)
