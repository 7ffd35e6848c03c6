"""What a configuration file said before each change, kept beside it, so that changes can be undone one after the other."""

import contextlib
from pathlib import Path

import attrs
import msgspec

from config.config_file import ConfigFile, replace, sync_directory, version_of

KEPT_MAX = 20
_MODE = 0o600
_Shown = bool | int | float | str | None


class ChangedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One setting in the file; None where it did not stand there, or does not any more."""

    path: str
    before: _Shown
    after: _Shown


class PastChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the file, with the whole text before it."""

    at_ms: int
    by: str
    changes: tuple[ChangedKey, ...]
    text_before: str
    version_after: str

    @property
    def version_before(self) -> str:
        """Returns the version of the text before it."""
        return version_of(self.text_before)


@attrs.frozen
class ChangeHistory:
    """The last changes of one file. Written under the file's lock, before the file itself."""

    file: ConfigFile

    def newest_first(self, version: str) -> list[PastChange]:
        """Returns what is kept and was made, where the file has this version; what cannot be read is left out."""
        never_made = len(self._never_made(version))
        return [change for _, change in self._entries()][never_made:]

    def add(self, change: PastChange) -> None:
        """Keeps a change that is about to be made; the oldest of too many goes. Raises `ConfigFileError`."""
        for never_made in self._never_made(change.version_before):
            never_made.unlink(missing_ok=True)
        entries = self._names()
        number = int(entries[-1].stem) + 1 if entries else 1
        path = self.file.history_dir / f"{number:08}.json"
        # Whoever writes: what root's commands keep must not shut out the engine's user.
        replace(path, msgspec.json.encode(change), owner=self.file.history_dir.stat(), mode=_MODE)
        for old in entries[: max(0, len(entries) + 1 - KEPT_MAX)]:
            old.unlink(missing_ok=True)

    def last_made(self, version: str) -> PastChange | None:
        """Returns the change that led to this version of the file, or None when none of those kept did."""
        last = next(iter(self.newest_first(version)), None)
        return last if last is not None and last.version_after == version else None

    def forget_back_to(self, change: PastChange) -> None:
        """Drops a change, and newer ones."""
        for path, kept in self._entries():
            path.unlink(missing_ok=True)
            if kept == change:
                break
        sync_directory(self.file.history_dir)

    def _never_made(self, version: str) -> list[Path]:
        """Changes that were written down and not made, since their writer was killed in between, or not taken out again."""
        found = []
        for path, change in self._entries():
            if change.version_after == version or change.version_before != version:
                break
            found.append(path)
        return found

    def _names(self) -> list[Path]:
        try:
            found = self.file.history_dir.glob("*.json")
            return sorted(path for path in found if path.stem.isdecimal())
        except OSError:
            return []

    def _entries(self) -> list[tuple[Path, PastChange]]:
        entries = []
        for path in reversed(self._names()):
            with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
                entries.append((path, msgspec.json.decode(path.read_bytes(), type=PastChange)))
        return entries
