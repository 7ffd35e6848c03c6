"""Frames of the real-time data stream (venue.md §1)."""

import enum
import json
from collections.abc import Sequence

import msgspec

from protocols.errors import MalformedError
from protocols.text import storable_or_none, storable_tree
from protocols.trades import RawTrade, TradeRow
from protocols.venue.strict_json import read_object
from protocols.venue.trade_row import trade_row_from

ACTIVITY = "activity"
TRADES = "trades"
ORDERS_MATCHED = "orders_matched"
PING = "PING"
FRAME_CHARS_MAX = 1 << 20
RAW_CHARS_MAX = 16 << 10

_KEEP_ALIVE = frozenset({"", "PONG", "pong", "PING", "ping", b"", b"PONG", b"pong"})
_SHORT = 64


class FrameKind(enum.StrEnum):
    """What a frame is when it is not a trade."""

    KEEP_ALIVE = "keep_alive"
    """The empty first frame, an answer to PING."""
    OTHER = "other"
    """A topic or type that we did not ask for."""
    REFUSED = "refused"
    """The server refused a subscription."""


class TradeFrame(msgspec.Struct, gc=False):
    """The envelope of an activity frame; `timestamp` is in milliseconds, the payload's own is in seconds."""

    topic: str = ""
    type: str = ""
    payload: TradeRow | None = None


_decode = msgspec.json.Decoder(TradeFrame).decode


class _RawPayload(msgspec.Struct):
    payload: msgspec.Raw


_decode_raw_payload = msgspec.json.Decoder(_RawPayload).decode
_encode_fields = msgspec.json.Encoder(decimal_format="number").encode


def subscribe_frame(types: Sequence[str]) -> str:
    """Returns the text that subscribes to activity types, unfiltered: filters silence the feed (venue.md §1.1)."""
    subscriptions = [{"topic": ACTIVITY, "type": kind} for kind in types]
    return json.dumps({"action": "subscribe", "subscriptions": subscriptions}, separators=(",", ":"))


def decode_frame(frame: str | bytes) -> TradeFrame | FrameKind:
    """Returns the trade in a frame, or what else it is.

    Raises `MalformedError` for what cannot be understood; no input makes it raise anything else.
    """
    if len(frame) < _SHORT and frame in _KEEP_ALIVE:
        return FrameKind.KEEP_ALIVE
    if len(frame) > FRAME_CHARS_MAX:
        raise MalformedError("too_large", f"{len(frame)} characters")
    try:
        decoded = _decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decode_leniently(frame)
    if decoded.topic == ACTIVITY and decoded.payload is not None:
        return decoded
    return _decode_leniently(frame)


def _decode_leniently(frame: str | bytes) -> TradeFrame | FrameKind:
    envelope = read_object(frame, chars_max=FRAME_CHARS_MAX)
    if "statusCode" in envelope:
        return FrameKind.REFUSED
    topic, kind, payload = envelope.get("topic"), envelope.get("type"), envelope.get("payload")
    if topic != ACTIVITY or kind not in (TRADES, ORDERS_MATCHED):
        if topic is None and payload is None:
            raise MalformedError("no_envelope")
        return FrameKind.OTHER
    if not isinstance(payload, dict):
        raise MalformedError("payload", type(payload).__name__)
    return TradeFrame(topic=topic, type=kind, payload=trade_row_from(payload))


def payload_json(raw: RawTrade) -> str:
    """Returns the JSON text of the row as it was seen, cut out of its envelope, in a form that PostgreSQL can store.

    Never raises: a text that cannot be kept as it is becomes one with the unstorable characters replaced, or the fields
    that were understood.
    """
    try:
        text = bytes(_decode_raw_payload(raw.text).payload).decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _row_json(raw.row)
    if len(text) > RAW_CHARS_MAX:
        return _row_json(raw.row)
    # jsonb refuses NUL and lone surrogates; an escape of either needs \\u, which rows rarely have.
    if "\\u" in text:
        try:
            return _encode_fields(storable_tree(read_object(text))).decode()
        except (MalformedError, msgspec.MsgspecError, UnicodeError):
            return _row_json(raw.row)
    return text


def _row_json(row: TradeRow) -> str:
    """Returns the understood fields, each cut to what is stored of it."""
    names = zip(row.__struct_fields__, row.__struct_encode_fields__, strict=True)
    fields = {wire: getattr(row, ours) for ours, wire in names if getattr(row, ours) is not None}
    cut = {wire: storable_or_none(value) if isinstance(value, str) else value for wire, value in fields.items()}
    return _encode_fields(cut).decode()
