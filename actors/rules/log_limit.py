"""One log line for many equal events."""

import attrs


@attrs.define(eq=False)
class LogLimit:
    """Lets one line a key pass in `interval_s`, and tells how many were held back since the last one."""

    interval_s: float = 10.0
    keys_max: int = 200
    _last_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _held: dict[str, int] = attrs.field(init=False, factory=dict)

    def allows(self, key: str, now_s: float) -> int | None:
        """Returns how many lines were held back since the last one that passed, or None when this one is held back too."""
        last_s = self._last_s.get(key)
        if last_s is not None and now_s - last_s < self.interval_s:
            self._held[key] = self._held.get(key, 0) + 1
            return None
        if len(self._last_s) >= self.keys_max:
            self._last_s.clear()
            self._held.clear()
        self._last_s[key] = now_s
        return self._held.pop(key, 0)
