"""The head of a request: what RFC 9110 and 9112 demand of it beyond grammar, which the parser has checked.

Every doubt about where a message ends is an error here: a proxy in front of the server may decide such a doubt
differently, and the difference is how requests are smuggled.
"""

import re
from urllib.parse import unquote

import attrs

from engine.web.http_error import HttpError
from engine.web.http_limits import ServerLimits

__all__ = ["HEADER_COUNT_MAX", "RequestHead", "read_request_head"]

HEADER_COUNT_MAX = 100
"""16 KiB hold four thousand empty headers, which cost a hundred times that as Python objects."""

_JUDGED = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect"))
_AUTHORITY = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~!$&'()*+,;=%-]*))(?::[0-9]*)?")
_ABSOLUTE = re.compile(rb"https?://([^/?]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE)


@attrs.define(eq=False, kw_only=True)
class RequestHead:
    """One request without its body. Header names are lower-case, in the order received."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    http_version: str
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    host: bytes | None = None
    has_body: bool = False
    content_length: int = 0
    chunked: bool = False
    expects_continue: bool = False


def read_request_head(
    method: bytes,
    target: bytes,
    http_version: str,
    headers: list[tuple[bytes, bytes]],
    *,
    keep_alive: bool,
    upgrade: bool,
    limits: ServerLimits,
) -> RequestHead:
    """Judge one parsed head. Raises HttpError (400, 413, 417, 421, 431, 501, 505)."""
    if http_version != "1.1" and http_version != "1.0":
        raise HttpError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if len(headers) > HEADER_COUNT_MAX:
        raise HttpError(431, "too many headers")
    if method == b"CONNECT":
        raise HttpError(501, "CONNECT is not supported")
    raw_path, query, authority = _split_target(method, target)
    path = raw_path.decode("ascii")
    head = RequestHead(
        method=method.decode("ascii"),
        path=unquote(path) if b"%" in raw_path else path,
        raw_path=raw_path,
        query=query,
        http_version=http_version,
        headers=headers,
        keep_alive=keep_alive,
    )
    for name, value in headers:
        if name in _JUDGED:
            _judge(head, name, value)
    if head.has_body:
        if head.content_length > limits.body_bytes_max:
            raise HttpError(413, "request body too large")
        if upgrade:
            # The parser takes such a body for the first bytes of the other protocol, and we speak no other protocol.
            raise HttpError(400, "a request to upgrade must not have a body")
    _check_host(head, authority, limits.allowed_hosts)
    return head


def _judge(head: RequestHead, name: bytes, value: bytes) -> None:
    if name == b"host":
        if head.host is not None:
            raise HttpError(400, "more than one Host header")
        head.host = value
    elif name == b"content-length":
        head.content_length = int(value)  # digits only, without overflow: the parser has seen to it
        head.has_body = head.content_length > 0
    elif name == b"transfer-encoding":
        if head.http_version == "1.0":
            raise HttpError(400, "HTTP/1.0 has no Transfer-Encoding")
        if value.lower() != b"chunked":
            raise HttpError(501, "the only transfer coding supported is chunked")
        head.has_body = head.chunked = True
    elif value.lower() != b"100-continue":
        raise HttpError(417, "the only expectation supported is 100-continue")
    else:
        head.expects_continue = head.http_version == "1.1"


def _split_target(method: bytes, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Path, query and, from a target in absolute form, the authority (RFC 9112 section 3.2)."""
    if b"#" in target:
        raise HttpError(400, "a request target has no fragment")
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path, query, None
    if target == b"*" and method == b"OPTIONS":
        return target, b"", None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise HttpError(400, "malformed request target")
    return absolute[2] or b"/", absolute[3] or b"", absolute[1]


def _check_host(head: RequestHead, authority: bytes | None, allowed_hosts: frozenset[str] | None) -> None:
    if head.host is None:
        if head.http_version == "1.1" or allowed_hosts is not None:
            raise HttpError(400, "the Host header is missing")
        return
    if authority is not None and authority.lower() != head.host.lower():
        raise HttpError(400, "the Host header and the request target disagree")
    parts = _AUTHORITY.fullmatch(head.host)
    if parts is None:
        raise HttpError(400, "malformed Host header")
    if allowed_hosts is not None and (parts[1] or parts[2]).decode("ascii").lower() not in allowed_hosts:
        # Not only misrouting: a page of another origin whose name was rebound to 127.0.0.1 asks with its own name.
        raise HttpError(421, "this server does not answer for that host")
