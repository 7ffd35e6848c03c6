"""When obligations to sell are looked at again, and which are late. Part of exit_keeper."""

from collections.abc import Iterable

import attrs
import trio

from actors.rules.live.exits import PAUSES_S
from protocols.clock import WallClock
from protocols.live.exits import LiveExit


@attrs.define(eq=False, kw_only=True)
class ExitTimes:
    """Times of a row become monotonic ones when it is seen first: a step of the wall clock moves none of them."""

    clock: WallClock
    _next_try_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """By exit_id: the pause after an attempt."""
    _not_before_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """By exit_id: what it waits for is not there before."""
    _deadline_s: dict[str, float] = attrs.field(init=False, factory=dict)

    def follow(self, open_now: Iterable[LiveExit]) -> None:
        """Learns the times of new obligations and forgets those of others."""
        now_s, now_ms = trio.current_time(), self.clock.now_ms()
        kept = {one.exit_id: one for one in open_now}
        for times in (self._next_try_s, self._not_before_s, self._deadline_s):
            for exit_id in times.keys() - kept.keys():
                del times[exit_id]
        for exit_id in kept.keys() - self._deadline_s.keys():
            one = kept[exit_id]
            # Of what was written before a step of the clock no more is believed than there can be.
            self._next_try_s[exit_id] = now_s + min(PAUSES_S[-1], max(0.0, (one.next_try_ms - now_ms) / 1000))
            whole_s = (one.deadline_ms - one.created_ms) / 1000
            self._deadline_s[exit_id] = now_s + min(whole_s, max(0.0, (one.deadline_ms - now_ms) / 1000))

    def is_due(self, exit_id: str) -> bool:
        """Returns whether an obligation may be looked at now."""
        latest_s = max(self._next_try_s.get(exit_id, 0.0), self._not_before_s.get(exit_id, 0.0))
        return latest_s <= trio.current_time()

    def is_late(self, exit_id: str) -> bool:
        """Returns whether the deadline of an obligation has passed."""
        return self._deadline_s.get(exit_id, float("inf")) <= trio.current_time()

    def pause(self, exit_id: str, seconds: float) -> None:
        """Has the next attempt wait."""
        self._next_try_s[exit_id] = trio.current_time() + seconds

    def put_off(self, exit_id: str, seconds: float) -> None:
        """Has an obligation wait for something, unless that comes earlier."""
        self._not_before_s[exit_id] = trio.current_time() + seconds

    def came(self, exit_id: str) -> None:
        """Says that what an obligation waits for may be there."""
        self._not_before_s.pop(exit_id, None)
