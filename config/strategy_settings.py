"""Settings of strategies as documents (JSON, TOML): read with every mistake listed, written so that reading gives the same."""

import enum
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from protocols.errors import MalformedError
from protocols.strategies import Rotation, StrategySettings, TargetMode
from protocols.timestamps import epoch_ms, utc_datetime

_FIELDS = {field.name: field for field in attrs.fields(StrategySettings)}
_WALLET = re.compile("0x[0-9a-f]{40}")
# A number of more digits is no amount; reading it would take for ever.
_DIGITS_MAX = 40


@attrs.frozen
class Problem:
    """One setting that is wrong, and what is allowed."""

    field: str
    message: str


class SettingsError(ValueError):
    """Settings that make no sense; `problems` has every one of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{one.field}: {one.message}" for one in problems))
        self.problems = tuple(problems)


def settings_from(document: Mapping[str, Any], base: StrategySettings | None = None) -> StrategySettings:
    """Returns the settings in a document; what it does not name comes from `base`, else from the defaults.

    Raises `SettingsError` that lists every unknown, malformed and contradictory setting at once.
    """
    values, problems = read_values(document, _FIELDS)
    settings = attrs.evolve(base or StrategySettings(), **values)
    problems += contradictions(settings, {problem.field for problem in problems})
    if problems:
        raise SettingsError(problems)
    return settings


def read_values(
    document: Mapping[str, Any], fields: "Mapping[str, attrs.Attribute[Any]]"
) -> tuple[dict[str, Any], list[Problem]]:
    """Returns the values of a document's settings by name, and what is wrong with the others."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in document.items():
        field = fields.get(name)
        if field is None:
            problems.append(Problem(str(name)[:80], "there is no such setting"))
            continue
        try:
            values[name] = _read(value, field.metadata)
        except ValueError:
            problems.append(Problem(name, f"{_shown(value)} is not allowed; allowed: {field.metadata['allowed']}"))
    return values, problems


def document_of(settings: StrategySettings) -> dict[str, Any]:
    """Returns the settings as JSON values: decimals as texts, times in ISO 8601, None where a gate is off."""
    return written_values(settings, _FIELDS)


def written_values(settings: object, fields: "Mapping[str, attrs.Attribute[Any]]") -> dict[str, Any]:
    """Returns settings as JSON values by name."""
    return {name: _written(getattr(settings, name), field.metadata) for name, field in fields.items()}


def warnings_of(settings: StrategySettings) -> list[str]:
    """Returns what is allowed and probably not meant."""
    warnings = []
    if settings.target_mode is TargetMode.EVERYONE:
        warnings.append("target_mode everyone judges every trade of the platform; on paper only")
    is_list, rotates = settings.target_mode is TargetMode.LIST, settings.rotation is not Rotation.NONE
    if is_list and not settings.target_traders:
        until = " until rotate-pnl-winners has found some" if rotates else ""
        warnings.append(f"target_mode list with no target_traders copies nobody{until}")
    if rotates and not is_list:
        warnings.append("rotation fills target_traders, which only target_mode list looks at")
    if settings.agent_applies and not settings.agent_managed:
        warnings.append("agent_applies does nothing without agent_managed: the tuner does not look at it")
    return warnings


def contradictions(settings: StrategySettings, known: set[str]) -> list[Problem]:
    """Returns what is wrong between settings that are each fine alone; `known` are those that are wrong already."""
    found = []
    for low, high in (
        ("price_min", "price_max"),
        ("min_bet", "max_bet"),
        ("min_trader_win_rate", "max_trader_win_rate"),
        ("min_edge", "max_edge"),
        ("min_conviction", "max_conviction"),
        ("min_original_trade_usd", "max_original_trade_usd"),
    ):
        least, most = getattr(settings, low), getattr(settings, high)
        if least is not None and most is not None and least > most and not known & {low, high}:
            found.append(Problem(low, f"{least} is more than {high}, which is {most}"))
    start, end = settings.start_date, settings.end_date
    if start is not None and end is not None and start >= end and not known & {"start_date", "end_date"}:
        found.append(Problem("start_date", "has to be before end_date"))
    if settings.use_model and settings.model_threshold is None and "model_threshold" not in known:
        found.append(Problem("model_threshold", "is needed with use_model: without it there would be no gate (D49)"))
    return found


def _read(value: Any, rule: Mapping[str, Any]) -> Any:
    """Raises `ValueError` for what the rule does not allow."""
    if value is None or value == "":
        if rule["kind"] == "text":
            return ""
        if rule.get("optional"):
            return None
        if value is None or rule["kind"] not in ("wallets", "words"):
            raise ValueError
    return _READERS[rule["kind"]](value, rule)


def _decimal(value: Any, rule: Mapping[str, Any]) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError
    text = str(value).strip()
    if len(text) > _DIGITS_MAX:
        raise ValueError
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite() or not rule["low"] <= number <= rule["high"]:
        raise ValueError
    if number != round(number, rule["places"]):
        raise ValueError
    # Adding 0 makes minus zero plain.
    return number.quantize(Decimal(1)) + 0 if number == number.to_integral_value() else number.normalize()


def _whole(value: Any, rule: Mapping[str, Any]) -> int:
    number = _decimal(value, {"low": Decimal(rule["low"]), "high": Decimal(rule["high"]), "places": 0})
    return int(number)


def _flag(value: Any, _: Mapping[str, Any]) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError


def _choice(value: Any, rule: Mapping[str, Any]) -> enum.Enum:
    options: type[enum.Enum] = rule["options"]
    return options(value)


def _text(value: Any, rule: Mapping[str, Any]) -> str:
    if not isinstance(value, str) or len(value) > rule["chars_max"] or "\0" in value:
        raise ValueError
    value.encode()  # a lone surrogate is no text that can be kept
    return value


def _wallets(value: Any, rule: Mapping[str, Any]) -> tuple[str, ...]:
    wallets = [text.lower() if isinstance(text, str) else "" for text in _items(value, rule)]
    if not all(_WALLET.fullmatch(wallet) for wallet in wallets):
        raise ValueError
    return tuple(dict.fromkeys(wallets))


def _words(value: Any, rule: Mapping[str, Any]) -> tuple[str, ...]:
    words = [text.strip() if isinstance(text, str) else "" for text in _items(value, rule)]
    if not all(words):
        raise ValueError
    return tuple(dict.fromkeys(_text(word, rule) for word in words))


def _items(value: Any, rule: Mapping[str, Any]) -> Sequence[Any]:
    if isinstance(value, str):
        # As it is given on a command line.
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple) or len(value) > rule["items_max"]:
        raise ValueError
    return value


def _time(value: Any, _: Mapping[str, Any]) -> int:
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    try:
        return epoch_ms(value)
    except MalformedError:
        raise ValueError from None


def _written(value: Any, rule: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    if rule["kind"] == "decimal":
        return format(value.normalize(), "f")
    if rule["kind"] == "time":
        return utc_datetime(value).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, enum.Enum) else value


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return "a number of too many digits"
    return text if len(text) <= 60 else text[:57] + "…"


_READERS: Mapping[str, Any] = {
    "decimal": _decimal,
    "whole": _whole,
    "flag": _flag,
    "choice": _choice,
    "text": _text,
    "wallets": _wallets,
    "words": _words,
    "time": _time,
}
