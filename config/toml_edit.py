"""Changes single settings in the text of a TOML file; comments, order and formatting of all else stay.

No way of editing is trusted: each is tried in turn, and the first one whose text reads as the old values with just this
change is taken.
"""

import contextlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

TomlValue = bool | int | float | str
Tree = dict[str, Any]
_HEADER = re.compile(r"\s*\[\s*([\w.\-\s]+?)\s*\]\s*(#.*)?")
_ENTRY = re.compile(r"\s*[\w.\-]+\s*=")


class TomlEditError(Exception):
    """The text has a form that cannot be edited without risk to what else it says."""


def edited(text: str, changes: Mapping[str, TomlValue | None]) -> str:
    """Returns the text with each `section.key` set to its value; None removes it.

    Raises `tomllib.TOMLDecodeError` for a text that is no TOML, and `TomlEditError`.
    """
    for path, value in changes.items():
        steps = path.split(".")
        before = tomllib.loads(text)
        wanted = _with(before, steps, value)
        if wanted != before or type(_at(before, steps)) is not type(value):
            text = _first_right(text, steps, value, wanted)
    return text


def value_at(text: str, path: str) -> Any:
    """Returns what a text says of `section.key`, or None where it says nothing."""
    return _at(tomllib.loads(text), path.split("."))


def _first_right(text: str, steps: list[str], value: TomlValue | None, wanted: Tree) -> str:
    for way in (_replaced, _inserted, _assigned, _appended):
        for candidate in way(text, steps, value):
            with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeEncodeError):
                candidate.encode()
                if _same(tomllib.loads(candidate), wanted):
                    return candidate
    raise TomlEditError(f"{'.'.join(steps)} cannot be set in a file of this form; change it by hand")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        # What a removal leaves of a table says nothing.
        return all(_same(one.get(name, {}), other.get(name, {})) for name in one.keys() | other.keys())
    return one == other and type(one) is type(other)


def _at(tree: Any, steps: list[str]) -> Any:
    for step in steps:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def _with(tree: Tree, steps: list[str], value: TomlValue | None) -> Tree:
    head, *rest = steps
    changed = dict(tree)
    if rest:
        below = tree.get(head, {})
        if not isinstance(below, dict):
            raise TomlEditError(f"{head} is no table")
        changed[head] = _with(below, rest, value)
    elif value is None:
        changed.pop(head, None)
    else:
        changed[head] = value
    return changed


def _replaced(text: str, steps: list[str], value: TomlValue | None) -> Iterator[str]:
    """Where the key stands already: its value changes, the comment behind it stays."""
    if _at(tomllib.loads(text), steps) is not None:
        yield from _by_tomlkit(text, steps, lambda table, name: _set(table, name, value))


def _assigned(text: str, steps: list[str], value: TomlValue | None) -> Iterator[str]:
    """Where it does not, but the table above it is an inline or dotted one."""
    yield from _by_tomlkit(text, steps, lambda table, name: _set(table, name, value))


def _by_tomlkit(text: str, steps: list[str], change: Callable[[Any, str], None]) -> Iterator[str]:
    import tomlkit  # only when a file is edited
    from tomlkit.exceptions import TOMLKitError
    from tomlkit.items import InlineTable

    # An older parser: whatever it stumbles over is a way that does not lead there, and the result is checked.
    with contextlib.suppress(TOMLKitError, KeyError, TypeError, ValueError, AttributeError, IndexError):
        document = tomlkit.parse(text)
        table: Any = document
        for place, step in enumerate(steps[:-1]):
            if step not in table:
                is_inline = isinstance(table, InlineTable)
                table[step] = tomlkit.inline_table() if is_inline else tomlkit.table(place < len(steps) - 2)
            table = table[step]
        change(table, steps[-1])
        yield _with_newlines_of(text, tomlkit.dumps(document))


def _set(table: Any, name: str, value: TomlValue | None) -> None:
    if value is None:
        del table[name]
    else:
        table[name] = value


def _inserted(text: str, steps: list[str], value: TomlValue | None) -> Iterator[str]:
    """A new line in the section that has a header: below the line that shows the default, or below its last entry."""
    section, name = ".".join(steps[:-1]), steps[-1]
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    headers = [number for number, line in enumerate(lines) if line.lstrip().startswith("[")]
    for start in headers:
        match = _HEADER.fullmatch(lines[start].rstrip("\r\n"))
        if match is None or re.sub(r"\s", "", match[1]) != section:
            continue
        end = next((number for number in headers if number > start), len(lines))
        body = range(start + 1, end)
        shown = [n for n in body if re.match(rf"\s*#\s*{re.escape(name)}\s*=", lines[n])]
        entries = [n for n in body if _ENTRY.match(lines[n])]
        for after in (*shown[-1:], *entries[-1:], start):
            newline = "\r\n" if lines[after].endswith("\r\n") else "\n"
            line = lines[after].rstrip("\r\n") + newline
            yield "".join([*lines[:after], line, _entry(name, value) + newline, *lines[after + 1 :]])


def _appended(text: str, steps: list[str], value: TomlValue | None) -> Iterator[str]:
    """A new section at the end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    yield f"{text}{gap}[{'.'.join(steps[:-1])}]{newline}{_entry(steps[-1], value)}{newline}"


def _entry(name: str, value: TomlValue | None) -> str:
    import tomlkit

    return f"{name} = {tomlkit.item(value).as_string()}" if value is not None else ""


def _with_newlines_of(text: str, changed: str) -> str:
    """Lines that are new end as the old ones do; a file that mixes both keeps its mixture."""
    if "\r\n" in text and not re.search(r"(?<!\r)\n", text):
        return re.sub(r"(?<!\r)\n", "\r\n", changed)
    return changed
