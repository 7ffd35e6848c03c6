"""The page of every setting: `polycopy config schema --markdown > config/REFERENCE.md`."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from config.describe import SettingInfo, free_settings, settings
from config.schema import EngineConfig
from config.secrets import Secret
from config.sections import section_meaning

_HEAD = """# Every setting

Made from the schema by `polycopy config schema --markdown > config/REFERENCE.md`; do not edit it. How a value is given,
which one wins and where secrets go: [README.md](README.md).

- **Unit** follows from the end of the name. `-` means a plain count, a word or a text.
- **Change**: *live* settings follow SIGHUP or `POST /api/admin/reload` at once; *restart* ones wait for the next start.
- `NAME` stands for one of the names listed, or, with `live.accounts` and `notify.channels`, for one of your choice.
- The environment variable of a setting is `POLYCOPY_` and its path in capitals, with two underscores for a point: `http.port`
  is `POLYCOPY_HTTP__PORT`.
- A secret is not written into the file. The file names a file of its own, `KEY_file`; the environment takes the value itself.
"""
_COLUMNS = "| key | type | default | allowed | unit | change | what it does |\n|---|---|---|---|---|---|---|"
_UNITS = (
    ("_per_minute", "calls a minute"),
    ("_per_s", "calls a second"),
    ("_bytes_max", "bytes"),
    ("_ms", "ms"),
    ("_s", "s"),
    ("_mb", "MB"),
    ("_ratio", "ratio"),
    ("_days", "days"),
    ("_rows", "rows"),
)
KINDS = {float: "number", int: "whole number", bool: "true or false", str: "text", Secret: "secret"}
_ORDERS_PER_S = "orders_per_s"


def reference_page() -> str:
    """Returns the page: a table a section, groups of one shape (channels, jobs, accounts) as one table."""
    known = [*settings(), *(info for _, info in free_settings())]
    sections = [(path, list(found)) for path, found in groupby(known, lambda info: info.path.rpartition(".")[0])]
    parts = [_HEAD]
    for head, group in groupby(sections, lambda section: _shared(section[0])):
        parts.append(f"## {head}\n\n{section_meaning(EngineConfig, head)}\n")
        found = list(group)
        parts.append(_varied(found) if len(found) > 1 else _table(found[0][1]))
    return "\n".join(parts)


def unit_of(name: str) -> str:
    """Returns the unit that the end of a setting's name says, or `-`."""
    if name == _ORDERS_PER_S:
        return "orders a second"
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "-")


def _shared(path: str) -> str:
    """`jobs.retention` and `jobs.cold-poll` are one heading, `jobs.NAME`."""
    head = path.partition(".")[0]
    return f"{head}.NAME" if head in ("jobs", "channels") else path


def _table(found: Sequence[SettingInfo]) -> str:
    return "\n".join([_COLUMNS, *(_row(info, info.path, _default(info)) for info in found), ""])


def _varied(sections: Sequence[tuple[str, Sequence[SettingInfo]]]) -> str:
    """One table of the keys, and one of what differs by name."""
    first = sections[0][1]
    rows = []
    for place, info in enumerate(first):
        values = {_default(found[place]) for _, found in sections}
        key = f"{_shared(info.path.rpartition('.')[0])}.{_name(info)}"
        rows.append(_row(info, key, values.pop() if len(values) == 1 else "see below"))
    varying = [place for place in range(len(first)) if len({_default(found[place]) for _, found in sections}) > 1]
    heads = [_name(first[place]) for place in varying]
    lines = [_COLUMNS, *rows, "", f"| name | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += list(_defaults(sections, varying))
    return "\n".join([*lines, ""])


def _defaults(sections: Sequence[tuple[str, Sequence[SettingInfo]]], varying: Sequence[int]) -> Iterator[str]:
    for path, found in sections:
        values = (_default(found[place]) for place in varying)
        yield f"| `{path}` | {' | '.join(values)} |"


def _row(info: SettingInfo, key: str, default: str) -> str:
    change = "restart" if info.restart else "live"
    cells = (f"`{key}`", KINDS[info.kind], default, _cell(info.allowed), unit_of(_name(info)), change, _cell(info.doc))
    return f"| {' | '.join(cells)} |"


def _name(info: SettingInfo) -> str:
    return info.path.rpartition(".")[2]


def _default(info: SettingInfo) -> str:
    value = info.default
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return "empty" if value == "" else f"`{value}`" if isinstance(value, str) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<name>_file", "`KEY_file`")
