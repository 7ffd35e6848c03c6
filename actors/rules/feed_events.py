"""The wire form of the stream: server-sent events (WHATWG HTML, section 9.2), encoded once for all clients."""

import re

import attrs
import msgspec

from protocols.feed import FeedRow

RETRY_MS = 2_000
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_EVENT_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


@attrs.frozen
class FeedEvent:
    """One trade on its way to those who follow its wallet."""

    seq: int
    wallet: str
    data: bytes
    """The whole event as it goes over the wire."""


def trade_event(seq: int, row: FeedRow) -> FeedEvent:
    """Returns the event of a trade; its id is `ingest_seq`, which rises in commit order."""
    return FeedEvent(seq, row.trader_wallet, b"id: %d\ndata: %b\n\n" % (seq, _ENCODER.encode(row)))


def opening(seq: int) -> bytes:
    """Returns what a stream begins with: how soon to come back, and a position even before the first trade."""
    return b"retry: %d\nid: %d\n\n" % (RETRY_MS, seq)


def keep_alive(seq: int) -> bytes:
    """Returns a comment, with the position reached: whoever follows quiet wallets need not resume from hours ago.

    An id without data sets the client's last event id and is no event.
    """
    return b": keep-alive\nid: %d\n\n" % seq


def resync(seq: int) -> bytes:
    """Returns the event that says: trades were missed, read pages; the stream goes on after `seq`."""
    return b'event: resync\nid: %d\ndata: {"continuesAfter":%d}\n\n' % (seq, seq)


def event_id(text: str) -> int:
    """Returns the position in a `Last-Event-ID`. Raises `ValueError` for what is no id of this stream."""
    if not _EVENT_ID.fullmatch(text):
        raise ValueError("must be the id of an event of this stream")
    return int(text)
