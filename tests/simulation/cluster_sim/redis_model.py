"""Redis as one edge sees it: a stream with one group, its books, and a memory that ends with the server.

What each method does is what the script of the same name in `edge_scripts.py` does, for an edge that holds when it is full.
"""

from collections.abc import Callable, Sequence

import attrs
import trio

from engine.adapters.redis.edge_store import GIVEN_BACK_IDLE_MS
from protocols.clock import Random
from protocols.edges import Appended, Delivery, EdgeFigures


@attrs.define
class _Pending:
    """An entry in the hands of a consumer."""

    consumer: str
    since_s: float
    times: int


@attrs.define
class _Memory:
    """All that is lost with the server."""

    entries: dict[str, bytes] = attrs.field(factory=dict)
    pending: dict[str, _Pending] = attrs.field(factory=dict)
    unread: list[str] = attrs.field(factory=list)
    senders: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    dead: list[bytes] = attrs.field(factory=list)
    origin: str = ""
    has_group: bool = False
    sent: int = 0
    acknowledged: int = 0


@attrs.define(eq=False, kw_only=True)
class RedisServer:
    """One server; every method is one step, as a script is."""

    rng: Random
    note: Callable[[str], None]
    items_max: int
    take_over_idle_s: float
    timeout_s: float
    nursery: trio.Nursery = attrs.field(init=False)
    down: bool = False
    latency_s: float = 0.001
    fails_before: float = 0.0
    fails_after: float = 0.0
    """It is done and nobody is told."""
    landed: Callable[[], None] = lambda: None
    """Told when items have come to lie here, before their sender hears of that."""
    life: int = attrs.field(init=False, default=0)
    lost_answers: int = attrs.field(init=False, default=0)
    lost_entries: int = attrs.field(init=False, default=0)
    buried: list[bytes] = attrs.field(init=False, factory=list)
    """Every dead letter, also of lives before: an operator has been told of it."""
    arrived: trio.Event = attrs.field(init=False, factory=trio.Event)
    _memory: _Memory = attrs.field(init=False, factory=_Memory)
    _last_id: int = attrs.field(init=False, default=0)

    @property
    def length(self) -> int:
        return len(self._memory.entries)

    def flush(self) -> None:
        """FLUSHALL: connections stay, contents go."""
        self.note(f"redis flushed, {self.length} entries lost")
        self.lost_entries += self.length
        self._memory = _Memory()
        self.wake()

    def kill(self) -> None:
        """It is gone, with connections and contents; `down` says until when."""
        self.flush()
        self.note("redis killed")
        self.down = True
        self.life += 1
        self.wake()

    def wake(self) -> None:
        """Whoever waits for items looks again."""
        self.arrived.set()
        self.arrived = trio.Event()

    def append(self, who: str, number: int, bodies: Sequence[bytes]) -> Appended:
        memory = self._memory
        if not memory.origin:
            memory.origin = f"{who}:{number}"
            memory.senders.pop(who, None)
        before = memory.senders.get(who)
        if before is not None and before[0] == number:
            return Appended(kept=before[1], origin=memory.origin, length=self.length)
        kept = max(0, min(len(bodies), self.items_max - self.length))
        for body in bodies[:kept]:
            # Made of the time in the server: never the same again, in no life of it.
            self._last_id += 1
            memory.entries[f"{self._last_id}-0"] = body
            memory.unread.append(f"{self._last_id}-0")
        memory.sent += kept
        memory.senders[who] = (number, kept)
        answer = Appended(kept=kept, origin=memory.origin, length=self.length)
        if kept:
            self.wake()
            self.landed()
        return answer

    def take(self, who: str, items_max: int) -> list[Delivery]:
        memory = self._memory
        if not self._group():
            return []
        taken, memory.unread = memory.unread[:items_max], memory.unread[items_max:]
        for one in taken:
            memory.pending[one] = _Pending(who, trio.current_time(), 1)
        return self._deliveries(taken)

    def mine(self, who: str) -> list[Delivery]:
        return self._deliveries([one for one, held in self._memory.pending.items() if held.consumer == who])

    def take_over(self, who: str) -> list[Delivery]:
        """XAUTOCLAIM does not ask whose they were: also its own."""
        now_s = trio.current_time()
        idle = [one for one, held in self._memory.pending.items() if now_s - held.since_s >= self.take_over_idle_s]
        for one in idle:
            held = self._memory.pending[one]
            held.consumer, held.since_s = who, now_s
        return self._deliveries(idle)

    def claim_own(self, who: str, pairs: Sequence[tuple[str, int | None]], *, given_back: bool = False) -> int:
        ours, since_s = 0, trio.current_time() - (GIVEN_BACK_IDLE_MS / 1000 if given_back else 0)
        for item_id, times in pairs:
            held = self._memory.pending.get(item_id)
            if held is not None and held.consumer == who:
                held.since_s, held.times = since_s, held.times if times is None else times
                ours += 1
        return ours

    def acknowledge(self, item_ids: Sequence[str]) -> int:
        ended = 0
        for one in item_ids:
            ended += self._memory.pending.pop(one, None) is not None
            self._memory.entries.pop(one, None)
        self._memory.acknowledged += ended
        return ended

    def bury(self, who: str, delivery: Delivery) -> bool:
        held = self._memory.pending.get(delivery.item_id)
        if held is None or held.consumer != who:
            return False
        del self._memory.pending[delivery.item_id]
        self._memory.entries.pop(delivery.item_id, None)
        self._memory.dead.append(delivery.body)
        self.buried.append(delivery.body)
        self.note(f"redis: a dead letter after {delivery.deliveries} deliveries")
        return True

    def figures(self) -> EdgeFigures:
        memory = self._memory
        return EdgeFigures(
            sent=memory.sent,
            acknowledged=memory.acknowledged,
            dead=len(memory.dead),
            dropped=0,
            depth=len(memory.unread),
            in_hand=len(memory.pending),
        )

    def _group(self) -> bool:
        """Whether the group was there; whoever finds it missing makes it, from the first entry on, and gets nothing."""
        was_there, self._memory.has_group = self._memory.has_group, True
        return was_there

    def _deliveries(self, item_ids: Sequence[str]) -> list[Delivery]:
        memory = self._memory
        return [
            Delivery(item_id=one, body=memory.entries[one], deliveries=memory.pending[one].times) for one in item_ids
        ]
