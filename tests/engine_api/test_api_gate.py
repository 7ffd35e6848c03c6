import json
import logging

import pytest
import trio
from engine_api.api_server import PLENTY, TOKEN, error_of, gate_of, principal, route, serving_routes
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from config.http import HttpConfig
from engine.api.errors import ApiError
from engine.api.gate import Gate, rates_of
from engine.api.request_rate import RateLimit
from engine.api.route import Rate
from protocols.users import Scope

ADDRESS = "203.0.113.7"


def status_of(gate, authorization, *, address=ADDRESS, scope=None, rate=Rate.READ):
    try:
        gate.admit(authorization, address, scope, rate)
    except ApiError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer{TOKEN}",
     f"Bearer {TOKEN},", f"Bearer {TOKEN} {TOKEN}", f"Token {TOKEN}", "Bearer \xff\xfe", "Bearer " + "x" * 8_000],
)  # fmt: skip
async def test_every_wrong_token_gets_the_same_answer(authorization, caplog):
    async def handler(call):
        return {}

    caplog.set_level(logging.DEBUG)
    async with serving_routes(route(handler)) as client:
        missing = await client.get("/api/thing", token=None)
        wrong = await client.get("/api/thing", token=None, headers={"Authorization": authorization.encode("latin-1")})
        also = await client.get("/api/thing?x=1", token="pcy_" + "b" * 43)
    assert error_of(missing) == (401, "unauthorized", None)
    assert missing.headers["www-authenticate"] == "Bearer"
    assert missing.content == wrong.content == also.content
    assert missing.headers == wrong.headers == also.headers
    assert TOKEN not in caplog.text


async def test_the_scheme_is_told_in_any_case_and_one_token_only():
    async def handler(call):
        return {"ok": 1}

    async with serving_routes(route(handler)) as client:
        for scheme in ("Bearer", "bearer", "BEARER "):
            asked = await client.get("/api/thing", token=None, headers={"Authorization": f"{scheme} {TOKEN}"})
            assert asked.status_code == 200
        twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
        assert (await client.http.get("/api/thing", headers=twice)).status_code == 401
        # Defect D82: no header and no cookie opens the door.
        bypass = {
            "x-v2-public": "1",
            "Cookie": f"token={TOKEN}",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-User": "ann",
        }
        assert (await client.get("/api/thing", token=None, headers=bypass)).status_code == 401


@pytest.mark.parametrize(
    "held", [(Scope.READ,), (Scope.TRADE,), (Scope.ADMIN,), (Scope.READ, Scope.TRADE), tuple(Scope)]
)
def test_a_scope_includes_no_other(held):
    async def main():
        gate = gate_of({TOKEN: principal(*held)})
        for scope in (*Scope, None):
            expected = 200 if scope is None or scope in held else 403
            assert status_of(gate, f"Bearer {TOKEN}".encode(), scope=scope) == expected

    trio.run(main)


async def test_a_missing_scope_is_named():
    async def handler(call):
        return {}

    gate = gate_of({TOKEN: principal(Scope.READ)})
    async with serving_routes(route(handler, scope=Scope.TRADE), gate=gate) as client:
        refused = await client.get("/api/thing")
    assert error_of(refused)[:2] == (403, "forbidden")
    assert "trade" in refused.json()["error"]["message"]


async def test_each_token_and_class_has_a_limit_of_its_own(autojump_clock):
    other = "pcy_" + "c" * 43
    tokens = {TOKEN: principal(*Scope), other: principal(*Scope, token_id="t2")}
    gate = gate_of(tokens, rates={Rate.READ: 3, Rate.CHANGE: 1, Rate.ADMIN: 2})

    def count(token, rate):
        return [status_of(gate, f"Bearer {token}".encode(), rate=rate) for _ in range(5)].count(200)

    assert [count(token, rate) for token in tokens for rate in Rate] == [3, 1, 2, 3, 1, 2]
    await trio.sleep(20)
    assert count(TOKEN, Rate.READ) == 1
    await trio.sleep(59)
    assert count(TOKEN, Rate.READ) == 2
    gate.set_rates({Rate.READ: 600, Rate.CHANGE: 1, Rate.ADMIN: 2})
    await trio.sleep(1)
    assert count(TOKEN, Rate.READ) == 5


async def test_too_many_calls_are_told_when_to_come_back():
    async def handler(call):
        return {}

    gate = gate_of({TOKEN: principal(Scope.READ)}, rates={**PLENTY, Rate.READ: 2})
    async with serving_routes(route(handler), gate=gate) as client:
        statuses = [(await client.get("/api/thing")).status_code for _ in range(2)]
        refused = await client.get("/api/thing")
    assert statuses == [200, 200]
    assert error_of(refused) == (429, "too_many_requests", None)
    assert 29 <= int(refused.headers["retry-after"]) <= 30


async def test_failures_are_limited_for_each_address_and_never_shut_out_a_valid_token(autojump_clock):
    gate = gate_of({TOKEN: principal(Scope.READ)}, failures_per_minute=3)
    statuses = [status_of(gate, b"Bearer x") for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert status_of(gate, b"Bearer x", address="203.0.113.8") == 401
    assert status_of(gate, f"Bearer {TOKEN}".encode()) == 200
    await trio.sleep(20)
    assert [status_of(gate, None) for _ in range(2)] == [401, 429]


async def test_one_network_of_ipv6_is_one_client(autojump_clock):
    gate = gate_of({}, failures_per_minute=1)
    addresses = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8:0:1::1",
        "::ffff:203.0.113.9",
        "203.0.113.9",
        "unix",
        "fe80::1%eth0",
    ]
    statuses = [status_of(gate, None, address=address) for address in addresses]
    assert statuses == [401, 429, 401, 401, 429, 401, 401]


def test_an_attacker_with_many_addresses_fills_no_memory():
    async def main():
        limit = RateLimit(per_minute=2, keys_max=10)
        held = [limit.take(f"first-{number}") for number in range(10)]
        assert held == [0.0] * 10
        others = [limit.take(f"other-{number}") for number in range(1_000)]
        assert others.count(0.0) == 2  # all further ones share a bucket
        assert len(limit._full_at_s) == 11
        assert limit.take("first-3") == 0.0
        await trio.sleep(60)
        assert limit.take("new") == 0.0
        assert len(limit._full_at_s) == 1

    trio.run(main, clock=MockClock(autojump_threshold=0))


@given(st.integers(1, 100), st.lists(st.floats(0, 30), max_size=200))
def test_the_limit_is_a_bucket_that_fills_in_a_minute(per_minute, pauses_s):
    async def main():
        limit = RateLimit(per_minute=per_minute)
        tokens, before_s = float(per_minute), trio.current_time()
        for pause_s in pauses_s:
            await trio.sleep(pause_s)
            now_s = trio.current_time()
            tokens = min(per_minute, tokens + (now_s - before_s) * per_minute / 60)
            before_s = now_s
            wait_s = limit.take("key")
            if abs(tokens - 1) < 1e-4:  # a hair's breadth: both are right
                tokens -= 0 if wait_s else 1
            elif tokens >= 1:
                assert wait_s == 0
                tokens -= 1
            else:
                assert wait_s == pytest.approx((1 - tokens) * 60 / per_minute, abs=1e-3)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_rates_come_from_the_settings():
    config = HttpConfig(reads_per_minute=1, changes_per_minute=2, admin_per_minute=3)
    assert rates_of(config) == {Rate.READ: 1, Rate.CHANGE: 2, Rate.ADMIN: 3}


def test_a_gate_shows_no_token():
    gate = gate_of({TOKEN: principal(Scope.READ)})
    assert isinstance(gate, Gate)
    assert "a" * 40 not in repr(gate) + json.dumps(repr(gate.rates))
