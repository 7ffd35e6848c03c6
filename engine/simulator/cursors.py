"""Signed, opaque cursors (venue.md §5.1) of the same outer shape as recorded ones."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any


class CursorError(ValueError):
    """A cursor that this venue did not issue, or not for this request."""


class CursorSigner:
    """Makes cursors and refuses changed ones."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"cursor {seed}".encode()).digest()

    def issue(self, kind: str, parameters: dict[str, Any]) -> str:
        """Returns the cursor text of a position; `kind` names the endpoint."""
        data = {"type": kind, "params": parameters}
        text = json.dumps({"data": data, "sig": self._signature(data)}, separators=(",", ":"))
        return base64.b64encode(text.encode()).decode()

    def read(self, kind: str, cursor: str) -> dict[str, Any]:
        """Returns the position in a cursor. Raises `CursorError`."""
        try:
            envelope = json.loads(base64.b64decode(cursor, validate=True))
            data = envelope["data"]
            genuine = hmac.compare_digest(self._signature(data), envelope["sig"])
            if not genuine or data["type"] != kind:
                raise CursorError("cursor was not issued for this request")
            parameters = data["params"]
        except (binascii.Error, ValueError, KeyError, TypeError) as error:
            raise CursorError("cursor is invalid") from error
        if not isinstance(parameters, dict):
            raise CursorError("cursor is invalid")
        return parameters

    def _signature(self, data: object) -> str:
        text = json.dumps(data, separators=(",", ":"))
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:32]
