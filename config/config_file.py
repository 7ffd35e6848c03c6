"""The file of the configuration on disk: read with a version, replaced as a whole or not at all, by one writer at a time."""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

FILE_BYTES_MAX = 1_000_000
NEW_FILE_MODE = 0o644
LOCK_TRIES = 60
LOCK_PAUSE_S = 0.05


class ConfigFileError(Exception):
    """The file cannot be read or written; the text says why, for an operator."""


class ConfigFileBusyError(ConfigFileError):
    """Somebody else is writing, and does not come to an end."""


@attrs.frozen(kw_only=True)
class StoredText:
    """What a file says. One that is not there says nothing."""

    text: str
    exists: bool

    @property
    def version(self) -> str:
        """Returns 64 hex digits that name exactly this text."""
        return version_of(self.text)


def version_of(text: str) -> str:
    """Returns the SHA-256 of a text as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen
class ConfigFile:
    """A file by the path that was named; behind a symbolic link, the file at its end."""

    named: Path

    @property
    def path(self) -> Path:
        """Returns where it really is. A link stays a link: what it points at is replaced."""
        try:
            return self.named.resolve()
        except (OSError, RuntimeError) as error:
            raise ConfigFileError(f"{self.named} cannot be followed: {error}") from None

    @property
    def history_dir(self) -> Path:
        """Returns the directory beside it that keeps what it said before."""
        return self.path.with_name(f"{self.path.name}.history")

    def read(self) -> StoredText:
        """Returns what it says. Raises `ConfigFileError` for what is no file, too long or no text."""
        path = self.path
        try:
            # Looked at first: opening a pipe would wait for whoever writes into it.
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise ConfigFileError(f"{path} is no regular file")
            if found.st_size > FILE_BYTES_MAX:
                raise ConfigFileError(f"{path} has more than {FILE_BYTES_MAX} bytes")
            return StoredText(text=path.read_bytes().decode(), exists=True)
        except FileNotFoundError:
            return StoredText(text="", exists=False)
        except OSError as error:
            raise ConfigFileError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigFileError(f"{path} is not UTF-8 text") from None

    def why_not_writable(self) -> str | None:
        """Returns why it cannot be changed by this process, or None. A writer may still meet what nobody could foresee."""
        try:
            path = self.path
            found = _stat(path)
            if found is not None and not stat.S_ISREG(found.st_mode):
                return f"{path} is no regular file"
            if found is not None and not (found.st_mode & 0o222 and os.access(path, os.W_OK)):
                return f"{path} is read-only"
            if not os.access(path.parent, os.W_OK | os.X_OK):
                return f"{path.parent} is not writable for this process: a new version is written beside the file"
            if found is not None and found.st_uid != os.geteuid() != 0:
                return f"{path} belongs to another user: a new version could not be given back to him"
        except (OSError, ConfigFileError) as error:
            return str(error)
        return None

    def write(self, text: str) -> None:
        """Replaces the file; mode, owner and extended attributes stay. Raises `ConfigFileError`, then it is as it was."""
        if reason := self.why_not_writable():
            raise ConfigFileError(reason)
        path = self.path
        found = _stat(path)
        mode = NEW_FILE_MODE if found is None else stat.S_IMODE(found.st_mode)
        replace(path, text.encode(), owner=found, mode=mode)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps every other writer out, of this program and of others. Raises `ConfigFileBusyError`, `ConfigFileError`."""
        if reason := self.why_not_writable():
            raise ConfigFileError(reason)
        directory, like = self.history_dir, _stat(self.path)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            if not directory.is_dir():
                directory.mkdir(mode=0o700, exist_ok=True)
                _give(directory, like)
            descriptor = os.open(directory / "lock", flags, 0o600)
        except OSError as error:
            raise ConfigFileError(f"{directory} cannot be used: {error.strerror}") from None
        try:
            with contextlib.suppress(OSError):
                _give(descriptor, like)
            _lock(descriptor)
            yield
        finally:
            os.close(descriptor)


def replace(path: Path, content: bytes, *, owner: os.stat_result | None, mode: int) -> None:
    """Puts `content` in the place of a file, durably and in one step; a kill leaves the old one or the new one.

    The new one belongs to whom `owner` says. Raises `ConfigFileError`.
    """
    partial = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        # What a writer that was killed has left behind.
        partial.unlink(missing_ok=True)
        with open(os.open(partial, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            _give(file.fileno(), owner)
            _copy_attributes(path, file.fileno())
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ConfigFileError(f"{path} cannot be replaced: {error.strerror}") from None
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes what was renamed or deleted in a directory outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _give(file: int | Path, like: os.stat_result | None) -> None:
    """Gives a file to the owner of another one; root's commands must not take it away from the engine's user."""
    found = os.stat(file)
    if like is not None and (found.st_uid, found.st_gid) != (like.st_uid, like.st_gid):
        os.chown(file, like.st_uid, like.st_gid)


def _copy_attributes(path: Path, descriptor: int) -> None:
    """Access lists and labels. What a file system does not know or does not let us set is no reason to refuse."""
    with contextlib.suppress(OSError):
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(path, name))


def _lock(descriptor: int) -> None:
    for attempt in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise ConfigFileError(f"no lock to be had: {error.strerror}") from None
            if attempt < LOCK_TRIES - 1:
                time.sleep(LOCK_PAUSE_S)
        else:
            return
    raise ConfigFileBusyError("somebody else is changing the configuration; try again")
