"""Every read route while the venue refuses all connections: nothing but a price may be missing."""

import json
import re

import trio
from simulation.api_world import ADMIN, QUIET, api_engine, traders
from simulation.ingest_world import ingest_world

from engine.runtime.market_rides import SHOWN_PATIENCE_S

MAY_ASK = {"/api/polymarket/price", "/api/polymarket/price/stream", "/api/polymarket/book"}
"""Whoever misses a price or a book asks the venue, and nobody else does."""
LIVE_ONLY = {"/api/lt/trace/{traceId}", "/api/polymarket/orders/open", "/api/polymarket/orders/{orderId}/status"}
"""Answered by an engine that trades live, which this one does not: it says so."""
MADE_ELSEWHERE = {"/api/ft/plans/{planId}", "/api/admin/models/{modelId}", "/api/tuner/proposals/{proposalId}"}
"""Of things that a process of its own makes; the walk makes none."""
ANSWER_MAX_S = 6
SURFACES = ("rtds", "clob_ws", "clob", "gamma", "data")
UNKNOWN = {"conditionId": "0x" + "f" * 64, "slug": "no-such-market", "token": "1" * 60}


def plausible(parameter, known):
    """Values that a client may send for a parameter; the document says what the others are like."""
    name, schema = parameter["name"], parameter["schema"]
    schema = schema.get("items", schema)
    if name in known:
        return [known[name], *([UNKNOWN[name]] if name in UNKNOWN else [])]
    if "enum" in schema:
        return schema["enum"]
    if schema["type"] == "integer":
        return [schema["minimum"], schema["maximum"]]
    return []


def variants(operation, known):
    """Parameters of requests: none but the needed ones, and each of the others once."""
    parameters = operation.get("parameters", ())
    needed = {one["name"]: plausible(one, known)[0] for one in parameters if one["required"]}
    yield needed
    for one in parameters:
        for value in plausible(one, known):
            yield {**needed, one["name"]: value}
            if one["name"] not in UNKNOWN and "conditionId" in {other["name"] for other in parameters}:
                yield {**needed, one["name"]: value, "conditionId": known["conditionId"]}


async def asked(engine, path, params, streams):
    """Status and first bytes of one read."""
    names = re.findall(r"{(\w+)}", path)
    address = path.format(**{name: params[name] for name in names})
    query = {name: value for name, value in params.items() if name not in names}
    if not streams:
        response = await engine.get(address, params=query, timeout=30)
        return response.status_code, response.text
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with engine.http.stream("GET", address, params=query, headers=headers, timeout=30) as response:
        return response.status_code, ""


async def calls(engine):
    """Requests of the engine to the APIs that serve markets and prices, answered or not."""
    text = (await engine.http.get("/metrics")).text
    lines = re.findall(r'^polycopy_upstream_requests_total{api="(?:gamma|clob)".*} (\S+)$', text, re.MULTILINE)
    return sum(map(float, lines))


async def until_nothing_waits(engine):
    """Questions that wait for a place in somebody else's call go by themselves when their patience ends."""
    before = -1.0
    while (now := await calls(engine)) != before:
        before = now
        await trio.sleep(SHOWN_PATIENCE_S + 1)


async def refuse_everything(world):
    for surface in SURFACES:
        await world.fault("refuse", surface=surface, duration_s=90)
    await world.fault("reset")
    await world.fault("http_5xx")  # for connections that are open


async def known_things(world, engine):
    """A market with its tokens that the engine has learned, and what else a request may name."""
    with trio.fail_after(20):
        while not (
            rows := await world.fetch(
                "SELECT condition_id, market_slug, token_id FROM markets JOIN market_tokens USING (condition_id) LIMIT 1"
            )
        ):
            await trio.sleep(0.1)
    trades = (await engine.done("GET", "/api/v2/feed/trades", limit=1))["trades"]
    [job, *_] = (await engine.done("GET", "/api/admin/jobs"))["jobs"]
    cursor = (await engine.done("GET", "/api/v2/feed/trades", limit=1))["nextCursor"]
    # Paused: what a strategy copies asks the venue for markets.
    await engine.done("POST", "/api/ft/wallets", {"walletId": "WALK", "settings": {"is_active": False}})
    live = {"strategyId": "LT_WALK", "ftWalletId": "WALK", "account": "main", "capitalUsd": "100"}
    await engine.done("POST", "/api/lt/strategies", live)
    return {
        "conditionId": rows[0]["condition_id"],
        "slug": rows[0]["market_slug"],
        "token": rows[0]["token_id"],
        "wallet": trades[0]["traderWallet"],
        "cursor": cursor,
        "since": "2026-01-01T00:00:00Z",
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-12-31T00:00:00Z",
        "walletId": "WALK",
        "tradeId": trades[0]["tradeId"],
        "name": job["name"],
        "user": "admin",
        "userName": "admin",
        "after": "a",
        "account": "main",
        "strategyId": "LT_WALK",
        "orderId": "00000000-0000-4000-8000-000000000000",
        "traceId": trades[0]["tradeId"],
        "sessionId": "00000000-0000-4000-8000-000000000000",
        "planId": "0123456789abcdef",
        "modelId": "1",
        "proposalId": "1",
    }


async def test_no_read_calls_out_but_for_a_price(database, tmp_path):
    settings = {"jobs.markets-refresh.enabled": "false", "live.accounts.main.key_file": str(tmp_path / "no key")}
    async with (
        ingest_world(database, tmp_path / "spill", **{**QUIET, "rate_scale": 8}) as world,
        api_engine(world, tmp_path, **settings) as engine,
    ):
        await engine.process.until_ready()
        wallets = await traders(world, 30)
        await engine.done("POST", "/api/follows", {"wallets": wallets})
        await trio.sleep(0.5)
        await world.post("/play", action="resume")
        with trio.fail_after(20):
            while len((await engine.done("GET", "/api/v2/feed/trades", limit=5))["trades"]) < 5:
                await trio.sleep(0.1)
        await world.post("/play", action="pause")
        known = await known_things(world, engine)
        await until_nothing_waits(engine)
        await refuse_everything(world)

        document = json.loads((await engine.get("/api/openapi.json", token=None)).text)
        walked = 0
        for path, methods in sorted(document["paths"].items(), key=lambda item: item[0] in MAY_ASK):
            if "get" not in methods:
                continue
            streams = "text/event-stream" in methods["get"]["responses"]["200"]["content"]
            before = await calls(engine)
            succeeded = 0
            for params in variants(methods["get"], known):
                began_s = trio.current_time()
                status, text = await asked(engine, path, params, streams)
                took_s = trio.current_time() - began_s
                told = f"{path} {params}: {status} {text[:300]} after {took_s:.1f} s"
                assert took_s < ANSWER_MAX_S, told
                assert status < 500 or (status == 503 and path in MAY_ASK | LIVE_ONLY), told
                walked += 1
                succeeded += status == 200
            if path not in MAY_ASK:
                assert succeeded or path in LIVE_ONLY | MADE_ELSEWHERE, f"{path}: no request of the walk was right"
                assert await calls(engine) == before, f"{path} called the venue"
        assert walked > 60
        assert (await engine.done("GET", "/api/me"))["userName"] == "admin"
        _, state = await engine.process.readyz()
        assert set(state["actors"].values()) == {"up"}
