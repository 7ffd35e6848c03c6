"""Where the values of a configuration come from: file, credentials, environment, command line, each with its origin."""

import enum
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from config.describe import settings
from config.schema import EngineConfig

ENVIRONMENT_PREFIX = "POLYCOPY_"
CONFIG_FILE_VARIABLE = "POLYCOPY_CONFIG"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
FREE_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")


class Source(enum.StrEnum):
    """What kind of place a value came from; a later one of these beats an earlier one."""

    DEFAULT = "default"
    FILE = "file"
    CREDENTIAL = "systemd credential"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@attrs.frozen
class Value:
    """A value and where it came from."""

    value: Any = attrs.field(repr=False)
    source: Source
    place: str = ""
    """The file's path, the variable's name; empty for the command line."""

    @property
    def is_text(self) -> bool:
        """Whether it is text, to be read as the setting's type."""
        return self.source in (Source.ENVIRONMENT, Source.COMMAND_LINE)

    @property
    def origin(self) -> str:
        """Returns the place in the words of error messages."""
        if self.source is Source.FILE:
            return Path(self.place).name
        return f"{self.source} {self.place}" if self.source is Source.ENVIRONMENT else self.source.value


Values = dict[str, Value]
"""By `section.key`."""


@attrs.frozen(kw_only=True)
class ConfigInputs:
    """All that a configuration is read from. `file` is None when none was named; then none is read."""

    file: Path | None
    environ: Mapping[str, str] = attrs.field(repr=False)
    overrides: Mapping[str, str] = attrs.field(repr=False)
    """Of the command line: `section.key` → text."""

    @classmethod
    def of(
        cls,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> "ConfigInputs":
        """Returns the inputs of this process, except for what is given. `file` falls back to `POLYCOPY_CONFIG`."""
        environ = os.environ if environ is None else environ
        if file is None and environ.get(CONFIG_FILE_VARIABLE):
            file = Path(environ[CONFIG_FILE_VARIABLE])
        return cls(file=file, environ=environ, overrides=overrides or {})

    def values(self, problems: list[str], text: str | None = None) -> Values:
        """Returns what each place says, the strongest place winning; adds what cannot be read at all to `problems`.

        `text` stands for what is in the file.
        """
        values: Values = {}
        if self.file is not None:
            values |= _file_values(self.file, text, problems)
        values |= _credential_values(self.environ, problems)
        values |= _environment_values(self.environ)
        values |= {key: Value(text, Source.COMMAND_LINE) for key, text in self.overrides.items()}
        return values


def leaves(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields path and value of everything in a TOML document that is no table."""
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            # An empty section says nothing, but its name may be a slip.
            if not value and not any(known.startswith(f"{path}.") for known in _all_paths()):
                yield path, value
            yield from leaves(f"{path}.", value)
        else:
            yield path, value


def _file_values(file: Path, text: str | None, problems: list[str]) -> Values:
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8") if text is None else text)
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: is not valid TOML: {error}")
        return {}
    return {key: Value(value, Source.FILE, str(file)) for key, value in leaves("", tree)}


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
        f"{f.name}_file": Value(str(f), Source.CREDENTIAL, str(f))
        for f in files
        if f.name in known or any(pattern.fullmatch(f.name) for pattern in free)
    }


def _environment_values(environ: Mapping[str, str]) -> Values:
    values = {}
    for name, text in environ.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            values[path] = Value(text, Source.ENVIRONMENT, name)
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
                yield rf"{re.escape(f'{prefix}{field.name}')}\.{FREE_NAME.pattern}\.{re.escape(inner)}"
