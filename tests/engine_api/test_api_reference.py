import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import engine.api
from engine.api.schema_words import title_of, type_words
from engine.api_reference import described_routes, reference_page
from engine.cli.main import main

PAGE = Path(engine.api.__file__).with_name("REFERENCE.md")
ROUTES = described_routes()


def sections():
    parts = re.split(r"^### ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part for part in parts}


def test_the_page_is_the_routes_written_down():
    # polycopy openapi --markdown > engine/api/REFERENCE.md
    assert PAGE.read_text() == reference_page(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_there_with_its_scope_and_parameters(route):
    section = sections()[f"{route.method} {route.path}"]
    assert route.summary.rstrip(".") in section
    assert f"Scope: {route.scope.value if route.scope else 'any'}." in section
    for param in route.params:
        assert f"`{param.name}`" in section
    assert ("Body: " in section) == (route.body is not None)


@pytest.mark.parametrize("arguments", [[], ["--markdown"]])
def test_the_command_prints_the_document_or_the_page(arguments):
    result = CliRunner().invoke(main, ["openapi", *arguments])
    assert result.exit_code == 0
    if arguments:
        assert result.output == PAGE.read_text()
    else:
        assert len(json.loads(result.output)["paths"]) == len({route.path for route in ROUTES})


def test_every_heading_is_there_once():
    headings = re.findall(r"^#+ (.*)$", PAGE.read_text(), flags=re.MULTILINE)
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "#/components/schemas/Feed"}, "[Feed](#feed)"),
        ({"$ref": "#/components/schemas/engine.api.x_routes.Page"}, "[x_routes.Page](#x_routespage)"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or null"),
        ({"enum": ["BUY", "SELL"], "default": "BUY"}, "`BUY` or `SELL`, default `BUY`"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 3}, "list of string, at most 3"),
        ({"type": "array"}, "list"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer, at least 1, at most 9"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({}, "anything"),
    ],
)
def test_a_schema_in_words(schema, words):
    assert type_words(schema) == words


def test_a_shape_that_several_modules_have_is_named_with_its_module():
    assert title_of("engine.api.trader_routes.PositionPage") == "trader_routes.PositionPage"
    assert title_of("PositionPage") == "PositionPage"
