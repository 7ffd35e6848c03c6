"""Sends messages by a short-lived process: `engine/notify_process.py` says what goes in and out."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import trio

from config.secrets import Secret
from protocols.notifications import OutgoingMessage, SendResult, Told

_log = logging.getLogger(__name__)
LINE_BYTES_MAX = 1 << 20
KILLED_S = 5.0
# What a program of this machine needs to run and to reach the world; nothing that POLYCOPY_ names, no secret.
_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
PROGRAM = (sys.executable, "-m", "engine.notify_process")


@attrs.define(eq=False, kw_only=True)
class NotifyProcess:
    """`MessageSender`. The process is started when there is something to send and ended after `timeout_s` at the latest."""

    urls: Mapping[str, Secret] = attrs.field(repr=False)
    """Addresses by channel."""
    timeout_s: float
    program: Sequence[str] = PROGRAM
    started: int = attrs.field(init=False, default=0)

    async def send(self, messages: Sequence[OutgoingMessage], told: Told) -> None:
        """Sends, and tells what became of each message."""
        document = json.dumps({"messages": [self._document(one) for one in messages]})
        results_in, results = trio.open_memory_channel[SendResult](len(messages))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(self._run, document, {one.number for one in messages}, results_in))
            async with results:
                async for result in results:
                    await told(result)

    async def _run(self, document: str, open_numbers: set[int], results: trio.MemorySendChannel[SendResult]) -> None:
        async with results:
            try:
                with trio.move_on_after(self.timeout_s) as deadline:
                    await self._talk(document, open_numbers, results)
            except OSError as error:
                _log.warning("the process that sends notices does not start", extra={"error": str(error.strerror)})
            if deadline.cancelled_caught:
                _log.warning("sending notices took too long", extra={"unanswered": len(open_numbers)})

    async def _talk(self, document: str, open_numbers: set[int], results: trio.MemorySendChannel[SendResult]) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        process = await trio.lowlevel.open_process(
            list(self.program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.started += 1
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with process.stdin:
                with suppress(trio.BrokenResourceError):
                    await process.stdin.send_all(document.encode())
            rest = b""
            async for part in process.stdout:
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    result = _result_of(line)
                    if result is not None and result.number in open_numbers:
                        open_numbers.discard(result.number)
                        results.send_nowait(result)
                if len(rest) > LINE_BYTES_MAX:
                    return
            await process.wait()
        finally:
            with trio.CancelScope(shield=True):
                await _end(process)

    def _document(self, message: OutgoingMessage) -> dict[str, Any]:
        return {
            "number": message.number,
            "url": self.urls[message.channel].reveal(),
            "address": message.address,
            "title": message.title,
            "text": message.text,
            "html": message.html,
        }


async def _end(process: trio.Process) -> None:
    if process.returncode is None:
        process.kill()
    with trio.move_on_after(KILLED_S):
        await process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await stream.aclose()


def _result_of(line: bytes) -> SendResult | None:
    """Returns what a line says, or None for one that is none of ours."""
    try:
        said = json.loads(line)
        error = said["error"]
        return SendResult(
            number=int(said["number"]),
            error=None if error is None else str(error)[:200],
            refused=said["refused"] is True,
        )
    except (ValueError, LookupError, TypeError):
        return None
