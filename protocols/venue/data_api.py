"""Trade pages of the Data API: v2 envelopes with cursors and v1 bare arrays (venue.md §5)."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator

import attrs
import msgspec

from protocols.errors import MalformedError
from protocols.trades import RawTrade, TradeRow
from protocols.venue.strict_json import decode_answer, read_object
from protocols.venue.trade_row import trade_row_from

PAGE_ROWS_MAX = 1_000
V1_OFFSET_MAX = 10_000


@attrs.frozen(kw_only=True)
class PageRow:
    """One understood row and its JSON in an envelope, as `RawTrade.text` wants it."""

    row: TradeRow
    text: bytes


@attrs.frozen(kw_only=True)
class TradePage:
    """The rows of one response, newest first as the API orders them."""

    rows: tuple[PageRow, ...]
    malformed: Counter[str]
    """Rows that were not understood, by reason; `not_a_trade` counts rewards and the like."""
    rows_sent: int
    next_cursor: str | None

    def raw_trades(self, scope: str, seen_s: float) -> Iterator[RawTrade]:
        """Returns the rows as raw trades of one counting scope."""
        return raw_trades(self.rows, scope, seen_s)


def raw_trades(rows: Iterable[PageRow], scope: str, seen_s: float) -> Iterator[RawTrade]:
    """Yields rows as raw trades of one counting scope, seen at a monotonic time."""
    for item in rows:
        yield RawTrade(row=item.row, scope=scope, text=item.text, seen_s=seen_s)


def rows_of(rows: Iterable[PageRow], wallets: Container[str]) -> list[PageRow]:
    """Returns the rows of some wallets, which are in lower case."""
    return [item for item in rows if item.row.proxy_wallet.lower() in wallets]


class _Pagination(msgspec.Struct):
    has_more: bool | None = None
    next_cursor: str | None = None


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination: _Pagination | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_row = msgspec.json.Decoder(TradeRow).decode
_OPENS, _CLOSES = b'{"payload":', b"}"


def decode_trades_v2(body: bytes) -> TradePage:
    """Returns a page of `/v2/trades`. Raises `TransientError` for HTML, truncated JSON or another shape."""
    envelope = decode_answer(_decode_envelope, body, "/v2/trades")
    pagination = envelope.pagination or _Pagination()
    cursor = pagination.next_cursor or None
    return _page(envelope.data, cursor if pagination.has_more is not False else None)


def decode_trades_v1(body: bytes) -> TradePage:
    """Returns a page of the v1 `/trades` or `/activity`, whose cursor is always None: pages are asked by offset.

    Raises `TransientError` for HTML, truncated JSON or another shape.
    """
    return _page(decode_answer(_decode_array, body, "/trades"), None)


def _page(items: list[msgspec.Raw], next_cursor: str | None) -> TradePage:
    rows: list[PageRow] = []
    malformed: Counter[str] = Counter()
    for item in items:
        try:
            rows.append(page_row(_OPENS + bytes(item) + _CLOSES))
        except MalformedError as error:
            malformed[error.reason] += 1
    return TradePage(rows=tuple(rows), malformed=malformed, rows_sent=len(items), next_cursor=next_cursor)


def page_row(text: bytes) -> PageRow:
    """Returns the row in an envelope as `RawTrade.text` wants it. Raises `MalformedError`."""
    if not (text.startswith(_OPENS) and text.endswith(_CLOSES)):
        raise MalformedError("envelope", text[:100].decode(errors="replace"))
    return PageRow(row=_row(text[len(_OPENS) : -len(_CLOSES)]), text=text)


def _row(text: bytes) -> TradeRow:
    if b'"proxyWallet"' in text and b'"type"' not in text:
        try:
            return _decode_row(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass
    return trade_row_from(read_object(text))
