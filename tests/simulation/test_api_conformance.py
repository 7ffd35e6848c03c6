"""Other people's clients against the running engine: curl, and bytes as the specification has them."""

import json
import shutil
import subprocess

import pytest
import trio
from simulation.api_world import ADMIN, QUIET, api_engine
from simulation.ingest_world import ingest_world

BEARER = f"Authorization: Bearer {ADMIN}"
WALLETS = json.dumps({"wallets": ["0x" + "c" * 40]})
JSON = "Content-Type: application/json"


async def curl(engine, *arguments, path="/api/follows"):
    """Status lines, headers of the last answer, body, and what curl says about its connections."""
    address = f"http://127.0.0.1:{engine.process.port}{path}"
    command = ["curl", "-sS", "-v", "-i", "--max-time", "20", "-H", BEARER, *arguments, address]
    done = await trio.to_thread.run_sync(lambda: subprocess.run(command, capture_output=True, timeout=30))
    assert done.returncode == 0, done.stderr.decode()
    *heads, body = done.stdout.decode().split("\r\n\r\n")
    statuses = [int(head.split()[1]) for head in heads if head.startswith("HTTP/1.1")]
    fields = dict(line.split(": ", 1) for line in heads[-1].splitlines()[1:])
    return statuses, {name.lower(): value for name, value in fields.items()}, body, done.stderr.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_finds_an_ordinary_server(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        again = f"http://127.0.0.1:{engine.process.port}/api/me"
        _, _, body, told = await curl(engine, again)
        assert body.count("}") >= 1
        assert "Re-using existing connection" in told
        assert told.count("Connected to") == 1

        statuses, fields, body, _ = await curl(engine)
        assert statuses == [200]
        assert int(fields["content-length"]) == len(body.encode())
        head_statuses, head_fields, nothing, _ = await curl(engine, "--head")
        assert (head_statuses, nothing) == ([200], "")
        assert {**head_fields, "date": ""} == {**fields, "date": ""}

        for method in ("OPTIONS", "PUT", "PATCH", "TRACE", "BREW"):
            statuses, fields, body, _ = await curl(engine, "-X", method)
            assert statuses == [405 if method != "BREW" else 400], method
            if method != "BREW":
                assert fields["allow"] == "DELETE, GET, HEAD, POST"
        assert (await curl(engine, "-H", f"X-Large: {'x' * 20_000}"))[0] == [431]
        assert (await curl(engine, "-H", "Host: elsewhere.example"))[0][0] in (400, 403, 421)

        chunked = ("-X", "POST", "-H", JSON, "-H", "Transfer-Encoding: chunked", "-d", WALLETS)
        statuses, _, body, _ = await curl(engine, *chunked)
        assert (statuses, json.loads(body)) == ([200], {"changed": 1})
        big = tmp_path / "big.json"
        big.write_text(json.dumps({"wallets": [f"0x{number:040x}" for number in range(10_000)]}))
        expecting = ("-X", "POST", "-H", JSON, "-H", "Expect: 100-continue", "--data-binary", f"@{big}")
        statuses, _, body, _ = await curl(engine, *expecting)
        assert (statuses, json.loads(body)) == ([100, 200], {"changed": 10_000})
        huge = tmp_path / "huge.json"
        huge.write_bytes(b" " * (1 << 20) + WALLETS.encode())
        refused = ("-X", "POST", "-H", JSON, "-H", "Expect: 100-continue", "--data-binary", f"@{huge}")
        statuses, _, body, _ = await curl(engine, *refused)
        assert statuses == [413], "told before the body was sent"
        assert (await curl(engine, "-X", "POST", "-H", "Content-Type: text/plain", "-d", WALLETS))[0] == [415]
        assert (await curl(engine, "-X", "POST", "-H", JSON, "-d", "{"))[0] == [400]
        assert (await curl(engine, "-H", "Connection: close"))[1]["connection"] == "close"


def request(path, *headers, method="GET", body=b""):
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", BEARER, *headers, "", "")
    return "\r\n".join(lines).encode() + body


async def answered(engine, data):
    """Everything that the server sends for some bytes until it closes."""
    stream = await trio.open_tcp_stream("127.0.0.1", engine.process.port)
    received = b""
    async with stream:
        await stream.send_all(data)
        with trio.fail_after(20):
            async for part in stream:
                received += part
    return received


async def test_requests_that_follow_each_other_unasked_are_answered_in_order(database, tmp_path):
    post = {"method": "POST", "body": WALLETS.encode()}
    chunks = {"method": "POST", "body": b"%x\r\n%b\r\n0\r\n\r\n" % (len(WALLETS), WALLETS.encode())}
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, api_engine(world, tmp_path) as engine:
        pipelined = b"".join(
            (
                request("/api/me"),
                request("/api/follows", JSON, f"Content-Length: {len(WALLETS)}", **post),
                request("/api/follows", method="HEAD"),
                request("/api/follows", JSON, "Transfer-Encoding: chunked", **chunks),
                request("/api/nothing"),
                request("/api/follows", "Connection: close"),
            )
        )
        received = await answered(engine, pipelined)
        statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [200, 200, 200, 200, 404, 200]
        assert received.count(b'{"changed":1}') == 1
        assert received.count(b'{"changed":0}') == 1

        both = request("/api/follows", JSON, f"Content-Length: {len(WALLETS)}", "Transfer-Encoding: chunked", **chunks)
        assert (await answered(engine, both)).startswith(b"HTTP/1.1 400 ")
        two_lengths = request("/api/follows", JSON, "Content-Length: 5", "Content-Length: 6", **post)
        assert (await answered(engine, two_lengths)).startswith(b"HTTP/1.1 400 ")
        without_host = f"GET /api/me HTTP/1.1\r\n{BEARER}\r\n\r\n".encode()
        assert (await answered(engine, without_host)).startswith(b"HTTP/1.1 400 ")
        received = await answered(engine, f"GET /api/me HTTP/1.0\r\nHost: localhost\r\n{BEARER}\r\n\r\n".encode())
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b"transfer-encoding" not in received.lower()
        assert (await engine.get("/api/me")).status_code == 200
