"""A client cheap enough not to be what is measured: kept connections over raw sockets, one request each at a time.

`python -m tests.bench.price_load PORT CONNECTIONS SECONDS INTERVAL_S TOKEN` reads paths from standard input, asks for them
in turn and prints one JSON line. With INTERVAL_S 0 each connection asks again at once, else so often. Latencies are from
the write of a request to the last byte of its answer; a tenth of the time, at least a second, is a warm-up and not counted.
"""

import json
import os
import re
import select
import socket
import sys
import time
from collections import deque

import attrs

from .figures import quantile

READ_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_AGE = re.compile(rb'"ageMs":(\d+)')


class LoadError(Exception):
    """An answer was no 200, or there was none."""


@attrs.define(eq=False)
class Load:
    """Connections, and what came back."""

    requests: list[bytes]
    times: list[tuple[float, float]] = attrs.field(factory=list)
    """(when it was complete, seconds it took) of every answer."""
    age_max_ms: int = 0
    stale: int = 0
    _poll: select.epoll = attrs.field(factory=select.epoll)
    _sockets: dict[int, socket.socket] = attrs.field(factory=dict)
    _sent_s: dict[int, float] = attrs.field(factory=dict)
    _parts: dict[int, bytes] = attrs.field(factory=dict)
    _number: int = 0

    def connect(self, port: int, count: int) -> None:
        """Opens connections."""
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setblocking(False)
            self._sockets[one.fileno()] = one
            self._poll.register(one.fileno(), select.EPOLLIN)

    def ask_without_pause(self, seconds: float) -> None:
        """Asks again as soon as an answer is there."""
        for fd in self._sockets:
            self._send(fd)
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            for fd, _ in self._poll.poll(1.0):
                if self._receive(fd) is not None:
                    self._send(fd)

    def ask_every(self, interval_s: float, seconds: float) -> None:
        """Asks on every connection once in `interval_s`, evenly spread, and reads the ages of the prices."""
        began_s = time.perf_counter()
        step_s = interval_s / len(self._sockets)
        due = deque((began_s + index * step_s, fd) for index, fd in enumerate(self._sockets))
        while (now_s := time.perf_counter()) < began_s + seconds:
            while due[0][0] <= now_s:
                at_s, fd = due.popleft()
                due.append((at_s + interval_s, fd))
                if fd not in self._sent_s:
                    self._send(fd)
            for fd, _ in self._poll.poll(max(0.0, due[0][0] - now_s)):
                body = self._receive(fd)
                if body is not None:
                    self.note(body)

    def note(self, body: bytes) -> None:
        """Reads the ages of the prices in an answer."""
        self.age_max_ms = max((self.age_max_ms, *(int(age) for age in _AGE.findall(body))))
        self.stale += b'"stale":true' in body

    def _send(self, fd: int) -> None:
        request = self.requests[self._number % len(self.requests)]
        self._number += 1
        self._sent_s[fd] = time.perf_counter()
        os.write(fd, request)

    def _receive(self, fd: int) -> bytes | None:
        """Returns the body when it is complete."""
        data = os.read(fd, READ_BYTES)
        if not data:
            raise LoadError(f"connection closed after {len(self.times)} answers")
        data = self._parts.pop(fd, b"") + data
        body_at = data.find(_HEAD_END) + 4
        length = _LENGTH.search(data, 0, body_at) if body_at > 3 else None
        if length is None or len(data) < body_at + int(length[1]):
            self._parts[fd] = data
            return None
        if data[9:12] != b"200":
            raise LoadError(f"not answered: {data[:300]!r}")
        now_s = time.perf_counter()
        self.times.append((now_s, now_s - self._sent_s.pop(fd)))
        return data[body_at:]


def main() -> None:
    """Measures once."""
    port, connections, seconds, interval_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    head = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {sys.argv[5]}\r\nAccept: */*\r\n\r\n"
    load = Load([f"GET {path}{head}".encode() for path in sys.stdin.read().split()])
    load.connect(port, connections)
    if interval_s:
        load.ask_every(interval_s, seconds)
    else:
        load.ask_without_pause(seconds)
    began_s = load.times[0][0] + max(1.0, seconds / 10)
    counted = [took_s for at_s, took_s in load.times if at_s >= began_s]
    figures = {
        "answers": len(load.times),
        "per_s": len(counted) / (load.times[-1][0] - began_s),
        "p50_ms": quantile(counted, 0.5) * 1000,
        "p99_ms": quantile(counted, 0.99) * 1000,
        "max_ms": max(counted) * 1000,
        "age_max_ms": load.age_max_ms,
        "stale": load.stale,
        "busy": time.process_time() / seconds,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
