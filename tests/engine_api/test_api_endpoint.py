import logging
from decimal import Decimal

import pytest
import trio
from engine_api.api_server import TOKEN, error_of, route, serving_routes
from starlette.responses import StreamingResponse

from engine.api.errors import ApiError, not_found
from engine.api.params import choice, condition_id, pattern, whole
from engine.api.route import Struct
from protocols.errors import TransientError

SECURITY = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}


class Inner(Struct):
    depth_max: int


class Order(Struct):
    size_usd: Decimal
    inner_parts: tuple[Inner, ...] = ()


async def echo_params(call):
    return dict(call.params)


def is_secured(response):
    assert response.headers.items() >= SECURITY.items()
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return True


async def test_an_answer_is_json_with_all_digits():
    async def handler(call):
        return Order(size_usd=Decimal("0.123456789012345678"), inner_parts=(Inner(depth_max=1),))

    async with serving_routes(route(handler, answer=Order)) as client:
        answer = await client.get("/api/thing")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == '{"sizeUsd":0.123456789012345678,"innerParts":[{"depthMax":1}]}'
    assert is_secured(answer)


async def test_bytes_are_sent_as_they_are():
    async def handler(call):
        return b'{"a": 1 }'

    async with serving_routes(route(handler)) as client:
        assert (await client.get("/api/thing")).text == '{"a": 1 }'


async def test_head_is_a_get_without_a_body():
    async def handler(call):
        return {"a": 1}

    async with serving_routes(route(handler)) as client:
        head = await client.ask("HEAD", "/api/thing")
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "7")
        assert is_secured(head)
        assert (await client.ask("HEAD", "/api/thing", token=None)).status_code == 401
        assert (await client.get("/api/thing")).json() == {"a": 1}


async def test_another_method_is_told_which_there_are():
    routes = [route(echo_params), route(echo_params, method="POST", body=Inner)]
    thing = pattern("thingId", "a thing", "[0-9]+", allowed="digits", in_path=True)
    routes.append(route(echo_params, "/api/things/{thingId}", method="DELETE", params=(thing,)))
    async with serving_routes(*routes) as client:
        for method in ("DELETE", "OPTIONS", "PUT", "TRACE"):
            refused = await client.ask(method, "/api/thing")
            assert error_of(refused) == (405, "method_not_allowed", None)
            assert refused.headers["allow"] == "GET, HEAD, POST"
            assert is_secured(refused)
        assert (await client.get("/api/things/7")).headers["allow"] == "DELETE"
        assert (await client.ask("DELETE", "/api/things/7")).json() == {"thingId": "7"}
        assert error_of(await client.ask("DELETE", "/api/things/x")) == (400, "bad_request", "thingId")
        assert error_of(await client.ask("DELETE", "/api/things/7?thingId=8")) == (400, "bad_request", "thingId")


@pytest.mark.parametrize(
    "path", ["/api/", "/api/thing/", "/api/nothing", "/api/things/1/2", "/api/things/1%2F2", "/api//thing"]
)
async def test_a_path_that_is_not_there(path):
    thing = pattern("thingId", "a thing", "[0-9]+", allowed="digits", in_path=True)
    async with serving_routes(
        route(echo_params), route(echo_params, "/api/things/{thingId}", params=(thing,))
    ) as client:
        refused = await client.get(path)
    assert error_of(refused) == (404, "not_found", None)
    assert is_secured(refused)


async def test_parameters_are_strict():
    params = (
        whole("limit", "how many", at_least=1, at_most=100, default=50),
        choice("side", "which side", "BUY", "SELL"),
        condition_id(many=2),
    )
    one, two = "0x" + "a" * 64, "0x" + "B" * 62
    async with serving_routes(route(echo_params, params=params)) as client:
        assert (await client.get("/api/thing")).json() == {"limit": 50, "side": None, "conditionId": []}
        found = await client.get(f"/api/thing?conditionId={one}&limit=7&conditionId={two}&side=BUY")
        assert found.json() == {"limit": 7, "side": "BUY", "conditionId": [one, two.lower()]}
        for query, field in {
            "limit=0": "limit",
            "limit=1&limit=2": "limit",
            "limit": "limit",
            "limit=": "limit",
            "limit=1.0": "limit",
            "limit=%31%00": "limit",
            "Limit=1": "Limit",
            "side=buy": "side",
            f"conditionId={one}&conditionId={one}&conditionId={one}": "conditionId",
            f"conditionId={one[:-1]}": "conditionId",
            "userid=1": "userid",
            "%3Cscript%3E=1": "<script>",
            "a;limit=1": "a;limit",
            "limit=%ff": None,
            "&".join(["limit=1"] * 1_001): None,
        }.items():
            assert error_of(await client.get(f"/api/thing?{query}")) == (400, "bad_request", field), query
        assert (await client.get("/api/thing?&%6Cimit=%37&")).json()["limit"] == 7


@pytest.mark.parametrize("in_group", [False, True])
async def test_what_a_handler_raises(in_group, caplog):
    errors = {
        "/api/refuse": not_found("unknown_market", "there is no such market"),
        "/api/wait": ApiError(429, "slowly", "slowly", None, 1.2),
        "/api/weather": TransientError("57P01: terminating connection of secret-host"),
        "/api/defect": ZeroDivisionError("secret-detail"),
    }

    def raising(error):
        async def handler(call):
            if not in_group:
                raise error
            async with trio.open_nursery():
                raise error

        return handler

    caplog.set_level(logging.INFO)
    async with serving_routes(*(route(raising(error), path) for path, error in errors.items())) as client:
        answers = {path: await client.get(path) for path in errors}
        again = await client.get("/api/weather")
    assert error_of(answers["/api/refuse"]) == (404, "unknown_market", None)
    assert error_of(answers["/api/wait"]) == (429, "slowly", None)
    assert answers["/api/wait"].headers["retry-after"] == "2"
    assert error_of(answers["/api/weather"]) == error_of(again) == (503, "unavailable", None)
    assert answers["/api/weather"].headers["retry-after"] == "1"
    assert error_of(answers["/api/defect"]) == (500, "internal_error", None)
    assert not any("secret" in answer.text for answer in answers.values())
    assert all(map(is_secured, answers.values()))
    failed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.message for record in failed] == ["request failed"]
    assert "ZeroDivisionError" in str(failed[0].exc_info)
    assert TOKEN not in caplog.text
    weather = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(weather) == 1


async def test_a_value_that_cannot_be_encoded_is_a_failure(caplog):
    async def handler(call):
        return object()

    async with serving_routes(route(handler)) as client:
        assert error_of(await client.get("/api/thing")) == (500, "internal_error", None)


async def test_an_event_stream_is_passed_on():
    left = trio.Event()

    async def events():
        try:
            yield b"data: 1\n\n"
            yield b"data: 2\n\n"
            await trio.sleep_forever()
        finally:
            left.set()

    async def handler(call):
        return StreamingResponse(events(), media_type="text/event-stream")

    async with serving_routes(route(handler, streams=True, answer=None)) as client:
        with trio.fail_after(5):
            async with await trio.open_tcp_stream("127.0.0.1", client.port) as stream:
                await stream.send_all(
                    f"GET /api/thing HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
                )
                received = b""
                while b"data: 2\n\n" not in received:
                    received += await stream.receive_some()
            await left.wait()
            assert (await client.ask("HEAD", "/api/thing")).content == b""
    head = received.partition(b"\r\n\r\n")[0].lower()
    assert b"content-type: text/event-stream" in head
    assert all(f"{name}: {value}".encode() in head for name, value in SECURITY.items())


async def test_a_handler_sees_headers_but_no_credential():
    seen = {}

    async def handler(call):
        seen.update(call.headers)
        assert call.headers.get("authorization") is None
        assert "cookie" not in call.headers
        assert len(call.headers) == len(seen)
        assert TOKEN not in repr(call)
        return {"last": int(call.headers["last-event-id"])}

    async with serving_routes(route(handler)) as client:
        asked = await client.get("/api/thing", headers={"Last-Event-ID": "7", "Cookie": "session=1"})
    assert asked.json() == {"last": 7}
    assert "host" in seen
    assert not {"authorization", "cookie"} & set(seen)
