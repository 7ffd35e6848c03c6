"""Recorded answers about accounts with every field spoiled: a page, or an answer that may be better later."""

import json
from decimal import Decimal

import attrs
import pytest
from test_venue_answers import spoiled

from protocols.errors import TransientError
from protocols.venue.activity_rows import decode_activity_v1, decode_activity_v2
from protocols.venue.leaderboard_rows import decode_leaderboard_v1, decode_leaderboard_v2
from protocols.venue.position_rows import decode_closed_v1, decode_closed_v2, decode_held_v1, decode_held_v2

CASES = [
    ("data-api-v1.positions.real.2026-07", decode_held_v1),
    ("data-api-v2.positions.real.2026-09-08", decode_held_v2),
    ("data-api-v1.closed-positions.real.2026-05", decode_closed_v1),
    ("data-api-v2.positions.real.2026-09-08", decode_closed_v2),
    ("data-api-v1.activity.real.2026-07-14", decode_activity_v1),
    ("data-api-v2.activity.real.2026-09-08", decode_activity_v2),
    ("data-api-v1.leaderboard.real.2026-07", decode_leaderboard_v1),
    ("data-api-v2.leaderboard.real.2026-09-08", decode_leaderboard_v2),
]


def check_storable(value):
    """Whatever is read fits the columns it is stored in."""
    if isinstance(value, Decimal):
        assert value.is_finite()
        assert abs(value) < 10**13
        assert value.as_tuple().exponent >= -18
    elif isinstance(value, int) and not isinstance(value, bool):
        assert 0 <= value < 2**63
    elif isinstance(value, str):
        value.encode()
        assert "\x00" not in value
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            check_storable(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            check_storable(one)


def settled(document):
    """A row as of a position that is over."""
    return [row | {"current_size": 0.0} for row in document]


@pytest.mark.parametrize(("name", "decode"), CASES)
def test_a_spoiled_answer_is_a_page_or_transient(recorded, name, decode):
    rows = json.loads((recorded / f"payloads/{name}.json").read_text())[:2]
    rows = settled(rows) if decode is decode_closed_v2 else rows
    is_v2 = "-v2." in name
    document = {"data": rows, "pagination": {"has_more": True, "next_cursor": "abc"}} if is_v2 else {"rows": rows}
    results = {"pages": 0, "transient": 0, "malformed": 0}
    for body in spoiled(document):
        if not is_v2:
            body = body.removeprefix(b'{"rows": ').removesuffix(b"}")
        try:
            page = decode(body)
        except TransientError:
            results["transient"] += 1
            continue
        results["pages"] += 1
        results["malformed"] += page.malformed.total()
        check_storable(attrs.evolve(page, next_cursor=None))
    assert results["pages"] > 200
    assert results["transient"] > 20
    assert results["malformed"] > 20
