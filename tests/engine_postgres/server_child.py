"""Runs the embedded server in a process of its own: `python server_child.py UID DATA_DIR [BIN_DIR PACKAGE CACHE_DIR]`.

Says one JSON line when it is up, ends when its standard input does. Imports come before the change of uid: an ordinary
user may be unable to read the Python that root runs.
"""

import json
import os
import sys
from pathlib import Path

import trio
import trio._subprocess_platform.waitid

from engine.adapters.postgres.embedded_server import (
    EmbeddedServerError,
    ServerBinaries,
    find_embedded_binaries,
    run_embedded_server,
)


async def main(data_dir: str, bin_dir: str = "", package: str = "", cache_dir: str = "/proc/none") -> None:
    binaries = ServerBinaries(bin_dir=Path(bin_dir), version="18.4", package=package or None) if bin_dir else None
    try:
        async with run_embedded_server(
            data_dir=Path(data_dir), binaries=binaries, durable=False, cache_dir=Path(cache_dir)
        ) as server:
            said = {
                "dsn": server.dsn,
                "pid": server.pid,
                "adopted": server.adopted,
                "bin": str(server.binaries.bin_dir),
            }
            print(json.dumps(said), flush=True)
            await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
    except EmbeddedServerError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}), flush=True)
        sys.exit(1)


if __name__ == "__main__":
    uid = int(sys.argv[1])
    if uid != os.geteuid():
        find_embedded_binaries()  # imports what importlib.metadata needs
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    trio.run(main, *sys.argv[2:])
