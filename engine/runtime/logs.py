"""Structured log lines on standard error, without secrets.

One line an event: JSON, or text on a terminal. Logging never raises and never ends the program.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

from protocols.clock import WallClock
from protocols.timestamps import utc_datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_REDACTED = "****"
# Private keys and signatures (64 hex digits and more, but not ids, which are written with their 0x), bearer tokens,
# and the password of a database address.
_SECRETS = (
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}"), rf"\1{_REDACTED}"),
    (re.compile(r"(\w+://[^\s:/@]*:)[^\s@]+@"), rf"\1{_REDACTED}@"),
    (re.compile(r"(?i)\b((?:private_?key|secret|passphrase|api_?key|password|token)\"?'?\s*[=:]\s*\"?'?)[^\s\"',}]{6,}"),
     rf"\1{_REDACTED}"),
    (re.compile(r"\bpcy_[\w-]{43}"), _REDACTED),
    (re.compile(r"(?<![0-9a-zA-Zx])[0-9a-fA-F]{64}(?![0-9a-fA-F])"), _REDACTED),
)  # fmt: skip


def redacted(text: str) -> str:
    """Returns `text` with what looks like a secret replaced."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Returns what was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        line: dict[str, Any] = {
            "time": utc_datetime(self._clock.now_ms()).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redacted(json.dumps(line, default=str, ensure_ascii=True))


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self, clock: WallClock) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        moment = utc_datetime(self._clock.now_ms()).strftime("%H:%M:%S.%f")[:-3]
        fields = " ".join(f"{name}={_short(value)}" for name, value in fields_of(record).items())
        line = f"{moment} {record.levelname:<7} {record.getMessage()}" + (f"  {fields}" if fields else "")
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        # A hostile name must not drive the terminal.
        return redacted("".join(c if c.isprintable() or c == "\n" else "?" for c in line))


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{inner}" for name, inner in value.items()) or "-"
    text = str(value).replace("\n", "\\n")
    return f'"{text}"' if " " in text else text


def configure_logging(level: str, form: str, clock: WallClock) -> None:
    """Sends every log line of the program to standard error."""
    logging.raiseExceptions = False
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(clock) if as_json else TextFormatter(clock))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their debug and info lines name every request; ours say what matters.
    for name in ("httpx", "httpcore", "asyncio", "trio-websocket"):
        logging.getLogger(name).setLevel(logging.WARNING)
