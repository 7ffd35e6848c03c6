from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.web.http_error import HttpError
from engine.web.http_limits import ServerLimits
from engine.web.http_parser import RequestParser

LIMITS = ServerLimits(header_bytes_max=256, body_bytes_max=256)

# Bodies that look like the ends and beginnings of messages.
bodies = st.lists(
    st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n", b"x"]), max_size=6
)
requests = st.lists(st.tuples(st.booleans(), bodies.map(b"".join)), max_size=5)
cuts = st.lists(st.integers(0, 1_000), max_size=40)


def encode(number: int, chunked: bool, body: bytes) -> bytes:
    head = b"\r\n" * (number % 2) + b"POST /%d HTTP/1.1\r\nHost: a\r\n" % number
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
    return head + b"Transfer-Encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (chunks, b"T: x\r\n" * (number % 3))


def parse(pieces: list[bytes]) -> list[tuple[str, bytes]]:
    parser = RequestParser(LIMITS)
    parsed: list[tuple[str, bytes]] = []
    open_body = False
    for piece in pieces:
        parser.feed(piece)
        while True:
            if open_body:
                path, body = parsed[-1]
                parsed[-1] = (path, body + parser.read_body())
                open_body = not parser.body_complete
            if open_body or (head := parser.read_head()) is None:
                break
            parsed.append((head.path, b""))
            open_body = True
    assert not open_body
    return parsed


@given(requests=requests, cuts=cuts)
def test_requests_are_the_same_however_the_bytes_are_cut(requests, cuts):
    data = b"".join(encode(number, chunked, body) for number, (chunked, body) in enumerate(requests))
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert parse(pieces) == [(f"/{number}", body) for number, (_, body) in enumerate(requests)]


def status_of_chunked(data: bytes) -> int:
    parser = RequestParser(LIMITS)
    parser.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    try:
        while parser.read_head() is not None:
            assert len(parser.read_body()) <= LIMITS.body_bytes_max
            if not parser.body_complete:
                break
    except HttpError as error:
        return error.status
    return 200


@given(data=st.binary(max_size=300), tail=st.sampled_from([b"", b"\r\n\r\n"]))
def test_any_bytes_are_parsed_or_refused(data, tail):
    assert status_of_chunked(data + tail) in {200, 400, 413, 421, 431, 501, 505}


def test_pipelined_requests_wait_as_bytes_and_not_as_objects():
    parser = RequestParser(LIMITS)
    request = encode(0, False, b"")
    parser.feed(request * 100)
    for left in range(99, -1, -1):
        assert parser.read_head() is not None
        assert parser.body_complete
        assert parser.pending_bytes == left * len(request)


@pytest.mark.parametrize("size", [257, 100_000])
def test_body_of_any_excess_is_refused(size):
    parser = RequestParser(LIMITS)
    parser.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    with pytest.raises(HttpError, match="413"):
        parser.read_head()
