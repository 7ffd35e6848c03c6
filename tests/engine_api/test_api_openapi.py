import json
import random
from decimal import Decimal

import msgspec
import pytest
from engine_api.api_server import error_of, full_gate, route, serving_routes

from engine.adapters.system_clock import SystemClock
from engine.api.bot_routes import bot_routes
from engine.api.mount import ApiMount
from engine.api.openapi import DOCUMENT_PATH, openapi_document
from engine.api.params import choice, condition_id, pattern, whole
from engine.api.request import decode_body
from engine.api.route import Struct
from engine.api.user_routes import user_routes
from protocols.users import Scope


class Price(Struct):
    price: Decimal
    best_bid: Decimal | None


class Wish(Struct):
    side: str = "BUY"


async def nothing(call):
    return {}


PARAMS = (condition_id(many=100, required=True), choice("side", "a side", "BUY", "SELL", default="BUY"),
          whole("limit", "how many", at_least=1, at_most=9))  # fmt: skip
THING = pattern("thingId", "a thing", "[0-9]+", allowed="digits", in_path=True)
ROUTES = [
    route(nothing, "/api/polymarket/price", answer=Price, params=PARAMS, refusals={404: "there is no such market"}),
    route(nothing, "/api/polymarket/price", method="POST", answer=Price, body=Wish, scope=Scope.TRADE),
    route(nothing, "/api/feed/stream", answer=None, streams=True),
    route(nothing, "/api/things/{thingId}/parts", params=(THING,), scope=None),
    *user_routes(None, None, SystemClock(), random.SystemRandom()),
    *bot_routes(None),
]


@pytest.fixture(scope="module")
def document():
    return json.loads(openapi_document(ROUTES))


def test_it_is_a_valid_document(document):
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    validator.validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_route_is_described_with_what_it_refuses(document):
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == len(ROUTES)
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    error = {"$ref": "#/components/schemas/ErrorBody"}
    for operation in operations:
        assert {"200", "400", "401", "429", "503"} <= set(operation["responses"])
        refusals = [response for status, response in operation["responses"].items() if status != "200"]
        assert all(response["content"]["application/json"]["schema"] == error for response in refusals)
        assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
        assert "Retry-After" in operation["responses"]["429"]["headers"]
    assert {"403", "413", "415"} <= set(document["paths"]["/api/tokens"]["post"]["responses"])
    assert "404" in document["paths"]["/api/things/{thingId}/parts"]["get"]["responses"]
    assert "403" not in document["paths"]["/api/me"]["get"]["responses"]


def test_a_refusal_may_list_several_fields(document):
    schemas = document["components"]["schemas"]
    problems = schemas["ErrorDetail"]["properties"]["problems"]
    assert {"type": "null"} in problems["anyOf"]
    assert set(schemas["FieldProblem"]["required"]) == {"field", "message"}


def test_settings_of_strategies_are_described_as_an_object_of_their_own(document):
    change = document["paths"]["/api/ft/wallets/{walletId}/settings"]["patch"]
    assert {"403", "404", "409", "413"} <= set(change["responses"])
    changed = document["components"]["schemas"]["ChangedSettings"]
    assert changed["properties"]["settings"]["type"] == "object"
    assert "snake_case" in changed["properties"]["settings"]["description"]
    assert changed["required"] == ["settings"]


def test_money_is_a_number_and_a_stream_is_a_stream(document):
    price = document["components"]["schemas"]["Price"]["properties"]
    assert price["price"] == {"type": "number"}
    assert {"type": "number"} in price["bestBid"]["anyOf"]
    stream = document["paths"]["/api/feed/stream"]["get"]["responses"]["200"]["content"]
    assert set(stream) == {"text/event-stream"}


def test_parameters_say_what_is_allowed(document):
    many, side, limit = document["paths"]["/api/polymarket/price"]["get"]["parameters"]
    assert (many["schema"]["type"], many["schema"]["maxItems"], many["schema"]["minItems"]) == ("array", 100, 1)
    assert many["required"]
    assert side["schema"] == {"type": "string", "enum": ["BUY", "SELL"], "default": "BUY"}
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 9}
    (thing,) = document["paths"]["/api/things/{thingId}/parts"]["get"]["parameters"]
    assert (thing["in"], thing["required"]) == ("path", True)


def test_scopes_are_told(document):
    price = document["paths"]["/api/polymarket/price"]
    assert price["get"]["security"] == [{"bearer": ["read"]}, {"session": ["read"]}]
    assert price["post"]["security"] == [{"bearer": ["trade"]}, {"session": ["trade"]}]
    assert document["paths"]["/api/me"]["get"]["security"] == [{"bearer": []}, {"session": []}]


async def test_it_is_served_without_a_token():
    async with serving_routes(*ROUTES) as client:
        served = await client.get(DOCUMENT_PATH, token=None)
        assert served.headers["content-type"] == "application/json"
        assert served.content == openapi_document(ROUTES)
        assert (await client.ask("HEAD", DOCUMENT_PATH, token=None)).status_code == 200
        refused = await client.ask("POST", DOCUMENT_PATH)
        assert error_of(refused) == (405, "method_not_allowed", None)
        assert refused.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "routes",
    [
        [route(nothing), route(nothing)],
        [route(nothing, "/elsewhere")],
        [route(nothing, "/api/things/{thingId}")],
        [route(nothing, "/api/things", params=(THING,))],
    ],
)
def test_routes_that_contradict_are_not_installed(routes):
    with pytest.raises(ValueError, match="/"):
        ApiMount().install(routes, full_gate())


def test_a_body_of_every_schema_is_what_the_decoder_takes(document):
    schema = document["components"]["schemas"]["NewToken"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"name", "scopes"}
    body = b'{"name": "a", "scopes": ["read"], "expiresInDays": 7.0, "userName": null}'
    (new_token,) = [one.body for one in ROUTES if one.path == "/api/tokens" and one.body is not None]
    assert decode_body(msgspec.json.Decoder(new_token), body).expires_in_days == 7
