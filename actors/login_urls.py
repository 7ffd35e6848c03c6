"""Keys of login URLs: each lets somebody in once, for a short time, without a password."""

from collections.abc import Callable

import attrs

from protocols.clock import Random
from protocols.sessions import new_secret, secret_digest

VALID_S = 900.0
KEYS_MAX = 16
"""Of more keys that wait the oldest goes."""


@attrs.define(eq=False, kw_only=True)
class LoginUrls:
    """Makes keys and takes them back. Only their SHA-256 is kept, in memory: a restart ends all of them.

    Where it is not allowed it makes none. `now_s` is monotonic.
    """

    is_allowed: bool
    """The engine listens on loopback only, trades nothing real, and `http.login_url` is on."""
    secret_rng: Random = attrs.field(repr=False)
    """A `random.SystemRandom`."""
    now_s: Callable[[], float] = attrs.field(repr=False)
    _keys: dict[bytes, tuple[str, float]] = attrs.field(init=False, factory=dict, repr=False)
    """User name and end by digest, the oldest first."""

    def make(self, user_name: str) -> str | None:
        """Returns a new key for a user; None where login URLs are not allowed."""
        if not self.is_allowed:
            return None
        while len(self._keys) >= KEYS_MAX:
            del self._keys[next(iter(self._keys))]
        key = new_secret(self.secret_rng)
        self._keys[secret_digest(key)] = (user_name, self.now_s() + VALID_S)
        return key

    def take(self, key: str) -> str | None:
        """Returns for whom a key is and uses it up; None when there is no such key or its time is over."""
        user_name, ends_s = self._keys.pop(secret_digest(key), (None, 0.0))
        return user_name if self.is_allowed and self.now_s() < ends_s else None
