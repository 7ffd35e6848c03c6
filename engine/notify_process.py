"""A process that sends messages and ends: `python -m engine.notify_process`. The library behind it costs 24 MB.

On standard input one JSON document: `{"messages": [{"number", "url", "address", "title", "text", "html"}, …]}`. On standard
output one line for each message as soon as its fate is known: `{"number", "error", "refused"}`; error null: it was taken.
Addresses hold credentials: they come by standard input, and nothing of them, or of what a channel said, goes out again.
"""

import json
import logging
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

SIDE_BY_SIDE = 8
REFUSED_CODES = frozenset({400, 401, 403, 404, 405, 410, 411, 413, 422})
_HTTP_CODE = re.compile(r"error=(\d{3})")
_SMTP_CODE = re.compile(r"\((\d{3}), b?['\"]")
_MAIL = re.compile(r"mailtos?://", re.IGNORECASE)


class _Said(logging.Handler):
    """Keeps the codes in what the library says, by thread; its texts may hold credentials and are dropped."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.codes: dict[int, list[tuple[str, int]]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Takes the codes out of a line."""
        text = record.getMessage()
        found = [("HTTP", int(code)) for code in _HTTP_CODE.findall(text)]
        found += [("SMTP", int(code)) for code in _SMTP_CODE.findall(text)]
        self.codes.setdefault(threading.get_ident(), []).extend(found)


def failure(codes: list[tuple[str, int]]) -> tuple[str, bool]:
    """Returns a sentence about a failure, and whether the channel refused, from the codes that it answered."""
    if not codes:
        return "the channel could not be reached, or did not answer", False
    name, code = codes[-1]
    refused = code in REFUSED_CODES if name == "HTTP" else code >= 500
    return f"the channel answered {name} {code}", refused


def with_address(url: str, address: str) -> str:
    """Returns the address of a mail server with a recipient."""
    return f"{url}{'&' if '?' in url else '?'}to={quote(address, safe='')}"


def send(message: dict[str, Any], said: _Said) -> dict[str, Any]:
    """Sends one message and returns what became of it."""
    import apprise

    said.codes.pop(threading.get_ident(), None)
    url: str = message["url"]
    is_mail = bool(_MAIL.match(url))
    if message["address"] is not None:
        url = with_address(url, message["address"])
    number = message["number"]
    try:
        # Nothing of what is sent is kept on disk, and the library's name is not on it.
        asset = apprise.AppriseAsset(app_id="Polycopy", app_desc="Polycopy", app_url="", secure_logging=True)
        plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if plugin is None or isinstance(plugin, dict):
            return {"number": number, "error": "the address of the channel makes no sense", "refused": True}
        # A mail has both forms: the library makes the plain one of the other. Chats get the text as it is.
        body, form = (message["html"], "html") if is_mail else (message["text"], "text")
        if plugin.notify(title=message["title"], body=body, body_format=form):
            return {"number": number, "error": None, "refused": False}
    except Exception as error:  # whatever it is, the other messages go on; its text may hold the address
        return {"number": number, "error": f"sending failed: {type(error).__name__}", "refused": False}
    error_text, refused = failure(said.codes.get(threading.get_ident(), []))
    return {"number": number, "error": error_text, "refused": refused}


def main() -> None:
    """Sends what standard input says. Ends early when the engine that started it is gone: nobody would mark what is sent."""
    engine_pid = os.getppid()
    messages = json.load(sys.stdin)["messages"]
    logger = logging.getLogger("apprise")
    said = _Said()
    logger.addHandler(said)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    lock = threading.Lock()

    def one(message: dict[str, Any]) -> None:
        if os.getppid() != engine_pid:
            return
        result = send(message, said)
        with lock:
            sys.stdout.buffer.write(json.dumps(result).encode() + b"\n")
            sys.stdout.buffer.flush()

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for running in [pool.submit(one, message) for message in messages]:
            running.result()


if __name__ == "__main__":
    main()
