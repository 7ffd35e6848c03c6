"""Lines of JSON or CSV with their numbers, for files that people write."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from protocols.errors import RejectedError


@attrs.frozen
class Line:
    """One object of a file."""

    number: int
    fields: dict[str, Any]


def json_lines(path: Path) -> Iterator[Line]:
    """Yields the objects of a file (`.gz` too). Raises `RejectedError` naming the line that is none."""
    for number, text in _texts(path):
        if not text.strip():
            continue
        try:
            fields = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise RejectedError(f"{path}: line {number}: {error}") from None
        if not isinstance(fields, dict):
            raise RejectedError(f"{path}: line {number}: no JSON object")
        yield Line(number, fields)


def csv_lines(path: Path) -> Iterator[Line]:
    """Yields the rows under the heading of a file; empty cells are left out. Raises `RejectedError`."""
    reader = csv.DictReader(text for _, text in _texts(path))
    try:
        for row in reader:
            if None in row:
                raise RejectedError(f"{path}: line {reader.line_num}: more cells than headings")
            yield Line(reader.line_num, {name: value for name, value in row.items() if value not in ("", None)})
    except csv.Error as error:
        raise RejectedError(f"{path}: line {reader.line_num}: {error}") from None


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            yield from enumerate(file, 1)
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        raise RejectedError(f"{path}: {error}") from None
