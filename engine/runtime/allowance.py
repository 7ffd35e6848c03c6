"""Tokens of one limit, of which this process may have a share that changes. Pure: times are given.

Every share of a limit fills at `share × rate` and holds at most `share × burst`. A share that grows brings no tokens, one that
shrinks loses what it cannot hold. So if shares never sum up to more than one, all holders together never have more than `burst`
tokens nor get more than `rate` a second, and no window of w seconds sees more than `burst + w × rate` calls.
"""

import math
from collections.abc import Sequence

import attrs

ALMOST = 1e-9
"""Floats: a token that lacks less than this is one."""


@attrs.define(eq=False, kw_only=True)
class Allowance:
    """A bucket of tokens. It begins full with the whole limit, and empty once it is told of a share."""

    rate_per_s: float
    burst: float
    _tokens: float = attrs.field(init=False)
    _share: float = attrs.field(init=False, default=1.0)
    _since_s: float | None = attrs.field(init=False, default=None)
    _steps: list[tuple[float, float]] = attrs.field(init=False, factory=list)
    """(time from which it holds, share) of what comes next."""
    _is_shared: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self.burst

    def grant(self, now_s: float, share: float, later: Sequence[tuple[float, float]] = ()) -> None:
        """Sets the share from now on, and shares from later times on, which must not be larger."""
        self._move_to(now_s)
        if not self._is_shared:
            # What was used of the limit before, by this process or another one, is not known.
            self._is_shared, self._tokens = True, 0.0
        self._share, self._steps = share, list(later)
        self._tokens = min(self._tokens, self.burst * share)

    def wait_s(self, now_s: float) -> float:
        """Returns how long it takes until there is a token; infinity when none will come with the share as it is."""
        self._move_to(now_s)
        missing = 1 - self._tokens
        if missing <= ALMOST:
            return 0.0
        rate_per_s = self.rate_per_s * self._share
        if rate_per_s <= 0 or self.burst * self._share < 1 - ALMOST:
            return math.inf
        return missing / rate_per_s

    def take(self) -> None:
        """Takes a token, which has to be there."""
        self._tokens -= 1

    def _move_to(self, now_s: float) -> None:
        while self._steps and self._steps[0][0] <= now_s:
            from_s, share = self._steps.pop(0)
            self._fill(from_s)
            self._share = share
            self._tokens = min(self._tokens, self.burst * share)
        self._fill(now_s)

    def _fill(self, now_s: float) -> None:
        if self._since_s is not None and now_s > self._since_s:
            gained = (now_s - self._since_s) * self.rate_per_s * self._share
            self._tokens = min(self.burst * self._share, self._tokens + gained)
        self._since_s = now_s if self._since_s is None else max(self._since_s, now_s)
