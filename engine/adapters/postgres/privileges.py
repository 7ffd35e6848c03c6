"""Who the embedded server runs as, and what of the file system belongs to it.

PostgreSQL refuses to run as root. An engine that runs as root starts the server's processes under an unprivileged uid,
by dropping to it in the child alone. Nothing else of the machine is touched: no account is made, no mode of an existing
directory is changed, and the only owner ever changed is that of the data directory itself and of the files we make in it.
"""

import fcntl
import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import platformdirs

__all__ = [
    "EmbeddedServerBusy",
    "EmbeddedServerError",
    "ServerAccount",
    "blocked_directory",
    "claim_data_dir",
    "current_account",
    "default_data_dir",
    "hold_lock",
    "open_private",
    "probe",
]

NOBODY_ID: Final = 65534  # the overflow uid and gid of the kernel, which nearly every system calls nobody
LOCK_NAME: Final = "postgres.lock"


class EmbeddedServerError(Exception):
    """The embedded server cannot start or stop. The text names the cause and, where we know one, the remedy."""


class EmbeddedServerBusy(EmbeddedServerError):
    """Another live process runs the server of this data directory."""


@attrs.frozen(kw_only=True)
class ServerAccount:
    """The identity of the server's processes; `drops_root` when it is not our own."""

    uid: int
    gid: int
    drops_root: bool

    def popen_options(self) -> dict[str, Any]:
        """Keyword arguments for `subprocess.Popen` and trio's process functions.

        The child gets a session of its own, so a Ctrl-C in the terminal reaches the engine and not the server, and an
        environment without the PG* variables of whoever started us.
        """
        options: dict[str, Any] = {"start_new_session": True, "env": {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}}
        if self.drops_root:
            # One group instead of none: Python 3.12.0 skips setgroups() for an empty list and would leave root's groups.
            options |= {"user": self.uid, "group": self.gid, "extra_groups": [self.gid]}
        return options

    def check_known(self) -> None:
        """Raises `EmbeddedServerError` if the uid has no name: initdb refuses to work for it, postgres does not mind."""
        try:
            pwd.getpwuid(self.uid)
        except KeyError:
            raise EmbeddedServerError(
                f"PostgreSQL's initdb refuses to run for uid {self.uid}, which has no entry in /etc/passwd: run as a user "
                "that has one, or set database.url to a server that runs already"
            ) from None


def _unprivileged_account() -> ServerAccount:
    with suppress(KeyError):
        entry = pwd.getpwnam("nobody")
        if entry.pw_uid != 0:
            return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid or NOBODY_ID, drops_root=True)
    return ServerAccount(uid=NOBODY_ID, gid=NOBODY_ID, drops_root=True)


def current_account() -> ServerAccount:
    """The account of this process, for an ordinary user."""
    return ServerAccount(uid=os.geteuid(), gid=os.getegid(), drops_root=False)


def default_data_dir() -> Path:
    """Where the server keeps its data if nobody says: `/var/lib/polycopy/postgres` for root, else the user's data path."""
    if os.geteuid() == 0:
        return Path("/var/lib/polycopy/postgres")
    return platformdirs.user_data_path("polycopy") / "postgres"


def claim_data_dir(data_dir: Path) -> ServerAccount:
    """Makes `data_dir` if needed and returns the account that must run the server of it.

    `data_dir` must be resolved. As root the account is the owner of `data_dir`; one that is missing, or empty and owned
    by root, is given to the user `nobody`. Raises `EmbeddedServerError` if the account could not work there.
    """
    try:
        account = _account_for(data_dir)
        _make_directories(data_dir, account)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot use {data_dir} as the directory of the embedded PostgreSQL server: {error}; "
            "set database.data_dir to a directory that can be used, or database.url to a server that runs already"
        ) from error
    return account


def _account_for(data_dir: Path) -> ServerAccount:
    info = data_dir.stat() if data_dir.exists() else None
    if info is not None and not stat.S_ISDIR(info.st_mode):
        raise EmbeddedServerError(f"database.data_dir: {data_dir} is not a directory")
    if os.geteuid() != 0:
        if info is not None and info.st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"{data_dir} belongs to uid {info.st_uid}, this process runs as uid {os.geteuid()}: "
                "run as that user or set database.data_dir to another directory"
            )
        return current_account()
    if info is None or info.st_uid == 0:
        if info is not None and any(entry != "lost+found" for entry in os.listdir(data_dir)):
            raise EmbeddedServerError(
                f"{data_dir} belongs to root and is not empty; PostgreSQL cannot run as root. "
                "Give the directory to an unprivileged user or set database.data_dir to an empty or new directory"
            )
        account = _unprivileged_account()
    else:
        account = ServerAccount(uid=info.st_uid, gid=info.st_gid or NOBODY_ID, drops_root=True)
    if (blocked := blocked_directory(data_dir.parent, account)) is not None:
        raise EmbeddedServerError(
            f"PostgreSQL cannot run as root, and uid {account.uid} that would run it may not enter {blocked}: set "
            f"database.data_dir to a place outside it (for example {default_data_dir()}) or run the engine as an ordinary user"
        )
    return account


def _make_directories(data_dir: Path, account: ServerAccount) -> None:
    for parent in reversed(data_dir.parents):
        if not parent.exists():
            parent.mkdir(mode=0o700)
            if account.drops_root:
                parent.chmod(0o711)  # ours and new: root's umask must not shut the account out
    with suppress(FileExistsError):
        data_dir.mkdir(mode=0o700)
    if account.drops_root and data_dir.stat().st_uid == 0:
        os.chown(data_dir, account.uid, account.gid)


def blocked_directory(path: Path, account: ServerAccount) -> Path | None:
    """The first existing directory from / down to `path` that the account may not enter, by owner and mode.

    A directory with an access control list counts as open: only the kernel can tell, and PostgreSQL will say.
    """
    for directory in (*reversed(path.parents), path):
        if not directory.exists():
            return None
        info = directory.stat()
        if info.st_uid == account.uid:
            may_enter = info.st_mode & stat.S_IXUSR
        elif info.st_gid == account.gid:
            may_enter = info.st_mode & stat.S_IXGRP
        else:
            may_enter = info.st_mode & stat.S_IXOTH
        if not may_enter and not _has_access_list(directory):
            return directory
    return None


def _has_access_list(directory: Path) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(directory)
    except OSError:
        return False


def open_private(path: Path, account: ServerAccount, flags: int = 0) -> int:
    """Opens or makes a file of ours (mode 0600) in a directory that the account can write to; returns the descriptor.

    Root must not be led elsewhere by what the account may have put there: links are refused.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
            raise EmbeddedServerError(f"{path} is not an ordinary file; remove it")
        if account.drops_root and info.st_uid != account.uid:
            os.fchown(descriptor, account.uid, account.gid)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def hold_lock(data_dir: Path, account: ServerAccount) -> Iterator[None]:
    """Holds `<data_dir>/postgres.lock`; the kernel frees it when this process dies, however it dies.

    Raises `EmbeddedServerBusy` if another process holds it. The file holds the pid of its last holder.
    """
    descriptor = open_private(data_dir / LOCK_NAME, account)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("utf-8", "replace").strip() or "unknown"
            raise EmbeddedServerBusy(
                f"the embedded PostgreSQL server in {data_dir} is in use by process {holder}: "
                "stop that one, or set database.data_dir to another directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def probe(argv: list[str], account: ServerAccount) -> str | None:
    """Runs a short command as the account; its output, or None if the account cannot run it."""
    with suppress(OSError, subprocess.SubprocessError):
        done: subprocess.CompletedProcess[bytes] = subprocess.run(  # noqa: S603 - an argument list of ours
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, cwd="/", **account.popen_options()
        )
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "replace").strip()
    return None
