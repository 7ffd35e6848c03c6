"""The text of a position in the feed: opaque to clients, checked when it comes back."""

import base64
import binascii

import msgspec

from protocols.feed import FeedPosition
from protocols.timestamps import LATEST_MS

VERSION = 1
TEXT_CHARS_MAX = 600
TRADE_ID_CHARS_MAX = 300
_DECODER = msgspec.json.Decoder(tuple[int, int, str])


def cursor_text(position: FeedPosition) -> str:
    """Returns the cursor of a position."""
    return _armoured(msgspec.json.encode((VERSION, position.trade_us, position.trade_id)))


def position_in(text: str) -> FeedPosition:
    """Returns the position that a cursor names. Raises `ValueError` for whatever `cursor_text` did not make."""
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError("is not a cursor of this feed")
    try:
        version, trade_us, trade_id = _DECODER.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise ValueError("is not a cursor of this feed") from None
    if version != VERSION:
        raise ValueError("is a cursor of another version; begin again without one")
    position = FeedPosition(trade_us=trade_us, trade_id=trade_id)
    is_sound = 0 <= trade_us <= LATEST_MS * 1000 and 0 < len(trade_id) <= TRADE_ID_CHARS_MAX and trade_id.isprintable()
    if not is_sound or cursor_text(position) != text:
        raise ValueError("is not a cursor of this feed")
    return position


def _armoured(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
