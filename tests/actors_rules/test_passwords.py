import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.rules.passwords import PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, password_problem

texts = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=60)


@pytest.mark.parametrize(
    "password",
    ["four plain words here", "correct-horse-battery", "tr0ub4dor&3xyz", "ünïcödé wörter", "x9!kQ2#mLp",
     "passwords are a nuisance", "annual rainfall 1994", "0123456789abcdef!?z"],
)  # fmt: skip
def test_a_good_password_is_taken(password):
    assert password_problem(password, "ann") is None


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("", "at least 10"),
        ("x9!kQ2#mL", "at least 10"),
        ("é" * 513, "at most 1024 bytes"),
        ("four plain\nwords", "line breaks"),
        ("four plain\x00words", "control"),
        ("aaaaaaaaaaaa", "repeats"),
        ("ababababababab", "repeats"),
        ("ABCabcabcABC", "repeats"),
        ("aabbaabbaabbab", "repeats"),
        ("0123456789", "row of keys"),
        ("9876543210", "row of keys"),
        ("qwertyuiop", "row of keys"),
        ("abcdefghijk", "row of keys"),
        ("password123", "everybody tries"),
        ("P@ssw0rd2024", "everybody tries"),
        ("Passwort!!1", "everybody tries"),
        ("polycopy1234", "everybody tries"),
        ("polymarket!1", "everybody tries"),
        ("ann.smith@1", "user's name"),
        ("Ann.Smith12345", "user's name"),
    ],
)
def test_a_trivial_one_is_refused_with_its_reason(password, word):
    problem = password_problem(password, "ann.smith@example.org")
    assert word in problem
    assert not password or password not in problem


@given(password=texts, name=texts)
def test_it_judges_everything_and_never_repeats_it(password, name):
    problem = password_problem(password, name)
    if problem is None:
        assert len(password) >= PASSWORD_CHARS_MIN
        assert len(password.encode()) <= PASSWORD_BYTES_MAX
        assert password.casefold() != name.casefold()
    else:
        assert len(password) < PASSWORD_CHARS_MIN or password not in problem


def test_a_lone_surrogate_is_no_password():
    assert password_problem("\ud800" * 12, "ann") is not None
