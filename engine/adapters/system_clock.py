"""The real clock and entropy. The only place in the program that asks the machine for either."""

import random
import secrets
import time
import uuid

from protocols.clock import Random


class SystemClock:
    """`WallClock` of this machine."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000


def system_random() -> Random:
    """A generator seeded by the machine; everything that needs chance gets one like it by constructor."""
    return random.Random(secrets.randbits(128))  # noqa: S311 - jitter, not cryptography


def secret_random() -> random.SystemRandom:
    """Chance that nobody can foresee, for tokens."""
    return random.SystemRandom()


def process_owner_id() -> str:
    """A name no other process has, for leases."""
    return uuid.uuid4().hex
