"""PostgreSQL's own programs for backups: which ones fit a server, and how they reach it without showing a password."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import attrs

from engine.adapters.postgres.privileges import EmbeddedServerError, current_account, probe
from engine.adapters.postgres.server_binaries import find_embedded_binaries
from protocols.errors import EngineError

_SYSTEM_PATTERNS: Final = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
_NEEDED: Final = ("pg_dump", "pg_restore", "psql")


class BackupError(EngineError):
    """A backup or restore that was not done; what was there before is as it was."""


@attrs.frozen(kw_only=True)
class ClientPrograms:
    """`pg_dump`, `pg_restore` and `psql` of one version."""

    bin_dir: Path
    version: str
    """As they say it: "18.4"."""

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        """Absolute path of one of them."""
        return str(self.bin_dir / name)


@attrs.frozen(kw_only=True)
class ServerAddress:
    """A server as libpq's programs take it: the address without the password, which travels in the environment."""

    uri: str
    password: str | None = attrs.field(repr=False)
    own_settings: bool
    """Whether settings of the user's environment (PGSSLROOTCERT, a password file) belong to it."""

    def environment(self) -> dict[str, str]:
        """The whole environment of a child that talks to the server."""
        env = {"PATH": os.defpath}
        if self.own_settings:
            # The rest of our own environment holds secrets that these programs have no use for.
            env |= {name: value for name, value in os.environ.items() if name.startswith("PG") or name == "HOME"}
        env |= {"LC_ALL": "C", "TZ": "UTC", "PGAPPNAME": "polycopy backup"}
        if self.password is not None:
            env["PGPASSWORD"] = self.password
        return env


def server_address(dsn: str, *, embedded: bool) -> ServerAddress:
    """Splits an address. Raises `BackupError`, without any part of it, when it cannot be read."""
    try:
        parts = urlsplit(dsn)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise BackupError("the database address cannot be read; nothing of it is shown") from None
    # What stands behind the last @ is where; a password may hold an @ that somebody forgot to encode.
    login, at, place = parts.netloc.rpartition("@")
    user, _, secret = login.partition(":")
    given = dict(query)
    if "sslpassword" in given:
        raise BackupError("sslpassword in database.url cannot be handed to pg_dump; use a key without one")
    password = unquote(secret) if secret else given.get("password")
    # Spaces as %20: libpq does not read + as one.
    rest = urlencode([pair for pair in query if pair[0] != "password"], quote_via=quote, safe="/,")
    uri = f"{parts.scheme}://{user}{at}{place}{parts.path}" + (f"?{rest}" if rest else "")
    return ServerAddress(uri=uri, password=password, own_settings=not embedded)


def programs_for(server_major: int) -> ClientPrograms:
    """Returns programs that can dump and fill a server of this major version: its own or newer ones. Slow: use a thread.

    A dump says which server it came from, and newer programs read older servers; the other way round they refuse. Raises
    `BackupError` that names what is missing.
    """
    found = list(_candidates())
    fitting = [programs for programs in found if programs.major >= server_major]
    if fitting:
        return fitting[0]
    there = f"the newest here are of {max(programs.major for programs in found)}" if found else "there are none here"
    raise BackupError(
        f"the server is PostgreSQL {server_major}, which takes pg_dump, pg_restore and psql of {server_major} or later; "
        f"{there}: install the client programs of PostgreSQL {server_major} (Debian: postgresql-client-{server_major})"
    )


def _candidates() -> Iterator[ClientPrograms]:
    """The wheel's first: it is of the same version wherever this program runs."""
    try:
        folders = [find_embedded_binaries().bin_dir]
    except EmbeddedServerError:
        folders = []
    folders += [path for pattern in _SYSTEM_PATTERNS for path in sorted(Path("/").glob(pattern), reverse=True)]
    if (on_path := shutil.which("pg_dump")) is not None:
        folders.append(Path(on_path).parent)
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED):
            said = probe([str(folder / "pg_dump"), "--version"], current_account())
            if match := re.search(r"\(PostgreSQL\) (\d+\S*)", said or ""):
                yield ClientPrograms(bin_dir=folder, version=match[1])


def last_words(stderr: bytes, what: str, returncode: int | None) -> str:
    """Returns what a program said last, in one line, for an error."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return f"{what}: " + ("; ".join(lines[-3:])[-400:] if lines else f"ended with code {returncode}")
