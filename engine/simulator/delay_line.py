"""What the venue has matched and not yet shown: frames between the match and the stream."""

import heapq
from collections.abc import Callable, Sequence

import trio

from engine.simulator.faults import FaultBoard
from engine.simulator.rtds_frames import ActivityFrame, ActivityType
from protocols.clock import Random

_LAG_S = {ActivityType.ORDERS_MATCHED: (1.7, 2.1), ActivityType.TRADES: (2.0, 2.5)}
_LAG_TAIL_S = 1.0
_WAITING_MAX = 300_000

Deliver = Callable[[Sequence[ActivityFrame]], None]
_Due = tuple[float, int, ActivityFrame]


class DelayLine:
    """Holds frames for the lag between match and stream (venue.md §1.2), and longer under faults.

    Rows of one block come out together; `delay`, `late` and `reorder` act here.
    """

    def __init__(self, deliver: Deliver, faults: FaultBoard, *, rng: Random, lag_scale: float) -> None:
        self._deliver = deliver
        self._faults = faults
        self._rng = rng
        self._lag_scale = lag_scale
        self._waiting: list[_Due] = []
        self._order = 0
        self._changed = trio.lowlevel.ParkingLot()
        self.overflowed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frames: Sequence[ActivityFrame]) -> None:
        """Takes the frames of one block."""
        now = trio.current_time()
        lags = {kind: self._lag_s(kind) for kind in ActivityType}
        delay = self._faults.active("delay")
        extra = delay.number("delay_s", 0.0) if delay is not None else 0.0
        late = self._faults.active("late")
        frames = self._reordered(frames)
        for frame in frames:
            held = late.number("delay_s", 5.0) if late is not None and self._faults.hits(late) else 0.0
            self._push(now + lags[frame.type] + extra + held, frame)
        self._changed.unpark_all()

    async def run(self) -> None:
        """Delivers frames when they are due; runs for ever."""
        while True:
            if not self._waiting:
                await self._changed.park()
            elif self._waiting[0][0] > trio.current_time():
                with trio.move_on_at(self._waiting[0][0]):
                    await self._changed.park()
            else:
                self._deliver(self._due())
                # Connections must get their turn even when there is always something due.
                await trio.lowlevel.checkpoint()

    def _due(self) -> list[ActivityFrame]:
        now = trio.current_time()
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        return due

    def _push(self, due_s: float, frame: ActivityFrame) -> None:
        if len(self._waiting) >= _WAITING_MAX:
            self.overflowed += 1
            return
        self._order += 1
        heapq.heappush(self._waiting, (due_s, self._order, frame))

    def _lag_s(self, kind: ActivityType) -> float:
        if not self._lag_scale:
            return 0.0
        low, high = _LAG_S[kind]
        # One block in fifty is later still: p99 is 3.5 s.
        tail = _LAG_TAIL_S if self._rng.random() < 0.02 else 0.0
        return (self._rng.uniform(low, high) + tail) * self._lag_scale

    def _reordered(self, frames: Sequence[ActivityFrame]) -> Sequence[ActivityFrame]:
        if self._faults.active("reorder") is None:
            return frames
        shuffled = list(frames)
        self._rng.shuffle(shuffled)
        return shuffled
