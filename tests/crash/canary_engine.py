"""An engine that trades live, fails in the middle of signing and of sending, and says whether it may be dumped.

Each failure is one that nobody expects, so the supervisor logs a traceback through the frames that hold keys.
"""

import ctypes
import json
import sys
from typing import Any

import trio

from config.loader import load_config
from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.order_maker import AccountOrderMaker
from engine.cli.hosting import host_engine
from engine.lifecycle import EngineHost, Running
from protocols.venue.clob_auth import ApiCreds

PR_GET_DUMPABLE = 3
FAILS_AT = {(AccountOrderMaker, "sign"): 3, (ClobAccountApi, "post_order"): 5, (ApiCreds, "sign"): 60}


def break_once(cls: type, name: str, at: int) -> None:
    """Has a method raise at its `at`-th call, naming everything that it was given."""
    original, calls = getattr(cls, name), 0

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise RuntimeError(f"canary failure of {self!r} with {named!r}")
        return original(self, *arguments, **named)

    setattr(cls, name, broken)


async def report(running: Running, host: EngineHost) -> None:
    """Says once, on standard error, what the kernel says of this process."""
    while running.engine.live is None or not running.engine.live.reconciler.reconciled.is_set():
        await trio.sleep(0.05)
    print(json.dumps({"dumpable": ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    for (broken_class, broken_name), call in FAILS_AT.items():
        break_once(broken_class, broken_name, call)
    sys.exit(host_engine(load_config, load_config(), beside=report, live_switch=True))
