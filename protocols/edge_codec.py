"""Messages of edges that leave the process, as bytes: msgpack of [version, kind, message], every field known or all refused.

Two engines of different versions may meet on one edge during a rolling restart. Nothing is guessed then: an older one that
does not know a field refuses the message with a reason, and it becomes a dead letter that the operator sees. Whoever
changes the fields of a message raises its version here; a test pins the fields of each version.
"""

import math
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from protocols.errors import MalformedError
from protocols.live.orders import LiveIntent
from protocols.receipts import decisions_of
from protocols.trades import Lane, LanedTrade, Trade

S = TypeVar("S", bound=msgspec.Struct)
BODY_BYTES_MAX = 256 << 10
"""Far above any message: the longest texts of a trade are cut before they get here."""


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    kind: str
    message: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_envelope = msgspec.msgpack.Decoder(_Envelope).decode


def sealed(kind: str, version: int, message: Any, *, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Returns the bytes of a message. Raises `MalformedError("size")` for more than `bytes_max`."""
    body = _encode((version, kind, message))
    if len(body) > bytes_max:
        raise MalformedError("size", f"{kind} of {len(body)} bytes")
    return body


def opened(body: bytes, kind: str, version: int, *, bytes_max: int = BODY_BYTES_MAX) -> msgspec.Raw:
    """Returns the message inside. Raises `MalformedError`: size, envelope, kind, or version."""
    if len(body) > bytes_max:
        raise MalformedError("size", f"{len(body)} bytes")
    try:
        envelope = _envelope(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError("envelope", str(error)[:200]) from None
    if envelope.kind != kind:
        raise MalformedError("kind", f"{envelope.kind[:40]} where {kind} belongs")
    if envelope.version != version:
        raise MalformedError("version", f"{kind} {envelope.version}, known is {version}")
    return envelope.message


@attrs.define(eq=False)
class StructCodec(Generic[S]):
    """`EdgeCodec` of a message that is one struct."""

    kind: str
    version: int
    shape: type[S]
    _strict: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._strict = msgspec.msgpack.Decoder(_strict(self.shape)).decode

    def encode(self, item: S) -> bytes:
        """Returns the bytes. Raises `MalformedError`."""
        return sealed(self.kind, self.version, item)

    def decode(self, body: bytes) -> S:
        """Returns the message. Raises `MalformedError`."""
        return self.shape(**msgspec.structs.asdict(_read(self._strict, opened(body, self.kind, self.version))))


class CommittedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Trades were committed: whoever shows a feed reads them from the database now. Safe to lose, there is a slow poll."""

    rows: int
    committed_ms: int


@attrs.define(eq=False, kw_only=True)
class LanedTradeCodec:
    """`EdgeCodec` of trades on their lanes. What was decided about a trade never travels so: it belongs into a transaction."""

    VERSION = 1
    KIND = "laned_trade"
    wall_less_monotonic_s: float
    """Epoch time less `trio.current_time()`: an arrival time travels as the time that other machines agree on."""
    _strict: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        shape = msgspec.defstruct(
            "LanedTradeV1", [("lane", int), ("seen_ms", float | None), ("trade", _strict(Trade))],
            forbid_unknown_fields=True,
        )  # fmt: skip
        self._strict = msgspec.msgpack.Decoder(shape).decode

    def encode(self, item: LanedTrade) -> bytes:
        """Returns the bytes. Raises `MalformedError`."""
        if decisions_of(item):
            raise MalformedError("decisions", item.trade.trade_id)
        seen_s = item.trade.seen_s
        seen_ms = None if math.isnan(seen_s) else (seen_s + self.wall_less_monotonic_s) * 1000
        # Of the trade itself no clock but that of its own process could make sense.
        trade = msgspec.structs.replace(item.trade, seen_s=0.0)
        return sealed(self.KIND, self.VERSION, {"lane": int(item.lane), "seen_ms": seen_ms, "trade": trade})

    def decode(self, body: bytes) -> LanedTrade:
        """Returns the trade with its arrival on the clock of this process. Raises `MalformedError`."""
        message = _read(self._strict, opened(body, self.KIND, self.VERSION))
        try:
            lane = Lane(message.lane)
        except ValueError:
            raise MalformedError("lane", str(message.lane)) from None
        seen_s = math.nan if message.seen_ms is None else message.seen_ms / 1000 - self.wall_less_monotonic_s
        return LanedTrade(Trade(**(msgspec.structs.asdict(message.trade) | {"seen_s": seen_s})), lane)


def committed_codec() -> StructCodec[CommittedNotice]:
    """Returns the codec of the edge `feed_events`."""
    return StructCodec("committed", 1, CommittedNotice)


def intent_codec() -> StructCodec[LiveIntent]:
    """Returns the codec of claims of live orders; these travel through PostgreSQL only."""
    return StructCodec("live_intent", 1, LiveIntent)


def _strict(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Returns the same struct, refusing fields that it does not know."""
    return msgspec.defstruct(f"{shape.__name__}Strict", [], bases=(shape,), forbid_unknown_fields=True)


def _read(decode: Any, message: msgspec.Raw) -> Any:
    try:
        return decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        text = str(error)[:200]
        raise MalformedError("field" if "unknown field" in text else "message", text) from None
