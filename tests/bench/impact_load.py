"""Many users who look at pages: `python -m tests.bench.impact_load PORT CONNECTIONS SECONDS INTERVAL_S`.

Reads lines `TOKEN PATH` from standard input, asks for them in turn, once in INTERVAL_S on every connection, and prints one
JSON line. The raw client of `price_load` does it, so that the load costs little beside what it measures.
"""

import json
import sys
import time

from .figures import quantile
from .price_load import Load


class PriceLoad(Load):
    """Prices of markets that have ended change once more at most: their age says little."""

    def note(self, body: bytes) -> None:
        """Reads the ages of the prices of markets that trade."""
        if b'"ageMs"' in body:
            for market in json.loads(body)["markets"]:
                if not market["closed"]:
                    self.age_max_ms = max(self.age_max_ms, market["ageMs"])
                    self.stale += market["stale"]


def main() -> None:
    """Asks, and says what came back."""
    port, connections, seconds, interval_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    load = PriceLoad([_request(port, *line.split()) for line in sys.stdin.read().splitlines()])
    load.connect(port, connections)
    load.ask_every(interval_s, seconds)
    took_s = [took_s for _, took_s in load.times]
    figures = {
        "answers": len(took_s),
        "p50_ms": quantile(took_s, 0.5) * 1000,
        "p99_ms": quantile(took_s, 0.99) * 1000,
        "age_max_ms": load.age_max_ms,
        "stale": load.stale,
        "busy": time.process_time() / seconds,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def _request(port: int, token: str, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\nAccept: */*\r\n\r\n"
    ).encode()


if __name__ == "__main__":
    main()
