"""The parts of a request that an endpoint reads: query, headers, body."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import attrs
import msgspec

from engine.api.answer import encode
from engine.api.errors import ApiError, bad_field
from engine.api.params import TEXT_MAX, Param, parsed
from engine.api.text_fields import in_words
from engine.web.asgi_cycle import Receive

QUERY_FIELDS_MAX = 1_000
INTEGER_DIGITS_MAX = 18
_CREDENTIALS = frozenset((b"authorization", b"cookie", b"proxy-authorization"))
_AT = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_NAMED = re.compile(r"Object (?:missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)


class ClientGoneError(Exception):
    """The client left before its request was complete."""


class RequestHeaders(Mapping[str, str]):
    """Headers by their lower-case names, the first of each; decoded when asked for, without credentials."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        wanted = name.encode("latin-1", "replace")
        for header, value in self._raw:
            if header == wanted and wanted not in _CREDENTIALS:
                return value.decode("latin-1")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.decode("latin-1") for name, _ in self._raw if name not in _CREDENTIALS))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@attrs.define(eq=False)
class QueryReader:
    """`parsed` of queries for parameters that are known beforehand: one that is not given costs next to nothing."""

    params: tuple[Param, ...]
    _by_name: Mapping[str, Param] = attrs.field(init=False)
    _required: frozenset[str] = attrs.field(init=False)
    _defaults: Mapping[str, Any] = attrs.field(init=False)
    _lists: tuple[str, ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._by_name = {param.name: param for param in self.params}
        self._required = frozenset(param.name for param in self.params if param.required)
        self._defaults = {param.name: param.default for param in self.params}
        self._lists = tuple(param.name for param in self.params if param.many)

    def read(self, query: bytes) -> dict[str, Any]:
        """Returns a value for each parameter. Raises a 400 that names the field."""
        given = query_values(query) if query else {}
        values = dict(self._defaults)
        for name in self._lists:
            values[name] = []  # a new one each time: what a handler does to it must not last
        try:
            for name, texts in given.items():
                param, (text,) = self._by_name[name], texts
                value = param.parse(text)
                values[name] = [value] if param.many else value
        except (KeyError, ValueError):
            return parsed(self.params, given)  # given several times, or wrong
        return values if given.keys() >= self._required else parsed(self.params, given)


def query_values(query: bytes) -> dict[str, list[str]]:
    """Returns the values of each name in order. Raises a 400 for what is no UTF-8 or has too many fields."""
    given: dict[str, list[str]] = {}
    fields = query.split(b"&", QUERY_FIELDS_MAX)
    if len(fields) > QUERY_FIELDS_MAX:
        raise ApiError(400, "bad_request", f"a query has at most {QUERY_FIELDS_MAX} fields")
    for field in fields:
        if field:
            name, _, value = field.partition(b"=")
            given.setdefault(_text(name), []).append(_text(value))
    return given


def _text(part: bytes) -> str:
    try:
        text = part.decode()
        if "%" in text or "+" in text:
            return unquote(text.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        raise ApiError(400, "bad_request", "the query is not UTF-8 text") from None
    return text


async def read_body(receive: Receive, bytes_max: int) -> bytes:
    """Returns the whole body. Raises a 413 as soon as it is too long, and `ClientGoneError`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    parts, total = [body], len(body)
    while message["type"] == "http.request" and message.get("more_body", False) and total <= bytes_max:
        message = await receive()
        body = message.get("body", b"")
        parts.append(body)
        total += len(body)
    if message["type"] != "http.request":
        raise ClientGoneError
    if total > bytes_max:
        raise body_too_large(bytes_max)
    return b"".join(parts)


def body_too_large(bytes_max: int) -> ApiError:
    """Returns the 413 of a route."""
    return ApiError(413, "body_too_large", f"the body of this request has at most {bytes_max} bytes")


def decode_body(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    """Returns the value of a JSON body. Raises a 400 that names the path of the wrong field."""
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise
            return decoder.decode(_with_integers(body))
    except msgspec.ValidationError as error:
        raise _bad_value(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_field("body", f"is not JSON: {str(error)[:TEXT_MAX]}") from None


def _with_integers(body: bytes) -> bytes:
    """Writes 7.0 as 7, which JSON schema calls an integer too, and msgspec does not."""
    return encode(_numbers.decode(body))


def exact_number(text: str) -> Decimal | int:
    """Returns a JSON number that was written with a point or exponent. Raises `ValueError` when it is beyond any range."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise ValueError("a number is out of range") from None
    return int(value) if value.adjusted() < INTEGER_DIGITS_MAX and value == value.to_integral_value() else value


_numbers = msgspec.json.Decoder(float_hook=exact_number)


def _bad_value(text: str) -> ApiError:
    """From msgspec's sentence, such as "Expected `int`, got `str` - at `$.scopes[0]`"."""
    match = _AT.fullmatch(text)
    assert match is not None
    path, reason = match["path"] or "", match["reason"]
    if named := _NAMED.fullmatch(reason):
        path = f"{path}.{named['name']}" if path else named["name"]
        reason = "is needed" if "missing" in reason else "there is no such field"
    reason = in_words(reason)
    return bad_field(path[:TEXT_MAX] or "body", reason[:TEXT_MAX])
