"""A budget that fills with time."""

import attrs


@attrs.define(eq=False, kw_only=True)
class Allowance:
    """At most `burst` at once and `per_s` a second in the long run. Times are monotonic seconds."""

    per_s: float
    burst: float
    _left: float = attrs.field(init=False)
    _seen_s: float = attrs.field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        self._left = self.burst

    def take(self, now_s: float) -> bool:
        """Spends one if there is one left; returns whether there was."""
        if now_s > self._seen_s:
            self._left = min(self.burst, self._left + (now_s - self._seen_s) * self.per_s)
            self._seen_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
