"""What has to be true before the engine takes traffic, and what is not true yet."""

import attrs


@attrs.define(eq=False)
class Readiness:
    """Named conditions; ready when none of them is open."""

    _open: dict[str, str] = attrs.field(factory=dict)
    _degraded: dict[str, str] = attrs.field(factory=dict)

    def wait_for(self, name: str, why: str) -> None:
        """Says that `name` is not true, and why, in words for an operator."""
        self._open[name] = why

    def reached(self, name: str) -> None:
        """Says that `name` is true."""
        self._open.pop(name, None)

    @property
    def ready(self) -> bool:
        """Whether nothing is open."""
        return not self._open

    def degraded_by(self, name: str, why: str) -> None:
        """Says that `name` does not work, and why; traffic is served all the same."""
        self._degraded[name] = why

    def restored(self, name: str) -> None:
        """Says that `name` works."""
        self._degraded.pop(name, None)

    def degradations(self) -> dict[str, str]:
        """Returns what does not work and keeps nobody from being served, by name."""
        return dict(self._degraded)

    def open_conditions(self) -> dict[str, str]:
        """Returns what is not true yet, by name."""
        return dict(self._open)


@attrs.define(eq=False)
class ReachedOnStart:
    """`trio.TaskStatus` that marks a condition as true when what was waited for has started."""

    _readiness: Readiness
    _name: str

    def started(self, value: None = None) -> None:
        """Says so."""
        self._readiness.reached(self._name)
