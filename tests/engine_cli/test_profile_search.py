import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.profile_search import NameNotResolvedError, Profile, decode_profiles, wallet_of
from protocols.errors import TransientError

ONE, TWO = "0x" + "1" * 40, "0x" + "2" * 40


def profile(wallet=ONE, name="PPMT", pseudonym="Rowdy-Tenement"):
    return Profile(wallet=wallet, name=name, pseudonym=pseudonym)


@pytest.mark.parametrize("name", ["PPMT", "ppmt", "rowdy-TENEMENT"])
def test_a_name_or_pseudonym_is_found_case_apart(name):
    others = [profile(TWO, "PPMT2", "Rowdy"), profile(TWO, "a PPMT", "")]
    assert wallet_of(name, [*others, profile()]) == ONE


def test_several_rows_of_one_wallet_are_one_trader():
    assert wallet_of("ppmt", [profile(), profile()]) == ONE


def test_several_traders_of_one_name_are_listed_and_none_is_chosen():
    with pytest.raises(NameNotResolvedError, match=f"several.*{ONE}.*{TWO}"):
        wallet_of("PPMT", [profile(), profile(TWO, "other", "ppmt")])


def test_a_name_that_only_resembles_is_not_found():
    with pytest.raises(NameNotResolvedError, match=f"no trader is called so; similar: PPMT {ONE}"):
        wallet_of("PPM", [profile()])


def test_the_list_of_candidates_is_short_and_cannot_drive_the_terminal():
    many = [profile(f"0x{i:040x}", f"\x1b[2Jname{i}") for i in range(30)]
    with pytest.raises(NameNotResolvedError) as error:
        wallet_of("x", many)
    assert "and 25 more" in str(error.value)
    assert "\x1b" not in str(error.value)


def test_profiles_are_read_and_those_without_a_wallet_left_out():
    body = {
        "events": [{"deep": [1]}],
        "profiles": [
            {"name": "PPMT", "pseudonym": None, "proxyWallet": ONE.upper().replace("0X", "0x")},
            {"name": "no wallet"},
            {"name": 5, "proxyWallet": TWO},
            {"name": "bad", "proxyWallet": "0x12"},
            "nonsense",
        ],
    }
    assert decode_profiles(json.dumps(body).encode()) == [profile(pseudonym=""), profile(TWO, "", "")]


@pytest.mark.parametrize("body", [b"{}", b'{"profiles": null}', b'{"profiles": {}}'])
def test_an_answer_without_profiles_has_none(body):
    assert decode_profiles(body) == []


@given(
    st.binary(max_size=50)
    | st.sampled_from([b"[]", b"NaN", b"<html>", b'{"profiles": [[[', b'{"profiles": [1, [], {}]}'])
)
def test_no_answer_breaks_the_reading(body):
    with suppress(TransientError):
        assert decode_profiles(body) == []
