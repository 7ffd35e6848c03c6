"""How a registry keeps up with the database: it reads when a version has changed, and the last good reading stays meanwhile."""

from collections.abc import Awaitable, Callable

import trio

from actors.rules.backoff import Backoff
from protocols.errors import TransientError


async def keep_current(
    refresh: Callable[[], Awaitable[None]],
    *,
    pause: Callable[[], Awaitable[None]],
    backoff: Backoff,
    failed: Callable[[TransientError], None],
    task_status: trio.TaskStatus[None],
) -> None:
    """Refreshes until cancelled, and says that it started after the first time that succeeds.

    `failed` is told each `TransientError`, after which `backoff` says how long to wait; anything else gets out.
    """
    started = False
    while True:
        try:
            await refresh()
        except TransientError as error:
            failed(error)
            await trio.sleep(backoff.next_s())
            continue
        backoff.reset()
        if not started:
            started = True
            task_status.started()
        await pause()
