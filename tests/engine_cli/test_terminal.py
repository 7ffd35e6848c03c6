import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.terminal import echo_table, plain

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\n\t\x9b31m\u202eevil\u200b\ud800\x00"


def test_nothing_that_drives_a_terminal_gets_through():
    assert plain(HOSTILE) == "?[2J?]0;owned?????31m?evil???"


@given(st.text(alphabet=st.characters(codec=None)))
def test_plain_text_is_always_printable_and_encodable(text):
    shown = plain(text, 50)
    assert shown.isprintable()
    assert len(shown) <= 50
    shown.encode()


@pytest.mark.parametrize(("text", "shown"), [("abcdef", "abcdef"), ("abcdefg", "abcde…")])
def test_long_text_is_cut(text, shown):
    assert plain(text, 6) == shown


def test_a_table_is_aligned_and_has_one_line_a_row(capsys):
    echo_table(("name", "count"), [("a", 1), ("longer\x1b", 1234)], right={1})
    assert capsys.readouterr().out == "name     count\na            1\nlonger?   1234\n"
