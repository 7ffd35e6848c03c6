"""What a poller found in one response, on its way to whoever ingests in another process (the edge `polled`)."""

import zlib

import attrs
import msgspec

from protocols.edge_codec import opened, sealed
from protocols.errors import MalformedError
from protocols.venue.data_api import PageRow, page_row

POLLED = "polled"
"""The name of the edge. It leads through PostgreSQL: what it has taken is not lost, and a watermark may move past it."""
_LEVEL = 1
_PLAIN_BYTES_MAX = 64 << 20
"""More than the rows of any response that a poller takes in."""
_BODY_BYTES_MAX = 16 << 20


@attrs.frozen(kw_only=True)
class PolledPage:
    """The wanted rows of one response, whole: equal fills can only be counted where all of them are seen (design.md §4)."""

    source: str
    """Who read it, as the first part of a counting scope."""
    rows: tuple[PageRow, ...]


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    texts: list[bytes]


_message = msgspec.msgpack.Decoder(_Message).decode


class PolledPageCodec:
    """`EdgeCodec` of pages: the texts of the rows, packed. They are understood anew at the other end, by the same decoder."""

    VERSION = 1
    KIND = "polled_page"

    def encode(self, item: PolledPage) -> bytes:
        """Returns the bytes. Raises `MalformedError("size")`."""
        message = msgspec.msgpack.encode(_Message(source=item.source, texts=[bytes(row.text) for row in item.rows]))
        if len(message) > _PLAIN_BYTES_MAX:
            raise MalformedError("size", f"{len(item.rows)} rows of {len(message)} bytes")
        return sealed(self.KIND, self.VERSION, zlib.compress(message, _LEVEL), bytes_max=_BODY_BYTES_MAX)

    def decode(self, body: bytes) -> PolledPage:
        """Returns the page. Raises `MalformedError`, also for rows that are none: nobody but a poller writes them."""
        packed = opened(body, self.KIND, self.VERSION, bytes_max=_BODY_BYTES_MAX)
        try:
            message = _message(_unpacked(msgspec.msgpack.decode(packed, type=bytes)))
        except (msgspec.MsgspecError, ValueError, RecursionError, zlib.error) as error:
            raise MalformedError("message", str(error)[:200]) from None
        return PolledPage(source=message.source, rows=tuple(map(page_row, message.texts)))


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(packed, _PLAIN_BYTES_MAX)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("cut off, too long, or followed by something")
    return plain
