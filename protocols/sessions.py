"""Sessions of browsers, and the passwords that begin them."""

import base64
import enum
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from protocols.clock import Random
from protocols.errors import EngineError

SECRET_RANDOM_BYTES = 32
IDLE_S = 14 * 86_400
"""A session that is not used for so long ends."""
PASSWORD_SESSION_S = 30 * 86_400
LOGIN_URL_SESSION_S = 86_400
USER_AGENT_CHARS = 200
ADDRESS_CHARS = 64


class SessionKind(enum.StrEnum):
    """How a session began."""

    PASSWORD = "password"  # noqa: S105 - the way, not a password
    LOGIN_URL = "login_url"
    """By a URL that an engine printed: nobody proved who he is, so such a session gives nothing where money is real."""


@attrs.frozen(kw_only=True)
class WebSession:
    """A session of a browser, without its secret."""

    session_id: str
    user_id: str
    user_name: str
    is_admin: bool
    digest: bytes = attrs.field(repr=False)
    """SHA-256 of the secret in its cookie."""
    kind: SessionKind
    created_at_ms: int
    last_seen_at_ms: int
    expires_at_ms: int
    user_agent: str
    address: str


@attrs.frozen(kw_only=True)
class NewSession:
    """A session to be stored."""

    digest: bytes = attrs.field(repr=False)
    kind: SessionKind
    created_at_ms: int
    expires_at_ms: int
    user_agent: str
    address: str


@attrs.frozen(kw_only=True)
class SetSession:
    """A session that has begun. This is the only time that its secret is told: it goes into the cookie."""

    secret: str = attrs.field(repr=False)
    lifetime_s: int
    session: WebSession


class RefusalReason(enum.StrEnum):
    """Why nobody was let in."""

    WRONG = "wrong"
    THROTTLED = "throttled"
    BUSY = "busy"
    UNFIT = "unfit"
    """The new password is none to be taken."""


@attrs.frozen(kw_only=True)
class LoginRefusal:
    """Why a login, or a change of a password, came to nothing."""

    reason: RefusalReason
    message: str
    """A sentence for people; says nothing about whether there is such a user."""
    retry_after_s: float | None = None


@attrs.frozen(kw_only=True)
class SessionTable:
    """All sessions at one version, which is no younger than they are."""

    version: int
    sessions: Sequence[WebSession]


@attrs.frozen(kw_only=True)
class PasswordRow:
    """What is known of a user who wants to log in."""

    user_id: str
    user_name: str
    is_disabled: bool
    phc: str | None = attrs.field(repr=False)
    """The hash; None when he has no password."""
    revision: str | None
    """Changes with the password, not with a new hash of the same one."""


class SessionStore(Protocol):
    """The sessions of all users. Every method raises `TransientError`."""

    async def version(self) -> int:
        """Returns a number that changes whenever a session may have been made, changed or lost."""
        ...

    async def sessions(self) -> SessionTable:
        """Returns every session that has not ended and is not of a disabled user."""
        ...

    async def add(self, user_id: str, new: NewSession, *, revision: str | None) -> WebSession | None:
        """Stores a session, may be repeated. None when the user is disabled or his password is no longer of `revision`.

        `revision` None: a session that needs no password.
        """
        ...

    async def seen(self, at_ms: Mapping[str, int]) -> None:
        """Writes down when sessions, by their ids, were used last; never moves a time back."""
        ...

    async def end(self, session_id: str, *, user_id: str) -> bool:
        """Ends a session of a user; False when there is no such one."""
        ...

    async def end_all(self, user_id: str, *, but: str | None = None) -> list[str]:
        """Ends the sessions of a user but one, and returns their ids."""
        ...


class PasswordStore(Protocol):
    """The hashed passwords of all users. Every method raises `TransientError`."""

    async def password(self, user_name: str) -> PasswordRow | None:
        """Returns what is known of a user; None when there is none of that name."""
        ...

    async def set_password(
        self, user_id: str, phc: str, *, revision: str | None, but_session: str | None = None
    ) -> list[str] | None:
        """Sets a password if it is of `revision` still, ends the user's sessions but one and returns their ids, else None."""
        ...

    async def rehash(self, user_id: str, phc: str, *, revision: str) -> None:
        """Replaces the hash of the same password, unless it was changed meanwhile."""
        ...


class PasswordHasher(Protocol):
    """Slow hashes of passwords. Both methods raise `HashersBusyError`."""

    async def hash(self, password: str) -> str:
        """Returns a PHC text."""
        ...

    async def verify(self, phc: str | None, password: str) -> bool:
        """Returns whether the password is that of the hash. None takes as long, and is nobody's."""
        ...

    def is_outdated(self, phc: str) -> bool:
        """Returns whether the hash was made with other parameters than those of today."""
        ...


class HashersBusyError(EngineError):
    """Too many passwords wait to be checked."""

    retry_after_s: float = 5.0


def new_secret(rng: Random) -> str:
    """Returns 256 random bits as 43 characters that fit a cookie and a URL. `rng` has to be a `random.SystemRandom`."""
    return base64.urlsafe_b64encode(rng.randbytes(SECRET_RANDOM_BYTES)).decode().rstrip("=")


def secret_digest(secret: str) -> bytes:
    """Returns what is kept of a session's secret. A fast hash is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def csrf_token(secret: str) -> str:
    """Returns the token that a page of the session carries: whoever has it cannot tell the cookie's secret from it."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()
