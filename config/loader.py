"""Builds the configuration: command line over environment over file over defaults, every problem reported at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from config.field import Rule
from config.schema import EngineConfig, cross_checks
from config.secrets import Secret, read_secret_file
from config.sources import CONFIG_FILE_VARIABLE, FREE_NAME, ConfigInputs, Source, Value, Values


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are lines of `path: what is wrong, what is allowed`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_config(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> EngineConfig:
    """Returns the validated configuration.

    `file` falls back to `POLYCOPY_CONFIG`; without either, only defaults, environment and `overrides`
    (`section.key` → text) count. Raises `ConfigError` with every problem found.
    """
    return load(ConfigInputs.of(file, environ, overrides))


def load(inputs: ConfigInputs, text: str | None = None) -> EngineConfig:
    """Returns the validated configuration, with `text` in place of what is in the file.

    Raises `ConfigError` with every problem found.
    """
    problems: list[str] = []
    values = inputs.values(problems, text)
    config: EngineConfig | None = _build(EngineConfig, "", values, problems)
    for key, value in values.items():
        problems.append(f"{key}: unknown setting ({value.origin})")
    if config is not None and not problems:
        problems.extend(cross_checks(config))
    if problems or config is None:
        raise ConfigError(sorted(problems))
    return config


def _build(cls: type, prefix: str, values: Values, problems: list[str]) -> Any:
    """Builds an attrs class, taking what it knows out of `values`; None when a part of it was refused."""
    arguments: dict[str, Any] = {}
    count = len(problems)
    for field in attrs.fields(cls):
        path = f"{prefix}{field.name}"
        kind = field.metadata["kind"]
        if kind == "section":
            arguments[field.name] = _build(field.type, f"{path}.", values, problems)
        elif kind == "named_sections":
            arguments[field.name] = _named(field, path, values, problems)
        elif kind == "free_sections":
            arguments[field.name] = _free(field, path, values, problems)
        elif kind == "secret":
            arguments[field.name] = _secret(path, values, problems)
        elif path in values:
            arguments[field.name] = _setting(field, path, values.pop(path), problems)
    return cls(**arguments) if len(problems) == count else None


def _named(field: Any, path: str, values: Values, problems: list[str]) -> dict[str, Any]:
    """Groups with names of their own: known names only, since each belongs to a part of the engine."""
    sections = {}
    for name, default in field.default.factory().items():
        changes: dict[str, Any] = {}
        for inner in attrs.fields(type(default)):
            inner_path = f"{path}.{name}.{inner.name}"
            if inner_path in values:
                changes[inner.name] = _setting(inner, inner_path, values.pop(inner_path), problems)
        sections[name] = attrs.evolve(default, **changes)
    return sections


def _free(field: Any, path: str, values: Values, problems: list[str]) -> dict[str, Any]:
    """Groups under names of the operator's choice."""
    names = dict.fromkeys(key[len(path) + 1 :].rpartition(".")[0] for key in values if key.startswith(f"{path}."))
    sections = {}
    for name in names:
        if not FREE_NAME.fullmatch(name):
            problems.append(f"{path}.{name}: a name has 1 to 40 lower-case letters, digits, - or _")
        sections[name] = _build(field.metadata["shape"], f"{path}.{name}.", values, problems)
    return sections


def _secret(path: str, values: Values, problems: list[str]) -> Secret | None:
    file_value = values.pop(f"{path}_file", None)
    direct = values.pop(path, None)
    if direct is not None:
        if not direct.is_text:
            problems.append(f"{path}: a secret is not written into the file; use {path}_file or the environment")
            return None
        return Secret(str(direct.value)) if direct.value else None
    if file_value is None or file_value.value == "":
        return None
    if not isinstance(file_value.value, str):
        problems.append(f"{path}_file: must be a path")
        return None
    try:
        path_of_file = Path(file_value.value).expanduser()
        return read_secret_file(path_of_file, by_service_manager=file_value.source is Source.CREDENTIAL)
    except ValueError as error:
        problems.append(f"{path}_file: {file_value.value} {error}")
        return None


def _setting(field: Any, path: str, value: Value, problems: list[str]) -> Any:
    kind: type = field.metadata["type"]
    rule: Rule = field.metadata["rule"]
    converted = _converted(value, kind)
    if converted is None or not rule.check(converted):
        shown = repr(value.value)[:60]
        problems.append(f"{path}: {shown} ({value.origin}) is not allowed; allowed: {rule.allowed}")
        return field.default
    return converted


def _converted(value: Value, kind: type) -> Any:
    """Returns the value as `kind`, or None when it is of another type."""
    raw = value.value
    if value.is_text and kind is not str:
        raw = read_text(str(raw).strip(), kind)
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        raw = float(raw) if raw.bit_length() < 64 else None
    if isinstance(raw, float) and raw != raw:
        return None
    return raw if type(raw) is kind else None


def read_text(text: str, kind: type) -> Any:
    """Returns what a text of the environment or command line means as `kind`, or None when it means nothing."""
    if kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None


__all__ = ["CONFIG_FILE_VARIABLE", "ConfigError", "load", "load_config", "read_text"]
