"""Strategies as TOML files: `[bots.NAME]` tables with the settings that differ from the defaults."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from config.strategy_settings import Problem, SettingsError, document_of, settings_from
from protocols.strategies import WALLET_ID_PATTERN, StrategySettings

BYTES_MAX = 16 << 20
_NAME = re.compile(WALLET_ID_PATTERN, re.ASCII)
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KINDS = {field.name: field.metadata["kind"] for field in attrs.fields(StrategySettings)}


@attrs.frozen
class BotEntry:
    """One strategy of a file: its name, and what the file says of it."""

    wallet_id: str
    document: Mapping[str, Any]

    def settings(self, base: StrategySettings | None = None) -> StrategySettings:
        """Returns its settings; what the file does not name comes from `base`. Raises `SettingsError`."""
        try:
            return settings_from(self.document, base)
        except SettingsError as error:
            raise SettingsError(
                [Problem(f"{self.wallet_id}.{one.field}", one.message) for one in error.problems]
            ) from None


def entries_from_toml(text: str) -> list[BotEntry]:
    """Returns the strategies of a file in its order. Raises `SettingsError`; mistakes of TOML name line and column."""
    try:
        document = tomllib.loads(text, parse_float=_number)
    except (ValueError, RecursionError) as error:  # ValueError also for integers of thousands of digits
        raise SettingsError([Problem("file", str(error))]) from None
    bots = document.pop("bots", {})
    problems = [Problem(name, "only tables [bots.NAME] are known") for name in document]
    if not isinstance(bots, dict) or not all(isinstance(table, dict) for table in bots.values()):
        raise SettingsError([*problems, Problem("bots", "has to hold tables, [bots.NAME]")])
    problems += [
        Problem(f"bots.{name[:80]}", "a name has 1 to 64 letters, digits and _ . -, and begins with a letter or digit")
        for name in bots
        if not _NAME.fullmatch(name)
    ]
    if not problems and not bots:
        problems = [Problem("bots", "the file names no strategy; write [bots.NAME] and its settings below")]
    if problems:
        raise SettingsError(problems)
    return [BotEntry(name, table) for name, table in bots.items()]


def settings_of_entries(
    entries: Iterable[BotEntry], bases: Mapping[str, StrategySettings] | None = None
) -> list[tuple[str, StrategySettings]]:
    """Returns names with settings. Raises `SettingsError` with the mistakes of all entries."""
    found, problems = [], list[Problem]()
    for entry in entries:
        try:
            found.append((entry.wallet_id, entry.settings((bases or {}).get(entry.wallet_id))))
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return found


def bots_to_toml(bots: Iterable[tuple[str, StrategySettings]]) -> str:
    """Returns a file that reads back as these strategies, whatever they have become meanwhile: it names every setting."""
    tables = []
    for wallet_id, settings in bots:
        name = wallet_id if _BARE.fullmatch(wallet_id) else json.dumps(wallet_id)
        lines = [f"[bots.{name}]"]
        lines += [f"{field} = {_toml(field, value)}" for field, value in document_of(settings).items()]
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def _toml(field: str, value: Any) -> str:
    if value is None:
        # TOML knows no null; an empty text switches a gate off.
        return '""'
    if _KINDS[field] == "decimal":
        return str(value)
    if _KINDS[field] == "time":
        return str(value)
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return _text(value)


def _text(value: str) -> str:
    # A JSON text is a basic string of TOML. What cannot be seen is escaped: TOML wants it of DEL, and a file is also shown on
    # terminals, which obey some of it.
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(value, ensure_ascii=False))


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise tomllib.TOMLDecodeError(f"{text[:40]} is no number") from None
