"""Records of traders out of a file, under the names of `trader_global_stats`."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.replay.lines import csv_lines, json_lines
from protocols.amounts import decimal_from
from protocols.decisions import ProfileRecord, TraderRecord, WindowRecord
from protocols.errors import MalformedError, RejectedError

_WALLET = re.compile("0x[0-9a-f]{40}")
_NAMES = ("win_rate", "resolved_count", "count", "avg_trade_size_usd", "roi")
_KNOWN = {"wallet", "profiles"} | {f"{window}_{name}" for window in ("l", "d30", "d7") for name in _NAMES}


def read_stats(path: Path) -> dict[str, TraderRecord]:
    """Returns records by wallet, of JSON lines or (`.csv`) CSV. Raises `RejectedError` naming every line that is wrong."""
    found, problems = dict[str, TraderRecord](), list[str]()
    for line in csv_lines(path) if path.suffix.lower() == ".csv" else json_lines(path):
        try:
            wallet = str(line.fields.get("wallet")).lower()
            if not _WALLET.fullmatch(wallet):
                raise MalformedError("wallet", wallet[:50])
            if wallet in found:
                raise MalformedError("wallet", f"{wallet} a second time")
            if strange := sorted(set(line.fields) - _KNOWN):
                raise MalformedError("name", f"{', '.join(strange)[:80]} is not known")
            found[wallet] = _record(line.fields)
        except MalformedError as error:
            problems.append(f"line {line.number}: {error}")
    if problems:
        raise RejectedError(f"{path}: " + "; ".join(problems[:20]))
    return found


def _record(fields: Mapping[str, Any]) -> TraderRecord:
    profiles = fields.get("profiles", [])
    if not isinstance(profiles, list) or not all(isinstance(one, dict) for one in profiles):
        raise MalformedError("profiles", "has to be a list of objects")
    lifetime, d30, d7 = (_window(fields, prefix) for prefix in ("l", "d30", "d7"))
    return TraderRecord(lifetime=lifetime, d30=d30, d7=d7, profiles=tuple(_profile(one) for one in profiles))


def _window(fields: Mapping[str, Any], prefix: str) -> WindowRecord:
    return WindowRecord(
        resolved_count=_count(fields, f"{prefix}_resolved_count"),
        win_rate=_number(fields, f"{prefix}_win_rate", 1),
        trade_count=_count(fields, f"{prefix}_count"),
        avg_trade_usd=_number(fields, f"{prefix}_avg_trade_size_usd", None),
        roi=_number(fields, f"{prefix}_roi", None, least=None),
    )


def _profile(fields: Mapping[str, Any]) -> ProfileRecord:
    win_rate = _number(fields, "win_rate", 1)
    names = [fields.get(name) for name in ("niche", "structure", "bracket")]
    if win_rate is None or not all(isinstance(name, str) for name in names):
        raise MalformedError("profiles", "each needs niche, structure, bracket and win_rate")
    niche, structure, bracket = map(str, names)
    count = _count(fields, "resolved_count")
    return ProfileRecord(niche=niche, structure=structure, bracket=bracket, resolved_count=count, win_rate=win_rate)


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = _number(fields, name, None)
    if value is not None and value != value.to_integral_value():
        raise MalformedError(name, "has to be a whole number")
    return 0 if value is None else int(value)


def _number(fields: Mapping[str, Any], name: str, most: int | None, least: int | None = 0) -> Decimal | None:
    if fields.get(name) is None:
        return None
    value = decimal_from(fields[name], name)
    if (least is not None and value < least) or (most is not None and value > most):
        raise MalformedError(name, f"{value} is out of range")
    return value
