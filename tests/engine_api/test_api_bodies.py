from decimal import Decimal

import pytest
from engine_api.api_server import error_of, route, serving_routes

from engine.api.route import Struct


class Inner(Struct):
    depth_max: int


class Order(Struct):
    size_usd: Decimal
    inner_parts: tuple[Inner, ...] = ()


async def echo_params(call):
    return dict(call.params)


async def echo_body(call):
    return call.body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"sizeUsd": "x"}', "sizeUsd"),
        (b"{}", "sizeUsd"),
        (b'{"sizeUsd": 1, "innerParts": [{"depthMax": 1}, {"depthMax": "2"}]}', "innerParts[1].depthMax"),
        (b'{"sizeUsd": 1, "innerParts": [{}]}', "innerParts[0].depthMax"),
        (b'{"sizeUsd": 1, "innerParts": [{"depthMax": 1, "more": 2}]}', "innerParts[0].more"),
        (b'{"sizeUsd": 1, "size_usd": 2}', "size_usd"),
        (b"[]", "body"),
        (b"null", "body"),
        (b"{", "body"),
        (b'{"sizeUsd": 1}}', "body"),
        (b"\xff", "body"),
        (b'{"sizeUsd": 1, "more": "\xff"}', "more"),
        (b"[" * 10_000, "body"),
        (b"", "body"),
    ],
)
async def test_a_wrong_body_is_named_by_its_field(body, field):
    async with serving_routes(route(echo_body, method="POST", body=Order, answer=Order)) as client:
        refused = await client.ask("POST", "/api/thing", content=body, headers={"Content-Type": "application/json"})
    assert error_of(refused) == (400, "bad_request", field)


async def test_seven_point_zero_is_an_integer_and_decimals_keep_their_digits():
    digits = "0.123456789012345678901"
    body = (
        b'{"sizeUsd": %b, "innerParts": [{"depthMax": 7.0}, {"depthMax": 1e3}, {"depthMax": -0.0}]}' % digits.encode()
    )
    is_json = {"Content-Type": "application/json"}
    async with serving_routes(route(echo_body, method="POST", body=Order, answer=Order)) as client:
        taken = await client.ask("POST", "/api/thing", content=body, headers=is_json)
        assert (
            taken.text == f'{{"sizeUsd":{digits},"innerParts":[{{"depthMax":7}},{{"depthMax":1000}},{{"depthMax":0}}]}}'
        )
        for number in (b"7.5", b"1e400", b"1e999999999", b"1e-999999999", b"1" * 400 + b".0", b"1e" + b"9" * 30):
            refused = await client.ask("POST", "/api/thing", content=body.replace(b"7.0", number), headers=is_json)
            assert refused.status_code == 400, number
            assert error_of(refused)[2] in ("innerParts[0].depthMax", "body"), number


async def test_a_body_has_a_type_and_a_size():
    post = route(echo_body, method="POST", body=dict[str, str], body_bytes_max=100)
    is_json = {"Content-Type": "Application/JSON; charset=utf-8"}

    async def chunks(count):
        for _ in range(count):
            yield b" " * 50

    async with serving_routes(post) as client:
        assert (await client.ask("POST", "/api/thing", content=b'{"a":"b"}', headers=is_json)).json() == {"a": "b"}
        assert (
            await client.ask("POST", "/api/thing", content=b'{"a":"b"}' + b" " * 91, headers=is_json)
        ).status_code == 200
        for content in (b'{"a":"b"}' + b" " * 92, chunks(3), chunks(2_000)):
            refused = await client.ask("POST", "/api/thing", content=content, headers=is_json)
            assert error_of(refused) == (413, "body_too_large", None)
        for headers in ({"Content-Type": "text/plain"}, {}, {"Content-Type": "application/json5"}):
            refused = await client.ask("POST", "/api/thing", content=b'{"a":"b"}', headers=headers)
            assert error_of(refused) == (415, "unsupported_media_type", "content-type")


async def test_a_body_where_none_is_expected():
    async def no_bytes():
        yield b""

    async def some_bytes():
        yield b"x"

    async with serving_routes(route(echo_params, method="DELETE")) as client:
        for content in (b"", no_bytes()):
            assert (await client.ask("DELETE", "/api/thing", content=content)).status_code == 200
        for content in (b"x", some_bytes()):
            assert error_of(await client.ask("DELETE", "/api/thing", content=content)) == (400, "bad_request", "body")
