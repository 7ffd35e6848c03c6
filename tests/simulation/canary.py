"""How a secret would look if somebody wrote it down, and where an engine writes."""

import base64
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres.database import DatabaseOptions, once
from protocols.venue.clob_auth import ApiCreds

TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""
SHORTEST = 12
"""Bytes of a needle: a shorter one would be found by chance."""


@attrs.frozen
class Needles:
    """Forms of secrets, each with its name."""

    forms: Mapping[str, bytes]

    def found(self, where: str, haystack: "bytes | str") -> list[str]:
        """Returns what was found, by name and place; hex digits count in any case and with anything between the bytes."""
        raw = haystack.encode("utf-8", "surrogateescape") if isinstance(haystack, str) else haystack
        plain = raw.lower()
        # A text within JSON.
        unescaped = raw.replace(b"\\\\", b"\\")
        # `12 ab`, `12:ab`, `\\x12\\xab`, and `18, 171` of a list of bytes.
        packed = re.sub(rb"(?:\\x|0x|[\s:,'\"\\])+", b"", plain)
        places = (raw, plain, packed, unescaped)
        return [f"{name} in {where}" for name, form in self.forms.items() if any(form in place for place in places)]


def key_needles(secret: bytes) -> Needles:
    """Returns the forms of a private key."""
    return Needles({
        "the key's bytes": secret,
        "the key in hex": secret.hex().encode(),
        "the key in base64": base64.b64encode(secret).rstrip(b"="),
        "the key in URL-safe base64": base64.urlsafe_b64encode(secret).rstrip(b"="),
        "the key as a number": str(int.from_bytes(secret)).encode(),
        "the key as a list": "".join(str(byte) for byte in secret).encode(),
        "the key as it is printed": repr(secret)[2:-1].encode(),
    })  # fmt: skip


def creds_needles(creds: ApiCreds) -> Needles:
    """Returns the forms of the secret and the passphrase of the API."""
    secret, passphrase = creds._secret, creds._passphrase
    return Needles({
        "the API secret": base64.urlsafe_b64encode(secret).rstrip(b"="),
        "the API secret in base64": base64.b64encode(secret).rstrip(b"="),
        "the API secret's bytes": secret,
        "the API secret in hex": secret.hex().encode(),
        "the API secret as it is printed": repr(secret)[2:-1].encode(),
        "the passphrase": passphrase.encode(),
    })  # fmt: skip


def together(*needles: Needles) -> Needles:
    """Returns them as one."""
    forms = {name: form for one in needles for name, form in one.forms.items()}
    assert all(len(form) >= SHORTEST for form in forms.values())
    return Needles(forms)


async def dumped(options: DatabaseOptions) -> Mapping[str, bytes]:
    """Returns every table in full, columns as text, and bytes as they are and in hex."""

    async def work(raw: asyncpg.Connection) -> Mapping[str, bytes]:
        names = [row["name"] for row in await raw.fetch(TABLES)]
        return {name: b"\n".join(_texts(await raw.fetch(f"SELECT * FROM {name}"))) for name in names}

    return await once(options, "dump", work)


def _texts(rows: Iterable[Any]) -> Iterable[bytes]:
    for row in rows:
        for value in row.values():
            if isinstance(value, bytes):
                yield value
                yield value.hex().encode()
            else:
                yield str(value).encode()


def files_below(directory: Path) -> Mapping[str, bytes]:
    """Returns what stands in all files of a directory."""
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
