import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.wallet_forms import Trader, WalletFormError, parse_arguments, parse_lines, parse_trader

WALLET = "0x510f4963b66b1b18505faab74b0bb943d1dda43c"
MIXED = "0x510F4963b66B1B18505faaB74b0bB943D1dDa43C"


@pytest.mark.parametrize(
    "text",
    [
        WALLET,
        MIXED,
        MIXED.upper(),
        f"  {WALLET}\t",
        f"@{MIXED}",
        f"https://polymarket.com/profile/{MIXED}",
        f"https://polymarket.com/profile/{MIXED}?tab=activity#top",
        f"http://www.polymarket.com/profile/{WALLET}/",
        f"https://POLYMARKET.com/fr/profile/{WALLET}",
        f"polymarket.com/profile/{WALLET}",
        f"https://polymarket.com/@{WALLET}",
    ],
)
def test_a_wallet_in_any_form_is_the_wallet_in_lower_case(text):
    assert parse_trader(text) == Trader(wallet=WALLET)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@PPMT", "PPMT"),
        ("@mañana-kid", "mañana-kid"),
        ("@ quiet oracle ", "quiet oracle"),
        ("https://polymarket.com/@PPMT", "PPMT"),
        ("https://polymarket.com/@PPMT?via=x", "PPMT"),
        ("https://polymarket.com/profile/@PPMT", "PPMT"),
        ("https://polymarket.com/profile/%40ma%C3%B1ana-kid", "mañana-kid"),
        ("https://polymarket.com/profile/PPMT", "PPMT"),
        ("polymarket.com/@PPMT", "PPMT"),
        (f"@{WALLET}-1700000000000", f"{WALLET}-1700000000000"),
    ],
)
def test_a_name_in_any_form_is_the_name(text, name):
    assert parse_trader(text) == Trader(name=name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a wallet"),
        ("PPMT", "is not a wallet"),
        ("0x", "is not a wallet"),
        (WALLET[:-1], "has 39 hex digits; a wallet has 40"),
        ("0x" + "a" * 64, "has 64 hex digits"),
        (WALLET[2:], "is not a wallet"),
        (WALLET[:-1] + "g", "is not a wallet"),
        ("@", "a name has 1 to 200"),
        ("@a\x1b[2J", "printable"),
        ("@" + "a" * 201, "a name has 1 to 200"),
        ("https://polymarket.com/", "not the address of a profile"),
        ("https://polymarket.com/profile", "not the address of a profile"),
        ("https://polymarket.com/event/some-event", "not the address of a profile"),
        (f"https://evil.example/profile/{WALLET}", "not an address of polymarket.com"),
        (f"https://polymarket.com.evil.example/profile/{WALLET}", "not an address of polymarket.com"),
        (f"https://polymarket.com@evil.example/profile/{WALLET}", "not an address of polymarket.com"),
        (f"ftp://polymarket.com/profile/{WALLET}", "not an address of polymarket.com"),
        ("https://[::1/profile/x", "can be read"),
    ],
)
def test_what_names_nobody_is_refused_with_its_reason(text, reason):
    with pytest.raises(WalletFormError, match=reason):
        parse_trader(text)


@given(st.text() | st.text(alphabet="0xX@/:.polymarketcom%[]#? \x00").map(lambda text: f"https://{text}"))
def test_no_text_breaks_the_reading(text):
    try:
        trader = parse_trader(text)
    except WalletFormError:
        return
    assert (trader.wallet is None) != (trader.name is None)


def test_a_file_may_hold_comments_blank_lines_and_windows_line_ends():
    data = f"\ufeff# my traders\r\n\r\n{MIXED} # the whale\r\n   @PPMT\t#second\n{WALLET}#no comment".encode()
    entries, problems = parse_lines(data, "traders.txt")
    assert [(entry.trader, entry.origin) for entry in entries] == [
        (Trader(wallet=WALLET), "traders.txt:3"),
        (Trader(name="PPMT"), "traders.txt:4"),
    ]
    assert problems == [f"traders.txt:5: {WALLET}#no comment: is not a wallet (0x and 40 hex digits), "
                        "a profile address or an @name"]  # fmt: skip


def test_every_bad_line_is_reported_with_its_number():
    data = b"nobody\n" + WALLET.encode() + b"\n0x12\n\xff\xfe\n@ok\n\x1b[2J\n"
    entries, problems = parse_lines(data, "f")
    assert [entry.origin for entry in entries] == ["f:2", "f:5"]
    assert [problem.split(":")[1] for problem in problems] == ["1", "3", "4", "6"]
    assert "\x1b" not in "".join(problems)


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reading(data):
    entries, problems = parse_lines(data, "f")
    assert len(entries) + len(problems) <= len(data.splitlines())


def test_arguments_are_reported_by_themselves():
    entries, problems = parse_arguments([WALLET, "x", "@y", "z"])
    assert len(entries) == 2
    assert [problem.split(":")[0] for problem in problems] == ["x", "z"]
