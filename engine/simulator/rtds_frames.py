"""Frames of the real-time data stream, byte for byte (venue.md §1.2)."""

import enum
import json

import attrs

from engine.simulator.ledger import Fill
from engine.simulator.profiles import mixed_case
from engine.simulator.seeds import fraction
from engine.simulator.wire_numbers import encode_json, micro_number

TEXT = 0x1
BINARY = 0x2


class ActivityType(enum.StrEnum):
    """The two types of the topic `activity`."""

    TRADES = "trades"
    ORDERS_MATCHED = "orders_matched"


@attrs.frozen(kw_only=True, eq=False)
class ActivityFrame:
    """One row on its way to every connection; only the connection id is missing."""

    type: ActivityType
    tail: bytes
    """The envelope from after the connection id."""

    def for_connection(self, head: bytes) -> bytes:
        """Returns the whole WebSocket frame; `head` is `envelope_head(connection_id)`."""
        return frame_header(TEXT, len(head) + len(self.tail)) + head + self.tail


def activity_frames(fill: Fill, *, leads: bool) -> tuple[ActivityFrame, ...]:
    """Returns the frame of `trades`, and for the row that leads its transaction also that of `orders_matched`."""
    payload = activity_payload(fill)
    types = tuple(ActivityType) if leads else (ActivityType.TRADES,)
    return tuple(ActivityFrame(type=kind, tail=_tail(payload, fill.matched_ms, kind)) for kind in types)


def activity_payload(fill: Fill) -> bytes:
    """Returns the payload of a row, keys in the alphabetical order of the recorded frames."""
    market = fill.market
    profile = fill.profile
    payload: dict[str, object] = {
        "asset": fill.token_id,
        "bio": profile.bio,
        "conditionId": market.condition_id,
        "eventSlug": market.event_slug,
    }
    if fill.fee is not None:
        payload["fee"] = fill.fee
    payload |= {
        "icon": market.icon,
        "name": profile.name,
        "outcome": market.outcomes[fill.outcome_index],
        "outcomeIndex": fill.shown_outcome_index,
        "price": fill.price,
        "profileImage": profile.profile_image,
        "proxyWallet": mixed_case(fill.wallet),
        "pseudonym": profile.pseudonym,
        "side": fill.side,
        "size": micro_number(fill.size_micro),
        "slug": market.slug,
        "timestamp": shown_second(fill),
        "title": market.question,
        "transactionHash": fill.transaction_hash,
    }
    return encode_json(payload)


def shown_second(fill: Fill) -> int:
    """Returns the payload's seconds: usually one before the block (venue.md §1.2)."""
    return fill.block_s - (fraction("second", fill.transaction_hash) < 0.8)


def envelope_head(connection_id: str) -> bytes:
    """Returns the start of every envelope of a connection."""
    return b'{"connection_id":' + json.dumps(connection_id).encode() + b',"payload":'


def unknown_topic(topic: str) -> str:
    """Returns the frame that refuses a whole subscription."""
    body = {"body": {"message": f"leger GetTopics error: {topic} not found"}, "statusCode": 401}
    return json.dumps(body, separators=(",", ":"))


def frame_header(opcode: int, payload_bytes: int) -> bytes:
    """Returns the header of a final, unmasked WebSocket frame (RFC 6455 §5.2)."""
    first = bytes((0x80 | opcode,))
    if payload_bytes < 126:
        return first + bytes((payload_bytes,))
    if payload_bytes < 1 << 16:
        return first + b"\x7e" + payload_bytes.to_bytes(2, "big")
    return first + b"\x7f" + payload_bytes.to_bytes(8, "big")


def websocket_frame(message: str | bytes) -> bytes:
    """Returns a whole WebSocket frame around a message."""
    if isinstance(message, bytes):
        return frame_header(BINARY, len(message)) + message
    # Lone surrogates cannot travel in text: a real server would not send them raw either, only escaped.
    data = message.encode("utf-8", "replace")
    return frame_header(TEXT, len(data)) + data


def _tail(payload: bytes, matched_ms: int, kind: ActivityType) -> bytes:
    return b'%b,"timestamp":%d,"topic":"activity","type":"%b"}' % (payload, matched_ms, kind.value.encode())
