"""What may go wrong on the way of an order, for the next N times or by chance."""

from collections.abc import Mapping
from typing import Any

import attrs

from protocols.clock import Random

KINDS: Mapping[str, frozenset[str]] = {
    # POST /order and POST /orders
    "answer_lost": frozenset({"how", "after_ms"}),
    "accepted_late": frozenset({"after_ms"}),
    "error_before": frozenset({"status", "html"}),
    "error_after": frozenset({"status", "html"}),
    # /data/order, /data/orders and /data/trades
    "status_slow": frozenset({"delay_ms"}),
    "status_error": frozenset({"status", "html"}),
    "order_forgotten": frozenset(),
    # settlement of trades
    "trade_retrying": frozenset(),
    "trade_failed": frozenset(),
    # the user socket
    "socket_duplicate": frozenset(),
    "socket_reorder": frozenset(),
    "socket_lost": frozenset(),
}
"""Every kind and the parameters it takes, beside `count` and `probability`."""


class OrderFaultError(ValueError):
    """A fault that does not exist, or that cannot take these parameters."""


@attrs.define(kw_only=True, eq=False)
class OrderFault:
    """One fault in force."""

    id: int
    kind: str
    parameters: Mapping[str, Any]
    probability: float
    left: int | None
    """How often it still happens; None: until it is cleared."""

    def number(self, name: str, default: int) -> int:
        """Returns a numeric parameter."""
        return int(self.parameters.get(name, default))

    def text(self, name: str, default: str) -> str:
        """Returns a textual parameter."""
        return str(self.parameters.get(name, default))


class OrderFaults:
    """The faults in force; whoever acts asks `take` first."""

    def __init__(self, *, rng: Random) -> None:
        self._rng = rng
        self._faults: list[OrderFault] = []
        self._last_id = 0
        self.taken: dict[str, int] = {}
        """How often each kind happened."""

    def add(
        self,
        kind: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        count: int | None = None,
        probability: float = 1.0,
    ) -> OrderFault:
        """Puts a fault in force for `count` times, or until it is cleared. Raises `OrderFaultError`."""
        chosen = dict(parameters or {})
        if kind not in KINDS:
            raise OrderFaultError(f"unknown fault {kind!r}; there are: {', '.join(KINDS)}")
        if chosen.keys() - KINDS[kind]:
            raise OrderFaultError(f"{kind} takes: {', '.join(sorted(KINDS[kind])) or 'nothing'}")
        if count is not None and (type(count) is not int or count < 1):
            raise OrderFaultError("count must be a positive whole number")
        if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
            raise OrderFaultError("probability must be 0 to 1")
        if chosen.get("how", "close") not in ("close", "hang"):
            raise OrderFaultError("how must be close or hang")
        for name in ("after_ms", "delay_ms", "status"):
            value = chosen.get(name, 0)
            if type(value) is not int or not 0 <= value <= 3_600_000:
                raise OrderFaultError(f"{name} must be a whole number up to 3600000")
        self._last_id += 1
        fault = OrderFault(id=self._last_id, kind=kind, parameters=chosen, probability=probability, left=count)
        self._faults.append(fault)
        return fault

    def take(self, kind: str) -> OrderFault | None:
        """Returns the fault that happens now, counted as having happened, or None."""
        for fault in self._faults:
            if fault.kind != kind or (fault.probability < 1 and self._rng.random() >= fault.probability):
                continue
            if fault.left is not None:
                fault.left -= 1
                if fault.left == 0:
                    self._faults.remove(fault)
            self.taken[kind] = self.taken.get(kind, 0) + 1
            return fault
        return None

    def clear(self, kind: str | None = None) -> int:
        """Ends the faults of a kind, or all. Returns how many there were."""
        kept = [fault for fault in self._faults if kind is not None and fault.kind != kind]
        ended = len(self._faults) - len(kept)
        self._faults = kept
        return ended

    def describe(self) -> list[dict[str, Any]]:
        """Returns the faults in force as JSON values."""
        return [
            {"id": each.id, "kind": each.kind, "left": each.left, "probability": each.probability, **each.parameters}
            for each in self._faults
        ]
