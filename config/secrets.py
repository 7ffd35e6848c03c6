"""A secret that cannot be printed, and the only way to read one from a file."""

import os
import stat
from pathlib import Path
from typing import NoReturn

SECRET_BYTES_MAX = 64 << 10


class Secret:
    """Holds a text that must not leave by accident.

    Not an attrs class on purpose: `attrs.asdict` would walk into it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(****)"

    def reveal(self) -> str:
        """Returns the text. The only way out: look for it in review."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")


def read_secret_file(path: Path, *, by_service_manager: bool = False) -> Secret:
    """Returns the stripped text of a file that only its owner can read.

    Raises `ValueError` with a readable reason: missing, a symbolic link, not a regular file, owned by somebody else,
    readable by others, empty, too large, not UTF-8. What is checked is the opened file, not its name.

    A credential `by_service_manager` belongs to root and is opened to the service's user by an access list, which shows as
    a group permission (0440 on systemd 257); a mode that lets everybody read is refused there too.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    try:
        _check_private(os.fstat(descriptor), by_service_manager)
        data = _read(descriptor)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(data) > SECRET_BYTES_MAX:
        raise ValueError(f"is larger than {SECRET_BYTES_MAX} bytes")
    try:
        value = data.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    if not value:
        raise ValueError("is empty")
    return Secret(value)


def _check_private(status: os.stat_result, by_service_manager: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a regular file")
    if status.st_uid not in (os.geteuid(), 0):
        raise ValueError("is owned by another user")
    others = 0o037 if by_service_manager and status.st_uid == 0 else 0o077
    if status.st_mode & others:
        raise ValueError(f"has mode {stat.S_IMODE(status.st_mode):04o}; others may read it, set 0600")


def _read(descriptor: int) -> bytes:
    """Returns at most one byte more than a secret may have."""
    data = b""
    while len(data) <= SECRET_BYTES_MAX and (part := os.read(descriptor, SECRET_BYTES_MAX + 1 - len(data))):
        data += part
    return data
