"""Lets the asyncio loop below the database driver run its callbacks where they arise, instead of a round of trio later.

trio-asyncio carries each callback through a channel to one task, so that a query and its answer cross trio's scheduler five
times: main loop, reader, main loop twice, caller. Here the caller sends his query himself and the reader runs what its bytes
set off: two crossings. `python -m tests.bench.query_cost` compares both ways in one run.

It leans on three names of trio-asyncio that are not public; `tests/engine_postgres/test_eager_loop.py` fails when they change.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import attrs
import trio_asyncio

T = TypeVar("T")
AT_ONCE = 1_000
"""Callbacks in one go; then others have their turn."""
PATIENCE_S = 1.0
_current: ContextVar["EagerLoop | None"] = ContextVar("eager_loop", default=None)


@attrs.define(eq=False)
class EagerLoop:
    """Callbacks of one loop, in their order. Plain ones only: timers and trio tasks go the library's way."""

    loop: Any
    _ready: deque[asyncio.Handle] = attrs.field(init=False, factory=deque)
    _is_draining: bool = attrs.field(init=False, default=False)
    _is_announced: bool = attrs.field(init=False, default=False)
    """The library's task has been told to drain: for what is queued from anywhere else."""
    _queue: Callable[[asyncio.Handle], asyncio.Handle] = attrs.field(init=False)
    _add_reader: Callable[..., Any] = attrs.field(init=False)

    @contextmanager
    def installed(self) -> "Iterator[EagerLoop]":
        """Takes the loop over for as long as the context lasts."""
        loop = self.loop
        self._queue, self._add_reader = loop._queue_handle, loop._add_reader
        loop._queue_handle, loop._add_reader, loop.synchronize = self._take, self._read_eagerly, _no_wait
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)
            # What ends the loop has to come through the library's own task.
            del loop._queue_handle, loop._add_reader, loop.synchronize
            self._drain()

    async def run(self, coroutine: Coroutine[Any, Any, T], give_up: Callable[[], None]) -> T:
        """Runs a coroutine of asyncio; its first step at once, in the task that calls. Cancelled as trio-asyncio does it.

        What is still cleaning up `PATIENCE_S` after it was cancelled waits for somebody who is silent: `give_up` is called.
        """
        self._is_draining, was_draining = True, self._is_draining
        try:
            task = self.loop.create_task(coroutine)
        finally:
            self._is_draining = was_draining
        self._drain()
        result: T = await trio_asyncio.run_aio_future(_Bounded(task, self.loop, give_up))
        return result

    def _take(self, handle: asyncio.Handle) -> asyncio.Handle:
        if type(handle) is not asyncio.Handle:
            return self._queue(handle)
        self._ready.append(handle)
        if not self._is_draining:
            self._announce()
        return handle

    def _announced(self) -> None:
        self._is_announced = False
        self._drain()

    def _read_eagerly(self, fd: int, callback: Callable[..., Any], *args: Any) -> Any:
        def read() -> None:
            self._is_draining, was_draining = True, self._is_draining
            try:
                callback(*args)
            finally:
                self._is_draining = was_draining
            self._drain()

        return self._add_reader(fd, read)

    def _drain(self) -> None:
        """Runs what is queued, and what that queues. Inside of itself it does nothing: order is kept."""
        if self._is_draining:
            return
        self._is_draining = True
        try:
            for _ in range(AT_ONCE):
                if not self._ready:
                    return
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            self._is_draining = False
            if self._ready:
                self._announce()

    def _announce(self) -> None:
        if not self._is_announced:
            self._is_announced = True
            self._queue(asyncio.Handle(self._announced, (), self.loop))


@attrs.define(eq=False)
class _Bounded:
    """What trio-asyncio needs of a future, with an end to being cancelled."""

    task: "asyncio.Task[Any]"
    loop: Any
    give_up: Callable[[], None]

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.task.add_done_callback(callback)

    def result(self) -> Any:
        return self.task.result()

    def cancel(self) -> None:
        self.task.cancel()
        if not self.task.done():
            self.loop.call_later(PATIENCE_S, self._insist)

    def _insist(self) -> None:
        if not self.task.done():
            self.give_up()
            self.task.cancel()


async def _no_wait() -> None:
    """In place of waiting until callbacks have run: they have."""


async def run_in_loop(coroutine: Coroutine[Any, Any, T], give_up: Callable[[], None] = lambda: None) -> T:
    """Runs a coroutine of asyncio in the loop that hosts this task; `give_up` see `EagerLoop.run`."""
    eager = _current.get()
    if eager is None:
        coroutine.close()
        raise RuntimeError("no loop for the database: use it inside database_loop()")
    return await eager.run(coroutine, give_up)
