"""What the price cache remembers: quotes, names, ids that do not exist. Every part is bounded."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import attrs

from actors.rules.price_hot_set import Candidate
from protocols.prices import MarketName, Quote

K = TypeVar("K", bound=Hashable)
NAMES_MAX = 10_000
ABSENT_MAX = 10_000
RETRY_FIRST_S = 2.0
RETRY_MAX_S = 60.0


@attrs.define(eq=False)
class Entry:
    """One market."""

    quote: Quote
    asked_s: float = float("-inf")
    """When somebody last wanted a price not older than the TTL."""
    tried_s: float = float("-inf")
    """When an upstream was last asked for it, whatever came back."""
    hidden: bool = False
    """Gamma shows it only with `closed=true`."""
    vanished: int = 0
    """How often in a row upstreams answered, but without it."""
    retry_s: float = float("-inf")
    """Until then a vanished market is not asked for again."""

    def seen(self, quote: Quote) -> None:
        """Takes a newer observation."""
        self.quote = quote
        self.vanished = 0
        self.retry_s = float("-inf")

    def not_seen(self, now_s: float) -> None:
        """Says that upstreams answered without it."""
        self.retry_s = now_s + min(RETRY_MAX_S, RETRY_FIRST_S * 2.0 ** min(self.vanished, 20))
        self.vanished += 1


@attrs.define(eq=False)
class Forgetful(Generic[K]):
    """Keys that count for a while. The oldest go first when there are too many."""

    life_s: float
    keys_max: int = ABSENT_MAX
    _until_s: dict[K, float] = attrs.field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._until_s)

    def add(self, key: K, now_s: float) -> None:
        """Remembers a key from now on."""
        self._until_s.pop(key, None)
        while len(self._until_s) >= self.keys_max:
            self._until_s.pop(next(iter(self._until_s)))
        self._until_s[key] = now_s + self.life_s

    def holds(self, key: K, now_s: float) -> bool:
        """Returns whether a key still counts."""
        until_s = self._until_s.get(key)
        if until_s is None:
            return False
        if until_s > now_s:
            return True
        del self._until_s[key]
        return False

    def discard(self, key: K) -> None:
        """Forgets a key."""
        self._until_s.pop(key, None)


@attrs.define(eq=False, kw_only=True)
class PriceMemory:
    """Quotes by condition id; the least recently used go first, unless a stream watches them."""

    markets_max: int
    is_watched: Callable[[str], bool]
    evicted: int = attrs.field(init=False, default=0)
    _entries: OrderedDict[str, Entry] = attrs.field(init=False, factory=OrderedDict)
    _names: OrderedDict[MarketName, str] = attrs.field(init=False, factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._entries)

    def used(self, condition_id: str) -> Entry | None:
        """Returns a market that somebody asks for."""
        entry = self._entries.get(condition_id)
        if entry is not None:
            self._entries.move_to_end(condition_id)
        return entry

    def get(self, condition_id: str) -> Entry | None:
        """Returns a market, without counting it as used."""
        return self._entries.get(condition_id)

    def put(self, quote: Quote) -> Entry:
        """Takes an observation. One that is older than what is known changes nothing."""
        condition_id = quote.facts.condition_id
        entry = self._entries.get(condition_id)
        if entry is None:
            entry = self._entries[condition_id] = Entry(quote)
            if len(self._entries) > self.markets_max:
                self._evict(condition_id)
        elif quote.observed_s >= entry.quote.observed_s:
            entry.seen(quote)
        return entry

    def named(self, name: MarketName) -> str | None:
        """Returns the condition id of a slug or token."""
        return self._names.get(name)

    def name(self, name: MarketName, condition_id: str) -> None:
        """Remembers whose slug or token it is."""
        self._names[name] = condition_id
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)

    def candidates(self, now_s: float) -> Iterator[Candidate]:
        """Yields what may ride along in a call."""
        for condition_id, entry in self._entries.items():
            if not entry.quote.resolved and entry.retry_s <= now_s:
                asked_s = now_s if self.is_watched(condition_id) else entry.asked_s
                observed_s = max(entry.quote.observed_s, entry.tried_s)
                yield Candidate(condition_id, observed_s, asked_s, entry.hidden)

    def _evict(self, spared: str) -> None:
        for condition_id in self._entries:
            if condition_id != spared and not self.is_watched(condition_id):
                del self._entries[condition_id]
                self.evicted += 1
                return
