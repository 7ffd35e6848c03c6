"""Recorded frames and answers of the venue with every field spoiled: read, or `MalformedError`, and fit for the database."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from protocols.errors import MalformedError
from protocols.venue.clob_account import OwnWallet, read_balance, read_order, read_page
from protocols.venue.clob_orders import error_text, read_cancel_answer, read_order_answer, retry_after_of
from protocols.venue.clob_user import read_user_frame

# The account of the recorded frames.
OWN = OwnWallet("3e2c94ca-8124-c4c1-c7ea-be1ea21b71fe", "0xa3d82ed56f4c68d2328fb8c29e568ba2caf7d7c8")
NASTY = (
    5, -1, None, True, [], {}, "", "NaN", "1e999", "\ud800x", "a\x00b", "9" * 70, [[1]], {"a": 1}, 1.5, 10**20, "T", "-0",
    "0", [None], ["\ud800"], "1E-400", "2024-01-01T00:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "x" * 5_000,
    "-5", "0.0000001", "ROBBERY", 253_402_300_800_000, [{}], [{"order_id": 5}],
)  # fmt: skip
BALANCE = {"balance": "5000000", "allowances": {"0xE1": "7"}}


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a document, however deep."""
    if isinstance(value, dict):
        return [value, *(one for inner in value.values() for one in objects(inner))]
    return [one for inner in value for one in objects(inner)] if isinstance(value, list) else []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


def spoiled(document: dict[str, Any]) -> Iterator[bytes]:
    """The document with one field after the other missing or replaced by each nasty value, and cut off."""
    for *path, last in places(document):
        for nasty in (*NASTY, ...):
            copy = json.loads(json.dumps(document))
            where = copy
            for key in path:
                where = where[key]
            if nasty is not ...:
                where[last] = nasty
            else:
                del where[last]
            yield json.dumps(copy).encode()
    text = json.dumps(document).encode()
    yield from (text[:length] for length in range(0, len(text), 7))
    yield from (b"[" * 500, b'{"a":' * 500, b"\xff\xfe", b"null", b"NaN", b"9" * 5_000, b'"\\ud800"')


def check_storable(value: Any) -> None:
    """Text is UTF-8 without NUL, numbers are finite and of a size that columns hold."""
    if isinstance(value, str):
        assert "\x00" not in value.encode().decode()
        assert len(value) <= 600
    elif isinstance(value, Decimal):
        assert value.is_finite()
        assert 0 <= value < 10**13
    elif isinstance(value, bool) or value is None:
        pass
    elif isinstance(value, int):
        assert 0 <= value < 2**256
    elif isinstance(value, dict):
        check_storable([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for one in value:
            check_storable(one)
    else:
        check_storable([getattr(value, field.name) for field in attrs.fields(type(value))])


def fuzz(documents: list[dict[str, Any]], *readers: Callable[[bytes], Any]) -> Counter[str]:
    results: Counter[str] = Counter()
    for document in documents:
        for data in spoiled(document):
            for read in readers:
                try:
                    check_storable(read(data))
                    results["read"] += 1
                except MalformedError:
                    results["malformed"] += 1
    return results


def payloads(recorded: Path, pattern: str, field: str) -> list[dict[str, Any]]:
    """Every recorded object with such a field."""
    files = sorted((recorded / "payloads").glob(pattern))
    return [one for file in files for one in objects(json.loads(file.read_text())) if field in one]


@pytest.mark.parametrize(("field", "least"), [("taker_order_id", 4), ("associate_trades", 5)])
def test_a_spoiled_frame_of_the_user_socket_is_read_or_malformed(recorded, field, least):
    frames = payloads(recorded, "clob-ws.user*", field)
    assert len(frames) >= least

    def read(data: bytes) -> Any:
        return read_user_frame(data.decode(errors="surrogateescape"), OWN)

    results = fuzz(frames, read)
    assert results["read"] > 1_000
    assert results["malformed"] > 200


def test_a_spoiled_order_trade_or_balance_is_read_or_malformed(recorded):
    [order] = payloads(recorded, "clob-rest.open-order.json", "size_matched")

    def read(data: bytes) -> Any:
        return [read_order(row) for row in read_page(data).rows]

    assert fuzz([{"data": [order], "next_cursor": "MA=="}], read)["read"] > 100
    assert fuzz([BALANCE], read_balance)["malformed"] > 50


@pytest.mark.parametrize(
    ("pattern", "field"),
    [("*post-order-responses*", "orderID"), ("*cancel-response*", "canceled"), ("*restricted-modes*", "error")],
)
def test_a_spoiled_answer_to_a_request_is_read_or_malformed(recorded, pattern, field):
    documents = payloads(recorded, pattern, field)
    assert documents
    assert fuzz(documents, read_order_answer, read_cancel_answer, error_text, retry_after_of)["read"] > 500
