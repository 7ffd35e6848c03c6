import json
from functools import partial

import pytest
import trio
from engine_cli.cli_process import PROGRAM, environment, free_port, invoke, json_of, polycopy
from engine_postgres.server_fixtures import scratch_directory
from engine_simulator.simulator_clients import running
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from engine.adapters.postgres.migrate import migrations
from engine.web.asgi_server import ServerLimits, serve_asgi

UPSTREAMS = ["stream", "clob sockets", "clob", "gamma", "data api"]
NOBODY = {
    "POLYCOPY_VENUE__RTDS_URL": "ws://127.0.0.1:9",
    "POLYCOPY_VENUE__CLOB_WS_URL": "ws://127.0.0.1:9",
    "POLYCOPY_VENUE__CLOB_URL": "http://127.0.0.1:9",
    "POLYCOPY_VENUE__GAMMA_URL": "http://127.0.0.1:9",
    "POLYCOPY_VENUE__DATA_URL": "http://127.0.0.1:9",
}


def by_name(done):
    return {check["name"]: check for check in json_of(done)["checks"]}


def test_everything_that_does_not_answer_is_named():
    env = {**NOBODY, "POLYCOPY_DATABASE__URL": "postgresql://me:geheim@127.0.0.1:9/x"}
    done = polycopy("--set", "writer.spill_dir=/dev/null/spill", "doctor", env=env)
    assert done.returncode == 1
    failed = [line.split("  ")[1] for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert failed == ["database", "spill journal", *UPSTREAMS]
    assert "7 of 10 checks failed." in done.stdout
    assert "geheim" not in done.stdout + done.stderr
    assert done.stdout.count("→") == 6


def test_without_a_database_one_is_tried_beside_its_place_and_taken_away():
    with scratch_directory() as home:
        done = polycopy("--set", f"database.data_dir={home / 'state' / 'postgres'}", "doctor", "--json", env=NOBODY)
        check = by_name(done)["database"]
        assert check["ok"], check
        assert check["detail"].startswith("PostgreSQL 18")
        assert f"`run` will make {home / 'state' / 'postgres'}" in check["detail"]
        assert list(home.iterdir()) == []


def test_a_database_of_an_operator_is_looked_at(database, postgres, own_logging):
    found = by_name(invoke("doctor", "--json", env={**NOBODY, "POLYCOPY_DATABASE__URL": database.dsn}))
    assert found["database"]["ok"]
    assert "pending" not in found["database"]["detail"]
    with postgres.database() as dsn:
        env = {**NOBODY, "POLYCOPY_DATABASE__URL": dsn, "POLYCOPY_DATABASE__DIRECT_URL": dsn}
        found = by_name(invoke("doctor", "--json", env=env))
    assert f"{len(migrations())} migrations pending" in found["database"]["detail"]
    assert found["direct database"]["ok"]


async def doctor(env, *arguments):
    command = [*PROGRAM, *arguments, "doctor", "--json", "--timeout-s", "2"]
    with trio.fail_after(60):
        done = await trio.run_process(command, env=environment(**env), capture_stdout=True, check=False)
    return {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def venue_of(urls):
    return {
        f"POLYCOPY_VENUE__{name.upper()}": getattr(urls, name)
        for name in ("rtds_url", "clob_ws_url", "clob_url", "gamma_url", "data_url")
    }


async def test_a_silent_stream_is_told_from_a_dead_one(database):
    async with running() as venue:
        env = {**venue_of(venue.urls), "POLYCOPY_DATABASE__URL": database.dsn}
        found = await doctor(env)
        assert "accepted the subscription but sent no trade" in found["stream"]["detail"]
        assert [name for name in UPSTREAMS if not found[name]["ok"]] == ["stream"]
        assert found["data api"]["detail"].endswith("answers (v2), without any trade")


async def odd_venue(nursery):
    """Answers, but wrongly: an old clock, a refusal, no v2."""
    row = {
        "proxyWallet": "0x" + "a" * 40, "side": "BUY", "asset": "1", "conditionId": "0x" + "b" * 64, "size": 1,
        "price": 0.5, "timestamp": 1_787_102_287, "transactionHash": "0x" + "c" * 64,
    }  # fmt: skip
    app = Starlette(
        routes=[
            Route("/time", lambda _: JSONResponse(1_700_000_000)),
            Route("/markets", lambda _: JSONResponse({"error": "Trading restricted in your region"}, status_code=403)),
            Route("/trades", lambda _: JSONResponse([row])),
        ]
    )
    serve = partial(serve_asgi, app, host="127.0.0.1", port=0, limits=ServerLimits())
    return f"http://127.0.0.1:{await nursery.start(serve)}"


async def test_wrong_answers_are_told_from_none(database):
    async with trio.open_nursery() as nursery:
        url = await odd_venue(nursery)
        urls = {f"POLYCOPY_VENUE__{name}_URL": url for name in ("CLOB", "GAMMA", "DATA")}
        port = url.rpartition(":")[2]
        found = await doctor(
            {**NOBODY, **urls, "POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_HTTP__PORT": port},
            "--set", "limits.memory_mb=64", "--set", f"writer.spill_bytes_max={1 << 40}",
        )  # fmt: skip
        nursery.cancel_scope.cancel()
    assert "clock of this machine differs by -" in found["clob"]["detail"]
    assert "NTP" in found["clob"]["hint"]
    assert "answered 403" in found["gamma"]["detail"]
    assert "region" in found["gamma"]["hint"]
    assert (found["data api"]["ok"], found["data api"]["detail"]) == (True, f"{url}: answers (v1 only)")
    assert found["http port"]["detail"] == f"127.0.0.1:{port} is taken by another program"
    assert not found["memory"]["ok"]
    assert "may be needed" in found["spill journal"]["detail"]


def test_a_configuration_that_cannot_be_used_is_exit_code_two(own_logging):
    assert invoke("--set", "http.port=no", "doctor").returncode == 2


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_told(host, database, own_logging):
    env = {**NOBODY, "POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_HTTP__PORT": str(free_port())}
    check = by_name(invoke("--set", f"http.host={host}", "doctor", "--json", env=env))["http port"]
    assert not check["ok"]
    assert "cannot be listened on" in check["detail"]
