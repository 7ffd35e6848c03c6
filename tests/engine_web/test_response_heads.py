import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.web.http_response import ResponseEncoder

names = st.sampled_from(
    [b"content-type", b"Content-Length", b"connection", b"date", b"transfer-encoding", b"X-Own", b"retry-after"]
)
words = st.sampled_from([b"2", b"7", b"close", b"keep-alive", b"text/event-stream", b"a\r\nb", b"a\0", b""])
statuses = st.sampled_from([200, 204, 304, 404])


def encoded(status, headers):
    encoder = ResponseEncoder(method="GET", http_version="1.1", keep_alive=True, date=b"date: now\r\n")
    try:
        head = encoder.start(status, headers) or encoder.body(b"12", more=True)
    except ValueError as error:
        return str(error)
    return head, encoder.keep_alive, encoder.is_event_stream, encoder.complete


@given(statuses, st.lists(st.tuples(names, words), max_size=4))
def test_a_head_that_was_written_before_is_written_the_same(status, headers):
    expected = encoded(status, headers)
    assert encoded(status, tuple(headers)) == expected
    assert encoded(status, tuple(headers)) == expected


def test_what_one_response_says_of_its_connection_is_not_said_of_the_next():
    closing = ((b"content-length", b"2"), (b"connection", b"close"), (b"date", b"then"))
    for _ in range(2):
        head, keep_alive, _, _ = encoded(200, closing)
        assert not keep_alive
        assert b"date: now" not in head
    head, keep_alive, _, _ = encoded(200, ((b"content-length", b"2"),))
    assert keep_alive
    assert b"date: now" in head


@pytest.mark.parametrize("kind", [list, tuple])
def test_pairs_may_be_lists(kind):
    assert encoded(200, kind([[b"content-length", b"2"]])) == encoded(200, [(b"content-length", b"2")])
