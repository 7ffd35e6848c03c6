"""Plays a source of rows against the clock: real, scaled or maximal speed, with pauses."""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from engine.simulator.matches import Block, RowSource


class Player:
    """Owns the source and the position in it."""

    def __init__(self, publish: Callable[[Block], None], wait_room: Callable[[], Awaitable[None]]) -> None:
        self._publish = publish
        self._wait_room = wait_room
        self._source: RowSource | None = None
        self._speed: float | None = 1.0
        self._playing = False
        self._finished = False
        self._zero_s = 0.0
        self._paused_at_s: float | None = None
        self._generation = 0
        self._changed = trio.Event()
        self.blocks = 0

    def load(self, source: RowSource, *, speed: float | None) -> None:
        """Replaces the source and stops at its beginning. `speed` None is as fast as the clients take it."""
        self._source = source
        self._speed = speed
        self._playing = False
        self._finished = False
        self._paused_at_s = None
        self._zero_s = float("nan")
        self._generation += 1
        self._announce()

    def start(self) -> None:
        """Starts or resumes; time that was spent paused is not caught up."""
        if self._playing or self._source is None:
            return
        now = trio.current_time()
        if self._zero_s != self._zero_s:
            self._zero_s = now
        elif self._paused_at_s is not None:
            self._zero_s += now - self._paused_at_s
        self._paused_at_s = None
        self._playing = True
        self._announce()

    def pause(self) -> None:
        """Holds the source where it is."""
        if self._playing:
            self._playing = False
            self._paused_at_s = trio.current_time()
            self._announce()

    async def run(self) -> None:
        """Plays whatever is loaded, whenever it is started; runs for ever."""
        while True:
            if not self._playing or self._source is None or self._finished:
                await self._changed.wait()
                continue
            await self._play(self._source, self._generation)

    async def wait_finished(self) -> None:
        """Waits until a source has come to its end."""
        while not self._finished:
            await self._changed.wait()

    def describe(self) -> dict[str, Any]:
        """Returns the state as JSON values."""
        source = self._source.describe() if self._source is not None else None
        return {
            "source": source,
            "speed": "max" if self._speed is None else self._speed,
            "playing": self._playing,
            "finished": self._finished,
            "blocks": self.blocks,
        }

    async def _play(self, source: RowSource, generation: int) -> None:
        while self._generation == generation and self._playing:
            block = source.next_block()
            if block is None:
                self._finished = True
                self._playing = False
                self._announce()
                return
            if not await self._wait_for_its_time(block, generation):
                return
            self._publish(block)
            self.blocks += 1

    async def _wait_for_its_time(self, block: Block, generation: int) -> bool:
        """Returns False when another source was loaded meanwhile: the block belongs to a world that is gone."""
        if self._speed is None:
            await self._wait_room()
            await trio.lowlevel.checkpoint()
        while self._generation == generation:
            if not self._playing:
                await self._changed.wait()
                continue
            if self._speed is None:
                return True
            due_s = self._zero_s + block.offset_s / self._speed
            if due_s <= trio.current_time():
                return True
            with trio.move_on_at(due_s):
                await self._changed.wait()
        return False

    def _announce(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
