"""What may go wrong at the venue, switched on and off while it runs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import trio

from protocols.clock import Random, WallClock

FAULT_KINDS: Mapping[str, frozenset[str]] = {
    # RTDS, lasting
    "silence": frozenset({"answer_pings"}),
    "no_pong": frozenset({"control_frames"}),
    "drop": frozenset({"type", "probability"}),
    "delay": frozenset({"delay_s"}),
    "late": frozenset({"probability", "delay_s"}),
    "reorder": frozenset(),
    "replay": frozenset({"frames"}),
    # RTDS, lasting with `probability` or once with `count`
    "garbage": frozenset({"names", "count", "probability"}),
    # RTDS, once
    "close": frozenset({"code", "reason"}),
    "reset": frozenset(),
    # sockets of the CLOB, lasting
    "ws_silence": frozenset({"channel", "answer_pings"}),
    "ws_delay": frozenset({"channel", "delay_s"}),
    # sockets of the CLOB, once
    "ws_close": frozenset({"channel", "code", "reason"}),
    "ws_reset": frozenset({"channel"}),
    # any surface
    "refuse": frozenset({"surface"}),
    # HTTP, lasting
    "http_429": frozenset({"api", "path", "probability", "retry_after_s"}),
    "http_5xx": frozenset({"api", "path", "probability", "status"}),
    "http_slow": frozenset({"api", "path", "probability", "delay_s"}),
    "http_hang": frozenset({"api", "path", "probability"}),
    "http_truncated": frozenset({"api", "path", "probability"}),
    "http_stale": frozenset({"api", "path", "probability"}),
    "http_empty": frozenset({"api", "path", "probability"}),
    "http_moving": frozenset({"api", "path", "probability", "rows"}),
}
"""Every kind and the parameters it takes."""

ONCE = frozenset({"close", "reset", "ws_close", "ws_reset"})
"""Kinds that are over as soon as they have been applied."""


class FaultError(ValueError):
    """A fault that does not exist, or that cannot take these parameters."""


@attrs.frozen(kw_only=True, eq=False)
class Fault:
    """One fault in force."""

    id: int
    kind: str
    parameters: Mapping[str, Any]
    until_s: float
    """On trio's clock; infinite when it lasts until it is cleared."""
    began_ms: int

    def number(self, name: str, default: float) -> float:
        """Returns a numeric parameter."""
        return float(self.parameters.get(name, default))

    def text(self, name: str, default: str) -> str:
        """Returns a textual parameter."""
        return str(self.parameters.get(name, default))


class FaultBoard:
    """The faults in force. Surfaces ask it before they act; `on_apply` tells those that must act at once."""

    def __init__(self, *, clock: WallClock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._faults: dict[int, Fault] = {}
        self._last_id = 0
        self.on_apply: list[Callable[[Fault], None]] = []
        self.applied: dict[str, int] = {}
        """How often each kind was switched on."""
        self.changed = trio.Event()
        """Set, and replaced, whenever a fault begins or is cleared."""

    def add(self, kind: str, parameters: Mapping[str, Any], duration_s: float | None = None) -> Fault:
        """Puts a fault in force for `duration_s`, or until it is cleared. Raises `FaultError`."""
        fault = Fault(
            id=self._last_id + 1,
            kind=kind,
            parameters=_checked(kind, parameters, duration_s),
            until_s=trio.current_time() + duration_s if duration_s is not None else float("inf"),
            began_ms=self._clock.now_ms(),
        )
        self._last_id = fault.id
        self.applied[kind] = self.applied.get(kind, 0) + 1
        if kind not in ONCE and not (kind == "garbage" and "count" in parameters):
            self._faults[fault.id] = fault
        for apply in self.on_apply:
            apply(fault)
        self._announce()
        return fault

    def clear(self, kind: str | None = None, fault_id: int | None = None) -> int:
        """Ends the faults of a kind, the one with an id, or all. Returns how many there were."""
        ended = [
            fault.id
            for fault in self._faults.values()
            if (kind is None or fault.kind == kind) and (fault_id is None or fault.id == fault_id)
        ]
        for each in ended:
            del self._faults[each]
        self._announce()
        return len(ended)

    def active(self, kind: str) -> Fault | None:
        """Returns the latest fault of a kind that is in force."""
        return next(self._all(kind), None) if self._faults else None

    def active_on(self, kind: str, channel: str) -> Fault | None:
        """Returns the latest fault of a kind that is in force on a channel of the CLOB's sockets."""
        if not self._faults:
            return None
        return next((each for each in self._all(kind) if each.text("channel", "*") in ("*", channel)), None)

    def active_for(self, kind: str, api: str, path: str) -> Fault | None:
        """Returns the latest HTTP fault of a kind that is in force for a request and, by chance, hits it."""
        if not self._faults:
            return None
        for fault in self._all(kind):
            aimed = fault.text("api", "*") in ("*", api) and path.startswith(fault.text("path", ""))
            if aimed and self.hits(fault):
                return fault
        return None

    def hits(self, fault: Fault) -> bool:
        """Returns whether chance lets a fault happen this time; without `probability` it always does."""
        probability = fault.number("probability", 1.0)
        return probability >= 1 or self._rng.random() < probability

    def describe(self) -> list[dict[str, Any]]:
        """Returns the faults in force as JSON values."""
        now = trio.current_time()
        return [
            {
                "id": fault.id,
                "kind": fault.kind,
                "parameters": dict(fault.parameters),
                "remaining_s": None if fault.until_s == float("inf") else round(fault.until_s - now, 3),
            }
            for fault in self._faults.values()
            if fault.until_s > now
        ]

    def _all(self, kind: str) -> Iterator[Fault]:
        now = trio.current_time()
        self._faults = {each.id: each for each in self._faults.values() if each.until_s > now}
        return iter([fault for fault in reversed(self._faults.values()) if fault.kind == kind])

    def _announce(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


def _checked(kind: str, parameters: Mapping[str, Any], duration_s: float | None) -> Mapping[str, Any]:
    if kind not in FAULT_KINDS:
        raise FaultError(f"unknown fault {kind!r}; there are: {', '.join(FAULT_KINDS)}")
    unknown = parameters.keys() - FAULT_KINDS[kind]
    if unknown:
        allowed = ", ".join(sorted(FAULT_KINDS[kind])) or "none"
        raise FaultError(f"{kind} takes no {', '.join(sorted(unknown))}; its parameters are: {allowed}")
    if duration_s is not None and not 0 < duration_s < float("inf"):
        raise FaultError(f"duration_s must be positive, not {duration_s}")
    if kind == "refuse" and duration_s is None:
        raise FaultError("refuse needs duration_s: a closed port cannot be asked to open")
    if parameters.get("channel", "*") not in ("*", "market", "user"):
        raise FaultError(f"channel must be market, user or *, not {parameters['channel']!r}")
    probability = parameters.get("probability", 1)
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise FaultError(f"probability must be 0 to 1, not {probability!r}")
    for name in ("delay_s", "retry_after_s"):
        value = parameters.get(name, 0)
        if not isinstance(value, int | float) or not 0 <= value < 86_400:
            raise FaultError(f"{name} must be seconds below a day, not {value!r}")
    for name in ("frames", "count", "rows", "code", "status"):
        value = parameters.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100_000:
            raise FaultError(f"{name} must be a whole number, not {value!r}")
    return dict(parameters)
