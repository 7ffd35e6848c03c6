"""The ways a request ends early: we refuse it, its client is gone, or the application lets its connection drop."""

__all__ = ["ClientDisconnected", "ConnectionAbandoned", "HttpError"]


class HttpError(Exception):
    """The request is refused: the client gets `status` with `{"error": reason}`, then the connection closes."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class ClientDisconnected(OSError):
    """Nobody reads the response any more. Raised by `send`; an OSError, as the ASGI specification (2.4) asks."""


class ConnectionAbandoned(Exception):
    """Raised by an application that wants its connection closed without an answer, as a broken venue would."""
