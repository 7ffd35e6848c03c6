"""Changes settings in the configuration's file, all or none, and puts back what it said before."""

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Never

import attrs

from config.change_history import ChangedKey, ChangeHistory, PastChange
from config.config_file import ConfigFile, ConfigFileError, StoredText, version_of
from config.describe import SettingInfo, settings_of
from config.loader import ConfigError, load
from config.schema import EngineConfig
from config.sources import ConfigInputs, Values, leaves
from config.toml_edit import TomlEditError, TomlValue, edited
from config.tuning import why_fixed, why_overruled

NO_FILE = (
    "no_config_file",
    "no configuration file was named, so none is read: start with --config FILE, or POLYCOPY_CONFIG=FILE",
)
CHANGED_SINCE = "changed_since", "the file was changed since it was read; read it again"
NOTHING_TO_UNDO = "nothing_to_undo", "no change that is kept led to what the file says now, so none can be undone"


class EditRefusedError(Exception):
    """Nothing was changed; `problems` are pairs of setting and what is wrong with it."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems))
        self.problems = problems


class EditConflictError(Exception):
    """Nothing was changed: the file is not as its editor thinks; the text says how, `code` in one word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen(kw_only=True)
class Edit:
    """What a change or its undoing did to the file."""

    changes: tuple[ChangedKey, ...]
    """Empty when the file said so already; then it was not touched."""
    version: str
    """Of the file now."""
    created: bool = False


@attrs.frozen(kw_only=True)
class ConfigEditor:
    """Edits the file of `inputs`. Everything here waits for the disk; call it from a thread.

    With `by_hand` all settings but secrets can be changed, else those that `why_fixed` lets go.
    """

    inputs: ConfigInputs
    now_ms: Callable[[], int]
    by_hand: bool = False

    @property
    def file(self) -> ConfigFile | None:
        """Returns the file that would be written; None when none was named."""
        return None if self.inputs.file is None else ConfigFile(self.inputs.file)

    def history(self) -> list[PastChange]:
        """Returns the changes that are kept, newest first. Raises `ConfigFileError`."""
        file = self.file
        return [] if file is None else ChangeHistory(file).newest_first(file.read().version)

    def known(self) -> dict[str, SettingInfo]:
        """Returns every setting by its path, with those under names that the file chose. Raises `ConfigFileError`."""
        return self._known("" if self.file is None else self.file.read().text)

    def can_undo(self) -> bool:
        """Returns whether a change that is kept led to what the file says now. Raises `ConfigFileError`."""
        file = self.file
        return file is not None and ChangeHistory(file).last_made(file.read().version) is not None

    def change(self, changes: Mapping[str, TomlValue | None], *, by: str, version: str | None = None) -> Edit:
        """Sets settings in the file, all of them or none; None takes one out, so that its default counts.

        `version` is that of the file as the asker knows it. Raises `EditRefusedError` with everything that is wrong,
        `EditConflictError` when the file has another version or none was named, and `ConfigFileError`.
        """
        file = self._file()
        with file.locked():
            stored = file.read()
            if version is not None and version != stored.version:
                raise EditConflictError(*CHANGED_SINCE)
            after = self._checked(stored, changes)
            return self._write(file, stored, after, by)

    def undo(self, *, by: str, version: str | None = None) -> Edit:
        """Puts back what the file said before the last change that is kept; again, the one before that.

        Raises as `change` does; `EditConflictError` also when somebody else has changed the file since.
        """
        file = self._file()
        with file.locked():
            stored, history = file.read(), ChangeHistory(file)
            if version is not None and version != stored.version:
                raise EditConflictError(*CHANGED_SINCE)
            last = history.last_made(stored.version)
            if last is None:
                raise EditConflictError(*NOTHING_TO_UNDO)
            changes = _differences(stored.text, last.text_before)
            known = self._known(stored.text)
            fixed = [(one.path, self._why_fixed(known.get(one.path))) for one in changes]
            if problems := [(path, reason) for path, reason in fixed if reason]:
                raise EditRefusedError(problems)
            self._load(last.text_before)
            file.write(last.text_before)
            history.forget_back_to(last)
            return Edit(changes=changes, version=last.version_before)

    def _file(self) -> ConfigFile:
        if self.file is None:
            raise EditConflictError(*NO_FILE)
        return self.file

    def _write(self, file: ConfigFile, stored: StoredText, after: str, by: str) -> Edit:
        if after == stored.text:
            return Edit(changes=(), version=stored.version)
        changes, version = _differences(stored.text, after), version_of(after)
        past = PastChange(at_ms=self.now_ms(), by=by, changes=changes, text_before=stored.text, version_after=version)
        ChangeHistory(file).add(past)
        file.write(after)
        return Edit(changes=changes, version=version, created=not stored.exists)

    def _checked(self, stored: StoredText, changes: Mapping[str, TomlValue | None]) -> str:
        """Returns the new text, which the loader takes."""
        known = self._known(stored.text)
        values = self.inputs.values([], stored.text)
        refused = {path: reason for path in changes if (reason := self._why_not(known.get(path), values))}
        wanted = {path: _typed(value, known[path]) for path, value in changes.items() if path not in refused}
        problems = list(refused.items())
        try:
            after = edited(stored.text, wanted)
        except (TomlEditError, tomllib.TOMLDecodeError) as error:
            problems.append(("file", str(error)))
        else:
            try:
                self._load(after)
            except EditRefusedError as error:
                problems += error.problems
        if problems:
            raise EditRefusedError(problems)
        return after

    def _known(self, text: str) -> dict[str, SettingInfo]:
        try:
            config = load(self.inputs, text)
        except ConfigError:
            # Names that the operator chose are not known then; the errors are told when the new text is read.
            config = EngineConfig()
        return {info.path: info for info, _ in settings_of(config)}

    def _why_not(self, info: SettingInfo | None, values: Values) -> str | None:
        return self._why_fixed(info) or (None if info is None else why_overruled(info, values))

    def _why_fixed(self, info: SettingInfo | None) -> str | None:
        if info is None:
            return "unknown setting"
        if info.is_secret:
            return "a secret is not written into the file; put it into a file of its own and name that"
        return None if self.by_hand else why_fixed(info)

    def _load(self, text: str) -> EngineConfig:
        try:
            return load(self.inputs, text)
        except ConfigError as error:
            _refuse(error)


def _refuse(error: ConfigError) -> Never:
    parts = [problem.partition(": ") for problem in error.problems]
    raise EditRefusedError([(path, reason) for path, _, reason in parts]) from None


def _typed(value: TomlValue | None, info: SettingInfo) -> TomlValue | None:
    """JSON has one kind of number only."""
    return int(value) if info.kind is int and isinstance(value, float) and value.is_integer() else value


def _differences(before: str, after: str) -> tuple[ChangedKey, ...]:
    was, now = (dict(leaves("", tomllib.loads(text))) for text in (before, after))
    return tuple(
        ChangedKey(path=path, before=_plain(was.get(path)), after=_plain(now.get(path)))
        for path in was | now
        if was.get(path) != now.get(path) and not (was.get(path, {}) == now.get(path, {}) == {})
    )


def _plain(value: Any) -> bool | int | float | str | None:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


__all__ = ["ConfigEditor", "ConfigFileError", "Edit", "EditConflictError", "EditRefusedError"]
