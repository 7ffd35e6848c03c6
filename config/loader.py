"""Builds the configuration: command line over environment over file over defaults, every problem reported at once."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from config.describe import settings
from config.field import Rule
from config.schema import EngineConfig, cross_checks
from config.secrets import Secret, read_secret_file

ENVIRONMENT_PREFIX = "POLYCOPY_"
CONFIG_FILE_VARIABLE = "POLYCOPY_CONFIG"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL = "systemd credential"
_FREE_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are lines of `path: what is wrong, what is allowed`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@attrs.frozen
class _Value:
    """A value and where it came from, for error messages."""

    value: Any
    origin: str
    is_text: bool
    """Text of the environment or command line, to be read as the setting's type."""


Values = dict[str, _Value]


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
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    if file is None and environ.get(CONFIG_FILE_VARIABLE):
        file = Path(environ[CONFIG_FILE_VARIABLE])
    values: Values = {}
    if file is not None:
        values |= _file_values(file, problems)
    values |= _credential_values(environ, problems)
    values |= _environment_values(environ)
    values |= {key: _Value(text, "command line", True) for key, text in (overrides or {}).items()}
    config: EngineConfig | None = _build(EngineConfig, "", values, problems)
    for key, value in values.items():
        problems.append(f"{key}: unknown setting ({value.origin})")
    if config is not None and not problems:
        problems.extend(cross_checks(config))
    if problems or config is None:
        raise ConfigError(sorted(problems))
    return config


def _file_values(file: Path, problems: list[str]) -> Values:
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: is not valid TOML: {error}")
        return {}
    return {key: _Value(value, file.name, False) for key, value in _leaves("", tree)}


def _leaves(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            # An empty section says nothing, but its name may be a slip.
            if not value and not any(known.startswith(f"{path}.") for known in _all_paths()):
                yield path, value
            yield from _leaves(f"{path}.", value)
        else:
            yield path, value


def _credential_values(environ: Mapping[str, str], problems: list[str]) -> Values:
    directory = environ.get(CREDENTIALS_VARIABLE)
    if not directory:
        return {}
    try:
        files = sorted(Path(directory).iterdir())
    except FileNotFoundError:
        return {}
    except OSError as error:
        problems.append(f"{CREDENTIALS_VARIABLE}: {directory} cannot be read: {error.strerror}")
        return {}
    known = set(_secret_paths(EngineConfig, ""))
    free = [re.compile(pattern) for pattern in _free_secret_patterns(EngineConfig, "")]
    return {
        f"{f.name}_file": _Value(str(f), CREDENTIAL, False)
        for f in files
        if f.name in known or any(pattern.fullmatch(f.name) for pattern in free)
    }


def _environment_values(environ: Mapping[str, str]) -> Values:
    values = {}
    for name, text in environ.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            values[path] = _Value(text, f"environment {name}", True)
    return values


def _all_paths() -> list[str]:
    return [info.path for info in settings()]


def _secret_paths(cls: type, prefix: str) -> Iterator[str]:
    for field in attrs.fields(cls):
        if field.metadata["kind"] == "secret":
            yield f"{prefix}{field.name}"
        elif field.metadata["kind"] == "section":
            yield from _secret_paths(field.type, f"{prefix}{field.name}.")


def _free_secret_patterns(cls: type, prefix: str) -> Iterator[str]:
    """Yields patterns of secrets in groups whose names the operator chooses."""
    for field in attrs.fields(cls):
        if field.metadata["kind"] == "section":
            yield from _free_secret_patterns(field.type, f"{prefix}{field.name}.")
        elif field.metadata["kind"] == "free_sections":
            for inner in _secret_paths(field.metadata["shape"], ""):
                yield rf"{re.escape(f'{prefix}{field.name}')}\.{_FREE_NAME.pattern}\.{re.escape(inner)}"


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
        if not _FREE_NAME.fullmatch(name):
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
        return read_secret_file(path_of_file, by_service_manager=file_value.origin == CREDENTIAL)
    except ValueError as error:
        problems.append(f"{path}_file: {file_value.value} {error}")
        return None


def _setting(field: Any, path: str, value: _Value, problems: list[str]) -> Any:
    kind: type = field.metadata["type"]
    rule: Rule = field.metadata["rule"]
    converted = _converted(value, kind)
    if converted is None or not rule.check(converted):
        shown = repr(value.value)[:60]
        problems.append(f"{path}: {shown} ({value.origin}) is not allowed; allowed: {rule.allowed}")
        return field.default
    return converted


def _converted(value: _Value, kind: type) -> Any:
    """Returns the value as `kind`, or None when it is of another type."""
    raw = value.value
    if value.is_text and kind is not str:
        raw = _read_text(str(raw).strip(), kind)
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        raw = float(raw) if raw.bit_length() < 64 else None
    if isinstance(raw, float) and raw != raw:
        return None
    return raw if type(raw) is kind else None


def _read_text(text: str, kind: type) -> Any:
    if kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None
