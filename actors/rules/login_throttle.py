"""How long somebody waits who has guessed wrong: longer each time, by address and by user name."""

import attrs

FREE_TRIES = 5
FIRST_WAIT_S = 2.0
ADDRESS_WAIT_MAX_S = 900.0
# Shorter: else anybody could keep a user out of his own engine.
USER_WAIT_MAX_S = 60.0
FORGET_S = 3_600.0
KEYS_MAX = 10_000


@attrs.define(eq=False, kw_only=True)
class Failures:
    """Counts failures by key. A key is forgotten an hour after its last one; of too many the oldest goes."""

    wait_max_s: float
    keys_max: int = KEYS_MAX
    _counts: dict[str, tuple[int, float]] = attrs.field(init=False, factory=dict, repr=False)
    """Failures and the time of the last, that of the oldest first."""

    def __len__(self) -> int:
        return len(self._counts)

    def wait_s(self, key: str, now_s: float) -> float:
        """Returns how long the key has to wait until it may try again."""
        count, last_s = self._held(key, now_s)
        if count < FREE_TRIES:
            return 0.0
        # The exponent stays small: a float has no 2 ** 2000.
        pause_s: float = min(FIRST_WAIT_S * 2.0 ** min(count - FREE_TRIES, 30), self.wait_max_s)
        return max(0.0, last_s + pause_s - now_s)

    def add(self, key: str, now_s: float) -> None:
        """Counts one more."""
        count, _ = self._held(key, now_s)
        self._counts.pop(key, None)
        while len(self._counts) >= self.keys_max:
            del self._counts[next(iter(self._counts))]
        self._counts[key] = (count + 1, now_s)

    def take_back(self, key: str) -> None:
        """Uncounts one that was none."""
        count, last_s = self._counts.get(key, (0, 0.0))
        if count > 1:
            self._counts[key] = (count - 1, last_s)
        else:
            self._counts.pop(key, None)

    def forget(self, key: str) -> None:
        """Forgets all failures of a key."""
        self._counts.pop(key, None)

    def _held(self, key: str, now_s: float) -> tuple[int, float]:
        count, last_s = self._counts.get(key, (0, now_s))
        return (0, now_s) if last_s + FORGET_S <= now_s else (count, last_s)


@attrs.define(eq=False, kw_only=True)
class LoginThrottle:
    """Lets a try pass or says how long to wait. A try counts as failed from its beginning: many at once win nothing."""

    addresses: Failures = attrs.field(factory=lambda: Failures(wait_max_s=ADDRESS_WAIT_MAX_S))
    users: Failures = attrs.field(factory=lambda: Failures(wait_max_s=USER_WAIT_MAX_S))

    def begin(self, network: str, user: str, now_s: float) -> float:
        """Returns 0.0 for a try that may begin, else the seconds to wait."""
        wait_s = max(self.addresses.wait_s(network, now_s), self.users.wait_s(user, now_s))
        if not wait_s:
            self.addresses.add(network, now_s)
            self.users.add(user, now_s)
        return wait_s

    def succeeded(self, network: str, user: str) -> None:
        """Says that a try was none to count. The address keeps its others: one's own account must not buy guesses."""
        self.addresses.take_back(network)
        self.users.forget(user)

    def not_tried(self, network: str, user: str) -> None:
        """Says that a try came to nothing for a reason of ours."""
        self.addresses.take_back(network)
        self.users.take_back(user)
