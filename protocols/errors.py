"""Failures named by how to react to them, not by where they came from."""


class EngineError(Exception):
    """Root of every failure that this program raises on purpose."""


class TransientError(EngineError):
    """The world failed: retry inside the actor, with back-off. Never spends a restart budget."""


class RejectedError(EngineError):
    """The other side proved that it did not and will not act: final, do not retry the same request."""


class MalformedError(EngineError):
    """Input that cannot be understood. `reason` is a short, bounded label fit for a metric.

    `detail` is for a log line; it never holds the whole input.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class InvariantError(EngineError):
    """Our own state is wrong: let the actor crash and its supervisor decide."""


class FencedError(EngineError):
    """Another engine holds the lease that this write needs; nothing was written."""


class StorageFullError(EngineError):
    """A bounded store on disk has no room left; what was offered was not kept."""
