"""Users of the engine, their tokens, and what they may do."""

import base64
import enum
import hashlib
from collections.abc import Sequence
from typing import Protocol

import attrs

from protocols.clock import Random

ADMIN_NAME = "admin"
"""The user who is there from the start, and to whom the bootstrap token belongs."""
TOKEN_PREFIX = "pcy_"  # noqa: S105 - how every token begins, so that a leaked one can be recognised
TOKEN_RANDOM_BYTES = 32
USER_NAME_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}"
TOKEN_NAME_PATTERN = r"[^\x00-\x1f\x7f]{1,80}"  # noqa: S105 - the name of a token, not a token


class Scope(enum.StrEnum):
    """What a token lets its bearer do. A scope includes no other one: `admin` alone reads no feed."""

    READ = "read"
    """Feed, prices, follows and everything else that is looked at; also changing one's own follows."""
    TRADE = "trade"
    """Whatever moves money, virtual or real."""
    ADMIN = "admin"
    """Users, jobs, configuration."""


@attrs.frozen(kw_only=True)
class Principal:
    """Who asks."""

    user_id: str
    """The uuid of the row in `profiles`."""
    user_name: str
    token_id: str
    """Names the token, for rate limits and logs; tells nothing about its secret."""
    scopes: frozenset[Scope]
    expires_at_ms: int | None = None
    """When the token ends; no token that it makes may outlive it."""
    session_id: str | None = None
    """The session of a browser; None for a bearer token."""
    is_login_free: bool = False
    """A session that began with a login URL, not with a password."""


@attrs.frozen(kw_only=True)
class ValidToken:
    """A token that may be used, as far as the database knows."""

    digest: bytes
    """SHA-256 of its text."""
    principal: Principal


@attrs.frozen(kw_only=True)
class TokenTable:
    """All tokens at one version, which is no younger than they are."""

    version: int
    tokens: Sequence[ValidToken]
    admin_id: str | None
    """The uuid of the user `admin`; None when there is none."""


class TokenStore(Protocol):
    """The tokens of all users."""

    async def version(self) -> int:
        """Returns a number that changes whenever a token may have been made or lost. Raises `TransientError`."""
        ...

    async def valid_tokens(self) -> TokenTable:
        """Returns every token that is neither revoked nor of a disabled user. Raises `TransientError`."""
        ...


def new_token(rng: Random) -> str:
    """Returns the text of a new token: `pcy_` and 43 characters. `rng` has to be a `random.SystemRandom`."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(rng.randbytes(TOKEN_RANDOM_BYTES)).decode().rstrip("=")


def token_digest(token: bytes) -> bytes:
    """Returns what is kept of a token. A fast hash is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(token).digest()
