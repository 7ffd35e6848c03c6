"""Text for a terminal: nothing from elsewhere may drive it, and listings stay readable in a pipe."""

import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import click

CELL_CHARS_MAX = 200
_GAP = "  "
_ERASE_LINE = "\r\x1b[K"


def plain(text: object, chars_max: int = CELL_CHARS_MAX) -> str:
    """Returns `text` cut to `chars_max`, with control and invisible characters replaced by `?`.

    Names and titles are written by strangers: an escape sequence in one must not reach the terminal.
    """
    shown = "".join(c if c.isprintable() else "?" for c in str(text)[: chars_max + 1])
    return shown if len(shown) <= chars_max else shown[: chars_max - 1] + "…"


def table_lines(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Collection[int] = ()) -> list[str]:
    """Returns rows under headings, one line a row whatever its length; the columns numbered in `right` end together."""
    cells = [[plain(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [headings, *cells]) for i in range(len(headings))]
    return [
        _GAP.join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [headings, *cells]
    ]


def echo_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Collection[int] = ()) -> None:
    """Prints `table_lines`."""
    click.echo("\n".join(table_lines(headings, rows, right=right)))


def fits_terminal(lines: Sequence[str]) -> bool:
    """Whether no line is longer than the terminal is wide; a pipe takes lines of any length."""
    return not sys.stdout.isatty() or max(map(len, lines)) <= _terminal_columns()


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Shows on standard error what takes so long, and takes it away afterwards; only on a terminal."""
    show_passing(f"{text} …")
    try:
        yield
    finally:
        show_passing("")


def show_passing(text: str) -> None:
    """Replaces the passing line on standard error; nothing in a pipe."""
    if sys.stderr.isatty():
        click.echo(_ERASE_LINE + plain(text, _terminal_columns() - 1), nl=False, err=True)


def _terminal_columns() -> int:
    return shutil.get_terminal_size().columns
