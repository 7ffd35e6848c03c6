import json
import signal
import subprocess
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from engine_cli.cli_process import PROGRAM, environment
from engine_postgres.server_fixtures import fetch
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from engine.web.asgi_server import ServerLimits, serve_asgi

ONE, TWO, THREE = (f"0x{digit * 40}" for digit in "abc")
PROFILES = [
    {"name": "PPMT", "pseudonym": "Rowdy-Tenement", "proxyWallet": ONE.upper().replace("0X", "0x")},
    {"name": "mañana-kid", "pseudonym": "Same-Words", "proxyWallet": TWO},
    {"name": "other", "pseudonym": "Same-Words", "proxyWallet": THREE},
]


@asynccontextmanager
async def gamma(queries, status=200):
    """The search of Gamma: whatever contains the text is found."""

    async def search(request):
        queries.append(dict(request.query_params))
        text = request.query_params["q"].lower()
        found = [p for p in PROFILES if text in p["name"].lower() or text in p["pseudonym"].lower()]
        return JSONResponse({"events": [], "profiles": found}, status_code=status)

    app = Starlette(routes=[Route("/public-search", search)])
    async with trio.open_nursery() as nursery:
        serve = partial(serve_asgi, app, host="127.0.0.1", port=0, limits=ServerLimits())
        yield f"http://127.0.0.1:{await nursery.start(serve)}"
        nursery.cancel_scope.cancel()


async def follow(database, url, *arguments):
    env = environment(POLYCOPY_DATABASE__URL=database.dsn, POLYCOPY_VENUE__GAMMA_URL=url)
    command = [*PROGRAM, "follow", *arguments]
    with trio.fail_after(30):
        return await trio.run_process(command, env=env, capture_stdout=True, capture_stderr=True, check=False)


async def stored(database):
    rows = await trio.to_thread.run_sync(fetch, database.dsn, "SELECT trader_wallet FROM follows ORDER BY 1")
    return [wallet for (wallet,) in rows]


async def test_names_are_looked_up_once_each(database, tmp_path):
    queries = []
    file = tmp_path / "traders.txt"
    file.write_text("@ppmt\nhttps://polymarket.com/@PPMT\n@mañana-kid\n")
    async with gamma(queries) as url:
        done = await follow(database, url, "add", "--file", str(file), "@Rowdy-Tenement", "--json")
    assert json.loads(done.stdout)["added"] == [ONE, TWO]
    assert [query["q"] for query in queries] == ["Rowdy-Tenement", "ppmt", "PPMT", "mañana-kid"]
    assert queries[0]["search_profiles"] == "true"
    assert await stored(database) == [ONE, TWO]


async def test_unknown_and_ambiguous_names_are_told_with_their_lines(database, tmp_path):
    file = tmp_path / "traders.txt"
    file.write_text("@ppmt\n@same-words\n@PPM\n@nobody\n0x1\n")
    async with gamma([]) as url:
        done = await follow(database, url, "add", "--file", str(file))
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "Error: 4 traders cannot be understood; nothing was changed:",
        f"  {file}:5: 0x1: has 1 hex digits; a wallet has 40",
        f"  {file}:2: @same-words: several traders are called so, give the wallet: mañana-kid {TWO}, other {THREE}",
        f"  {file}:3: @PPM: no trader is called so; similar: PPMT {ONE}",
        f"  {file}:4: @nobody: no trader is called so",
    ]
    assert await stored(database) == []


@pytest.mark.parametrize("status", [500, 404])
async def test_a_venue_that_fails_is_one_line(database, status):
    async with gamma([], status) as url:
        done = await follow(database, url, "add", "@ppmt")
    assert done.returncode == 1
    text = done.stderr.decode()
    start = "Error: names could not be looked up, nothing was changed: gamma: /public-search answered "
    assert text.startswith(start + str(status))
    assert text.count("\n") == 1


async def test_it_ends_on_an_interrupt_without_a_traceback(database):
    asked = trio.Event()

    async def never(scope, receive, send):
        # A port may have been somebody else's before, who is still asked for there.
        if scope["path"] == "/public-search":
            asked.set()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        serve = partial(serve_asgi, never, host="127.0.0.1", port=0, limits=ServerLimits())
        url = f"http://127.0.0.1:{await nursery.start(serve)}"
        env = environment(POLYCOPY_DATABASE__URL=database.dsn, POLYCOPY_VENUE__GAMMA_URL=url)
        command = [*PROGRAM, "follow", "add", "@ppmt"]
        process = await trio.lowlevel.open_process(command, env=env, stderr=subprocess.PIPE)
        with trio.fail_after(20):
            await asked.wait()
            process.send_signal(signal.SIGINT)
            text = b"".join([part async for part in process.stderr])
            assert await process.wait() == 1
        await process.stderr.aclose()
        assert text == b"Aborted!\n"
        nursery.cancel_scope.cancel()
