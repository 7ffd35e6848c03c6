"""How fast the feed page is: `python -m tests.bench.page_latency [SECONDS] [STREAMS]`, one JSON object.

An engine with its own PostgreSQL, the stream of the venue sent by another process at five target trades a second, STREAMS
(200) clients that listen to the same cards over raw sockets, and one headless Chromium with the feed open. The sender writes
the machine's monotonic time into each frame just before it hands it to the kernel; the page notes when the card of a trade
is in its document. All of it shares the machine's cores, so that times are upper bounds.

`fcp_ms` is the first contentful paint of ten loads after one that fills caches, by the browser; `ttfb_ms` the part of it that
the engine took. Needs Debian's `chromium` and Playwright.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import trio

from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.session_store import PostgresPasswords

from .bench import opened_bench
from .databases import BenchDatabase
from .figures import quantile
from .frames import TARGET, wallets
from .processes import blaster, cpu_s, engine, lines_of, running

RATE = 5
LOADS = 10
PASSWORD = "four plain words here"
TOKEN = "bench-token-bench-token-bench-token-1234"
SENT = "SELECT trade_id, split_part(raw->>'bio', ' ', 2)::bigint AS sent_ns FROM trades_public"


async def measure(seconds: float, streams: int) -> dict[str, Any]:
    """Returns the figures."""
    with tempfile.TemporaryDirectory(prefix="polycopy-page-") as directory:
        scratch = Path(directory)
        scratch.chmod(0o711)
        async with opened_bench(scratch=scratch, quick=False, say=lambda text: None) as bench:
            database = await bench.database()
            await database.follow(wallets(TARGET, 20))
            await _set_password(database)
            settings = {"http.admin_token": TOKEN, "http.reads_per_minute": "1000000", "http.streams_max": "256"}
            async with (
                blaster() as sender,
                engine(sender, bench.home(), dsn=database.dsn(), settings=settings) as handle,
                trio.open_nursery() as nursery,
            ):
                await handle.wait_ready()
                await sender.wait_clients()
                await sender.order("pace", label="warm", rate=50, noise_rate=0, seconds=2)
                for _ in range(streams):
                    await nursery.start(_listen, handle.http_port)
                argv = [sys.executable, "-m", "tests.bench.page_browser", str(handle.http_port), PASSWORD]
                browser = await nursery.start(_browser, argv)
                paints_ms = json.loads(await anext(browser.lines))
                before_s, began_s = cpu_s(handle.pid), time.monotonic()
                pace = {"label": "page", "rate": RATE, "noise_rate": 0, "seconds": seconds, "seed": 2}
                sent = (await sender.order("pace", **pace))["sent"]
                share = (cpu_s(handle.pid) - before_s) / (time.monotonic() - began_s)
                await trio.sleep(2)
                assert browser.process.stdin is not None
                await browser.process.stdin.send_all(b"enough\n")
                seen_ms = json.loads(await anext(browser.lines))
                open_streams = (await handle.metrics())["polycopy_feed_streams"]
                waits_ms = await _waits_ms(database, seen_ms)
                nursery.cancel_scope.cancel()
    fcp, ttfb = zip(*paints_ms, strict=True)
    return {
        "streams": streams,
        "streams_open_at_the_end": open_streams,
        "trades_sent": sent,
        "cards_seen": len(waits_ms),
        "wire_to_dom_ms": {f"p{share * 100:.0f}": round(quantile(waits_ms, share)) for share in (0.5, 0.95, 0.99)},
        "fcp_ms": {"median": round(statistics.median(fcp)), "all": [round(one) for one in fcp]},
        "ttfb_ms": {"median": round(statistics.median(ttfb)), "all": [round(one) for one in ttfb]},
        "engine_cpu_of_a_core": round(share, 2),
    }


@attrs.frozen
class BrowserHandle:
    """The process with the browser, and what it says."""

    process: trio.Process
    lines: AsyncIterator[bytes]


async def _browser(argv: list[str], *, task_status: trio.TaskStatus[BrowserHandle]) -> None:
    async with running(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, end_s=5) as process:
        task_status.started(BrowserHandle(process, lines_of(process)))
        await trio.sleep_forever()


async def _listen(port: int, *, task_status: trio.TaskStatus[None]) -> None:
    request = f"GET /api/v2/feed/cards HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request.encode())
        assert b" 200 " in await stream.receive_some()
        task_status.started()
        while await stream.receive_some():
            pass
        raise RuntimeError("a stream was closed")


async def _set_password(database: BenchDatabase) -> None:
    async with open_connection(database.options, "bench password") as connection:
        passwords = PostgresPasswords(connection)
        row = await passwords.password("admin")
        assert row is not None
        await passwords.set_password(row.user_id, await Argon2Hasher().hash(PASSWORD), revision=row.revision)


async def _waits_ms(database: BenchDatabase, seen_ms: dict[str, float]) -> list[float]:
    """The sender's clock is monotonic and the browser's is not: what lies between them is read once."""
    between_ns = time.time_ns() - time.monotonic_ns()
    sent = {row["trade_id"]: (row["sent_ns"] + between_ns) / 1e6 for row in await database.fetch(SENT)}
    return sorted(at_ms - sent[trade_id] for trade_id, at_ms in seen_ms.items())


if __name__ == "__main__":
    chosen = [float(text) for text in sys.argv[1:]]
    seconds, streams = (*chosen, *(60.0, 200.0)[len(chosen) :])
    print(json.dumps(trio.run(measure, seconds, int(streams)), indent=1))
