"""Answers of the Data API as rows, read one by one: what one row lacks never costs the page (venue.md §5)."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, TypeVar

import attrs
import msgspec

from protocols.amounts import decimal_from, exact_price, size_micro
from protocols.errors import MalformedError, TransientError
from protocols.text import storable_or_none
from protocols.timestamps import epoch_ms, utc_datetime
from protocols.trades import OUTCOME_INDEX_SENTINEL, canonical_condition_id
from protocols.venue.strict_json import decode_answer, read_object, repaired

T = TypeVar("T")
Fields = Mapping[str, Any]
RAW_CHARS_MAX = 1 << 16
_WALLET = re.compile("0x[0-9a-f]{40}")
_TRANSACTION = re.compile("0x[0-9a-f]{8,64}")
_QUANTUM = Decimal(1).scaleb(-18)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_LEAST_SHARES = Decimal("0.0000005")


class _Pagination(msgspec.Struct):
    has_more: bool | None = None
    next_cursor: str | None = None


class _Envelope(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination: _Pagination | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


@attrs.frozen(kw_only=True)
class Answer:
    """The rows of one response, still as JSON."""

    rows: Sequence[msgspec.Raw]
    next_cursor: str | None


def read_envelope(body: bytes, path: str) -> Answer:
    """Returns a page of the v2 API.

    Raises `TransientError` for HTML, truncated JSON or another shape, and for one that promises more without saying how to
    get it: half a list must not pass for a whole one.
    """
    envelope = decode_answer(_decode_envelope, body, path)
    pagination = envelope.pagination or _Pagination()
    if pagination.has_more and not pagination.next_cursor:
        raise TransientError(f"{path} says that there is more, but not where")
    cursor = pagination.next_cursor if pagination.has_more is not False else None
    return Answer(rows=envelope.data, next_cursor=cursor or None)


def read_bare_array(body: bytes, path: str) -> Answer:
    """Returns a page of the v1 API, which has no cursor. Raises `TransientError` for another shape."""
    return Answer(rows=decode_answer(_decode_array, body, path), next_cursor=None)


def understood(rows: Sequence[msgspec.Raw], read: Callable[[Fields, bytes], T]) -> tuple[list[T], Counter[str]]:
    """Returns what `read` makes of each row's fields and text, and how many rows it did not understand, by reason."""
    found: list[T] = []
    malformed: Counter[str] = Counter()
    for row in rows:
        text = bytes(row)
        try:
            found.append(read(read_object(text), text))
        except MalformedError as error:
            malformed[error.reason] += 1
    return found, malformed


def first_of(fields: Fields, *spellings: str) -> Any:
    """Returns the field in whichever spelling it is there, or None."""
    return next((fields[name] for name in spellings if name in fields), None)


def wallet_from(value: object) -> str:
    """Returns an address in lower case. Raises `MalformedError("wallet")`."""
    wallet = value.lower() if isinstance(value, str) else ""
    if not _WALLET.fullmatch(wallet):
        raise MalformedError("wallet", repr(value)[:60])
    return wallet


def token_from(value: object) -> str:
    """Returns a token id as decimal digits, whether it came as text or number. Raises `MalformedError("token")`."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 256
    token = str(value) if whole or isinstance(value, str) else ""
    if not (token.isascii() and token.isdigit() and len(token) <= 78):
        raise MalformedError("token", repr(value)[:60])
    return token


def condition_from(value: object) -> str:
    """Returns a condition id in its canonical form. Raises `MalformedError("condition_id")`."""
    if not isinstance(value, str):
        raise MalformedError("condition_id", repr(value)[:60])
    return canonical_condition_id(value)


def transaction_from(value: object) -> str:
    """Returns a transaction hash in lower case. Raises `MalformedError("transaction_hash")`."""
    transaction = value.lower() if isinstance(value, str) else ""
    if not _TRANSACTION.fullmatch(transaction):
        raise MalformedError("transaction_hash", repr(value)[:60])
    return transaction


def shares_micro(value: object, field: str) -> int:
    """Returns shares as micro-shares; 0 for what rounds to none. Raises `MalformedError(field)` for less than none."""
    shares = decimal_from(value, field)
    if shares.copy_abs() <= _LEAST_SHARES:
        return 0
    try:
        return size_micro(shares)
    except MalformedError as error:
        raise MalformedError(field, error.detail) from None


def usd_from(value: object, field: str) -> Decimal:
    """Returns an exact amount below ten million million, negative for a loss, with 18 decimals at most.

    Raises `MalformedError(field)` for anything else.
    """
    amount = decimal_from(value, field)
    if not amount:
        return Decimal(0)
    if amount.adjusted() > 12:
        raise MalformedError(field, str(amount)[:40])
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return Decimal(int(amount))
    is_short = isinstance(exponent, int) and exponent >= -18
    return amount if is_short else amount.quantize(_QUANTUM, context=_EXACT)


def usd_or_none(value: object) -> Decimal | None:
    """Returns an exact amount, or None for what is none."""
    try:
        return usd_from(value, "usd")
    except MalformedError:
        return None


def price_or_none(value: object) -> Decimal | None:
    """Returns a price of 0 to 1 USD a share, or None for what is none."""
    try:
        return exact_price(decimal_from(value, "price"))
    except MalformedError:
        return None


def moment_ms(value: object) -> int:
    """Returns milliseconds since the epoch of a time in any of the venue's forms. Raises `MalformedError("timestamp")`."""
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value.adjusted() < 16 else None
    return epoch_ms(value)


def moment_or_none(value: object) -> int | None:
    """Returns milliseconds since the epoch, or None for what is no time."""
    try:
        return moment_ms(value)
    except MalformedError:
        return None


def day_or_moment(value: object) -> str | None:
    """Returns a day as the venue says it, or a moment as ISO in UTC; None for neither."""
    if isinstance(value, str) and len(value.strip()) == 10:
        try:
            return date.fromisoformat(value.strip()).isoformat()
        except ValueError:
            pass
    milliseconds = moment_or_none(value)
    if milliseconds is None:
        return None
    return utc_datetime(milliseconds).isoformat().replace("+00:00", "Z")


def text_or_none(fields: Fields, *spellings: str) -> str | None:
    """Returns a descriptive field as storable text, or None when it is absent, empty or not text."""
    return storable_or_none(first_of(fields, *spellings))


def outcome_index_or_none(value: object) -> int | None:
    """Returns the place of an outcome; None for the sentinel and for nonsense."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < OUTCOME_INDEX_SENTINEL else None


def row_json(fields: Fields, text: bytes) -> str:
    """Returns a row's text in a form that PostgreSQL can store; an empty object when there is none."""
    if len(text) > RAW_CHARS_MAX or not _is_storable(fields):
        return "{}"
    try:
        # jsonb refuses NUL and lone surrogates; an escape of either needs \u, which rows rarely have.
        return (repaired(text, chars_max=RAW_CHARS_MAX) if b"\\u" in text else text).decode()
    except (MalformedError, UnicodeError):
        return "{}"


def _is_storable(value: Any) -> bool:
    """Whether every number is one that a database has room for."""
    if isinstance(value, Mapping):
        return all(map(_is_storable, value.values()))
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return not isinstance(value, Decimal) or -1_000 < value.adjusted() < 1_000
