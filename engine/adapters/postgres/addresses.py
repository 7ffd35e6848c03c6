"""An address of several servers: the first that answers and can be used is taken, however silent the others are.

The driver tries one after the other, and gives the first all of the time: a machine that is gone, and refuses nothing, would be
waited for until there is none left for the standby that was promoted in its place.
"""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

HEAD_START_S = 0.5
"""Of an address before the next one is tried beside it."""
Place = tuple[str, int]


def places(dsn: str) -> list[Place]:
    """Returns hosts and ports of an address with several hosts, in their order; nothing for one that the driver reads alone."""
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
    except ValueError:
        return []
    listed = parts.netloc.rpartition("@")[2].split(",")
    if "host" in query and listed == [""]:
        hosts = query["host"][0].split(",")
        ports = query.get("port", ["5432"])[0].split(",")
        listed = [
            f"{host}:{port}"
            for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False)
        ]
    if len(listed) < 2 or any(one.startswith("/") for one in listed):
        return []
    found = [_place(one) for one in listed]
    return [one for one in found if one is not None] if all(found) else []


def _place(text: str) -> Place | None:
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, "5432"
    host = host.strip("[]")
    return (host, int(port)) if host and port.isdecimal() else None


async def connect(dsn: str, *, timeout_s: float, **options: Any) -> asyncpg.Connection:
    """Returns a connection to one of the servers of an address, one that is as `target_session_attrs` says.

    Raises what the driver raises; of several failures the last one.
    """
    waiting_places = places(dsn)
    if len(waiting_places) < 2:
        return await asyncpg.connect(dsn, timeout=timeout_s, **options)
    trying = set[asyncio.Task[asyncpg.Connection]]()
    failure: BaseException | None = None
    try:
        async with asyncio.timeout(timeout_s):
            while waiting_places or trying:
                if waiting_places:
                    host, port = waiting_places.pop(0)
                    attempt = asyncpg.connect(dsn, host=host, port=port, timeout=timeout_s, **options)
                    trying.add(asyncio.ensure_future(attempt))
                head_start_s = HEAD_START_S if waiting_places else None
                done, _ = await asyncio.wait(trying, timeout=head_start_s, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    trying.discard(task)
                    if (failure := task.exception()) is None:
                        return task.result()
    finally:
        for task in trying:
            _give_up(task)
    assert failure is not None
    raise failure


def _give_up(task: "asyncio.Task[asyncpg.Connection]") -> None:
    """Ends an attempt that nobody waits for any more, also one that has just succeeded."""

    def close(ended: "asyncio.Task[asyncpg.Connection]") -> None:
        if not ended.cancelled() and ended.exception() is None:
            ended.result().terminate()

    task.add_done_callback(close)
    task.cancel()
