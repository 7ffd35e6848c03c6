"""Strategies as TOML files: written files read back, and mistakes are told with their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.made_settings import made_settings

from config.strategy_files import bots_to_toml, entries_from_toml, settings_of_entries
from config.strategy_settings import SettingsError, settings_from
from protocols.strategies import WALLET_ID_PATTERN, StrategySettings

NAMES = st.one_of(
    st.from_regex(WALLET_ID_PATTERN, fullmatch=True).filter(str.isascii),
    st.sampled_from(["a.b", "0", "true", "1.5", "a..b", "x" * 64, "inf", "2026-01-01", "A-b_c.d", "9_", "bots"]),
)


def problems(text):
    with pytest.raises(SettingsError) as error:
        settings_of_entries(entries_from_toml(text))
    return [(one.field, one.message) for one in error.value.problems]


def fields(text):
    return [field for field, _ in problems(text)]


@given(st.dictionaries(NAMES, made_settings(), min_size=1, max_size=4))
@QUICK
def test_what_was_written_reads_back_as_the_same_strategies_in_the_same_order(bots):
    text = bots_to_toml(bots.items())
    assert settings_of_entries(entries_from_toml(text)) == list(bots.items())
    assert bots_to_toml(settings_of_entries(entries_from_toml(text))) == text


@given(made_settings(), made_settings())
@QUICK
def test_a_setting_that_a_file_does_not_name_stays(before, after):
    [entry] = entries_from_toml("[bots.A]\nbet_size = 3\nprice_max = 1\n")
    assert entry.settings(before) == settings_from({"bet_size": 3, "price_max": 1}, before)
    [entry] = entries_from_toml(bots_to_toml([("A", after)]))
    assert entry.settings() == after


def test_a_file_names_every_setting_so_that_it_brings_back_what_was_changed_meanwhile():
    settings = settings_from({"min_edge": None, "bet_size": "0.10", "description": 'a "b"', "is_active": False})
    text = bots_to_toml([("A", settings), ("b.c", StrategySettings())])
    for line in (
        '\ndescription = "a \\"b\\""\n',
        "\nis_active = false\n",
        '\nmin_edge = ""\n',
        "\nbet_size = 0.1\n",
        '[bots."b.c"]\n',
    ):
        assert line in text
    changed = settings_from(
        {"price_max": "0.5", "target_traders": ["0x" + "a" * 40], "bet_size": 9, "description": "now"}
    )
    for entry, before in zip(entries_from_toml(text), (settings, StrategySettings()), strict=True):
        assert entry.settings(changed) == before


def test_a_number_keeps_its_digits():
    text = "[bots.A]\nmin_edge = 0.1\nmin_conviction = 1_000.000001\nmax_bet = 1e2\n"
    [(_, settings)] = settings_of_entries(entries_from_toml(text))
    assert [str(getattr(settings, name)) for name in ("min_edge", "min_conviction", "max_bet")] == [
        "0.1", "1000.000001", "100"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[bots.A]\nbet_size = = 3\n", 2),
        ("[bots.A]\n\n\nbet_size = 1\nbet_size = 2\n", 5),
        ('\ndescription = "no end\n', 2),
        ("[bots.A]\n[bots.A]\n", 2),
        ("[bots.A\n", 1),
        ("bot A\n", 1),
        ("[bots.A]\nbet_size = 0x\n", 2),
    ],
)
def test_a_mistake_of_the_language_is_told_with_its_line(text, line):
    [(field, message)] = problems(text)
    assert field == "file"
    assert f"line {line}" in message


@pytest.mark.parametrize(
    "text",
    [
        "[bots.A]\nbet_size = " + "9" * 5_000,
        "[bots.A]\nbet_size = -" + "9" * 5_000,
        "[bots.A]\nbet_size = 1e" + "9" * 30,
        "[bots.A]\nbet_size = 0." + "1" * 5_000,
        "[bots.A]\nbet_size = nan",
        "[bots.A]\nbet_size = -inf",
        "[bots.A]\nbet_size = 0x" + "f" * 5_000,
        "[bots.A]\nmarket_categories = " + "[" * 5_000,
        "[bots.A]\nstart_date = 2026-02-30T00:00:00Z",
        "[bots.A]\nstart_date = 10:00:00",
        "[bots.A]\nbet_size = { a = 1 }",
        '\ndescription = "\\ud800"',
        "\0",
    ],
)
def test_what_no_setting_can_be_is_a_mistake_and_no_crash(text):
    assert len(problems(text)) == 1


def test_every_mistake_of_every_strategy_is_told():
    text = """
    [bots.A]
    bet_size = -1
    nonsense = 1
    [bots.B]
    price_min = 0.9
    price_max = 0.1
    [bots.C]
    """
    assert fields(text) == ["A.bet_size", "A.nonsense", "B.price_min"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", ["bots"]),
        ("# nothing\n", ["bots"]),
        ("[bots]\n", ["bots"]),
        ("bots = 1\n", ["bots"]),
        ("[[bots]]\nA = 1\n", ["bots"]),
        ("[bots]\nA = 1\n", ["bots"]),
        ("x = 1\n[engine]\n[bots.A]\n", ["x", "engine"]),
        ('[bots."a b"]\n[bots._a]\n[bots.""]\n[bots.ok]\n', ["bots.a b", "bots._a", "bots."]),
        (f'[bots."{"x" * 65}"]\n', [f"bots.{'x' * 65}"]),
        ('[bots."é"]\n', ["bots.é"]),
        ('[bots."a\\n"]\n', ["bots.a\n"]),
        ("[bots.A.B]\n", ["A.B"]),
    ],
)
def test_what_is_no_file_of_strategies_is_named(text, wrong):
    assert fields(text) == wrong


@given(st.text(max_size=200))
@QUICK
def test_any_text_is_read_or_refused(text):
    for wanted in (text, "[bots.A]\n" + text, "[bots.A]\nbet_size = " + text):
        try:
            settings_of_entries(entries_from_toml(wanted))
        except SettingsError as error:
            assert error.problems
