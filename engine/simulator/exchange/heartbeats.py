"""The dead-man switch: once started, 10 s without a valid beat end the orders of those credentials (venue.md §7.3)."""

import attrs

from engine.simulator.exchange.api_keys import uuid_of
from engine.simulator.seeds import digest

TIMEOUT_MS = 10_000


@attrs.define
class _Pulse:
    expected: str
    at_ms: int


class Heartbeats:
    """The beats of all credentials."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._beats = 0
        self._pulses: dict[str, _Pulse] = {}

    def beat(self, api_key: str, heartbeat_id: str, now_ms: int) -> tuple[bool, str]:
        """Takes a chained beat. Returns whether it was valid, and the id to send next."""
        pulse = self._pulses.get(api_key)
        expected = pulse.expected if pulse is not None else ""
        if heartbeat_id != expected:
            return False, expected
        self._beats += 1
        following = uuid_of(digest("heartbeat", self._seed, api_key, self._beats))
        self._pulses[api_key] = _Pulse(following, now_ms)
        return True, following

    def beat_without_id(self, api_key: str, now_ms: int) -> None:
        """Takes a beat of the simple kind."""
        pulse = self._pulses.get(api_key)
        self._pulses[api_key] = _Pulse(pulse.expected if pulse is not None else "", now_ms)

    def dead(self, now_ms: int) -> list[str]:
        """Returns the credentials whose beat has stopped, each once: the next beat starts anew."""
        dead = [key for key, pulse in self._pulses.items() if now_ms - pulse.at_ms >= TIMEOUT_MS]
        for key in dead:
            del self._pulses[key]
        return dead
