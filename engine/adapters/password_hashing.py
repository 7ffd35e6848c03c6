"""argon2id, one at a time in a worker thread: a hash takes a core for some 60 ms."""

import base64
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import attrs
import trio

from protocols.sessions import HashersBusyError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")
# More than the least that OWASP names (19 MiB, two passes). From 32 MiB on glibc gives the memory back to the system after
# each hash; 19 MiB stay in the arena of the thread for good (measured: 26.6 MB before and after, against 46.6 MB).
MEMORY_KIB = 32_768
PASSES = 2
LANES = 1
HASH_BYTES = 32
SALT_BYTES = 16
WAITING_MAX = 16
"""More passwords than these do not wait, about a second, but are refused."""


@attrs.define(eq=False, kw_only=True)
class Argon2Hasher:
    """The `PasswordHasher`. The library is imported when somebody logs in."""

    memory_kib: int = MEMORY_KIB
    passes: int = PASSES
    waiting_max: int = WAITING_MAX
    waiting: int = attrs.field(init=False, default=0)
    """Those that wait or are checked."""
    _one: trio.CapacityLimiter = attrs.field(init=False, factory=lambda: trio.CapacityLimiter(1))
    _hasher: "PasswordHasher | None" = attrs.field(init=False, default=None, repr=False)

    async def hash(self, password: str) -> str:
        """As the port says."""
        hasher = self._library()
        return await self._turn(lambda: str(hasher.hash(_bytes(password))))

    async def verify(self, phc: str | None, password: str) -> bool:
        """As the port says."""
        hasher, text = self._library(), self.nobodys_hash() if phc is None else phc
        return await self._turn(lambda: _is_password(hasher, text, _bytes(password))) and phc is not None

    def is_outdated(self, phc: str) -> bool:
        """As the port says."""
        return bool(self._library().check_needs_rehash(phc))

    def nobodys_hash(self) -> str:
        """Returns a hash with today's parameters that no password has: checking one takes as long as that of a user."""
        salt, digest = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (SALT_BYTES, HASH_BYTES))
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p={LANES}${salt}${digest}"

    async def _turn(self, work: Callable[[], T]) -> T:
        if self.waiting > self.waiting_max:  # one of them is being hashed
            raise HashersBusyError("too many passwords wait to be checked")
        self.waiting += 1
        try:
            return await trio.to_thread.run_sync(work, limiter=self._one)
        finally:
            self.waiting -= 1

    def _library(self) -> "PasswordHasher":
        if self._hasher is None:
            from argon2 import PasswordHasher

            self._hasher = PasswordHasher(
                time_cost=self.passes,
                memory_cost=self.memory_kib,
                parallelism=LANES,
                hash_len=HASH_BYTES,
                salt_len=SALT_BYTES,
            )
        return self._hasher


def _bytes(password: str) -> bytes:
    """Returns what is hashed: keyboards write the same letter in several ways."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")


def _is_password(hasher: "PasswordHasher", phc: str, password: bytes) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return bool(hasher.verify(phc, password))
    except (VerificationError, InvalidHashError):
        return False
