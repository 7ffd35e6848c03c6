"""Pauses between attempts: exponential, capped, with full jitter on the upper half."""

import attrs

from protocols.clock import Random


@attrs.define(eq=False, kw_only=True)
class Backoff:
    """Counts failures in a row. `next_s` gives the pause after one more failure, `reset` forgets them."""

    first_s: float
    max_s: float
    rng: Random
    failures: int = attrs.field(init=False, default=0)

    def next_s(self) -> float:
        """Returns the next pause in seconds, between half of and the whole exponential step."""
        step_s = min(self.max_s, self.first_s * 2.0 ** min(self.failures, 40))
        self.failures += 1
        return step_s * (0.5 + self.rng.random() / 2)

    def reset(self) -> None:
        """Says that an attempt succeeded."""
        self.failures = 0
