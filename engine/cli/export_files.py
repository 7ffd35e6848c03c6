"""Files that `polycopy export` writes: CSV, JSON lines, Parquet. A file appears whole or not at all."""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import click

FORMATS = ("csv", "jsonl", "parquet")
# What a spreadsheet takes for a formula. Names and titles are written by strangers.
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")
NO_PARQUET = "Parquet needs the package pyarrow, which the extra `parquet` installs: pip install 'polycopy[parquet]'"


class Row(Protocol):
    """A record or a dict."""

    def __getitem__(self, name: str, /) -> Any:
        """Returns the value of a column."""
        ...


class RowWriter(Protocol):
    """Takes pages of rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Writes rows."""
        ...

    def close(self) -> None:
        """Writes what is left."""
        ...


@contextmanager
def written_whole(path: Path, file_format: str, columns: Sequence[str]) -> Iterator[RowWriter]:
    """Yields a writer; the file takes its name, and the place of an older one, only when the block ends well.

    Raises `OSError`, and `click.ClickException` when a package is missing.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        writer: RowWriter = _WRITERS[file_format](partial, columns)
        try:
            yield writer
        finally:
            writer.close()
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class CsvWriter:
    """RFC 4180 with a header line. Text that a spreadsheet would run as a formula gets an apostrophe in front.

    JSON lines and Parquet hold every text unchanged.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Opens the file."""
        self._file = path.open("w", encoding="utf-8", newline="")
        self._columns = columns
        self._csv = csv.writer(self._file)
        self._csv.writerow(columns)

    def write(self, rows: Sequence[Row]) -> None:
        """Writes rows."""
        self._csv.writerows([[_cell(row[name]) for name in self._columns] for row in rows])

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class JsonLinesWriter:
    """One JSON object a line. Amounts are texts, so that no reader makes floats of them."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Opens the file."""
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._columns = columns

    def write(self, rows: Sequence[Row]) -> None:
        """Writes rows."""
        for row in rows:
            self._file.write(json.dumps({name: _json_value(row[name]) for name in self._columns}, ensure_ascii=False))
            self._file.write("\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class ParquetWriter:
    """One row group a page, with exact decimals and times in UTC."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Opens the file. Raises `click.ClickException` without pyarrow."""
        try:
            pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        except ImportError:
            raise click.ClickException(NO_PARQUET) from None
        types = {
            "trade_timestamp": pyarrow.timestamp("us", tz="UTC"),
            "lane": pyarrow.int16(),
            "price": pyarrow.decimal128(20, 18),
            "size": pyarrow.decimal128(20, 6),
        }
        self._arrow = pyarrow
        self._schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in columns])
        self._file = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Writes rows."""
        table = self._arrow.Table.from_pylist(
            [{name: row[name] for name in self._schema.names} for row in rows], schema=self._schema
        )
        self._file.write_table(table)

    def close(self) -> None:
        """Writes the end of the file."""
        self._file.close()


_WRITERS: dict[str, Callable[[Path, Sequence[str]], RowWriter]] = {
    "csv": CsvWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
}


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_BEGINS) else value
    return _json_value(value)


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if hasattr(value, "astimezone"):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return format(value, "f")
