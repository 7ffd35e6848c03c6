"""The families that come with the program can all be made, together too."""

import re

from config.strategy_files import bots_to_toml, entries_from_toml, settings_of_entries
from config.strategy_settings import document_of, settings_from, warnings_of
from config.strategy_template import FOLDER, template, templates
from protocols.strategies import WALLET_ID_PATTERN, StrategySettings

ALL = [(family.name, name, settings) for family in templates() for name, settings in family.bots]

TO_BE_FILLED = ("mirror", "top-winners")


def test_there_are_at_least_thirty_strategies_in_families_with_a_description():
    assert len(ALL) >= 30
    for family in templates():
        assert family.bots
        assert 10 <= len(family.description) <= 120, family.name
        assert re.fullmatch("[a-z0-9-]+", family.name)
        assert template(family.name) == family
    assert template("none of them") is None
    assert template("../" + FOLDER) is None


def test_names_are_those_of_strategies_and_unique_over_all_families():
    names = [name for _, name, _ in ALL]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(WALLET_ID_PATTERN, name) for name in names)


def test_every_strategy_reads_back_and_is_meant():
    for family, name, settings in ALL:
        assert settings_from(document_of(settings)) == settings, (family, name)
        assert settings_of_entries(entries_from_toml(bots_to_toml([(name, settings)]))) == [(name, settings)]
        assert settings.description, name
        assert settings.strategy_name, name
        assert settings.is_active, name
        # Only lists that somebody has to fill.
        assert len(warnings_of(settings)) == (family in TO_BE_FILLED), name
        assert settings.max_bet > 0, name


def test_no_two_strategies_of_a_family_do_the_same():
    words = ("display_name", "description", "hypothesis", "thesis_tier", "strategy_name")
    for family in (one for one in templates() if one.name not in TO_BE_FILLED):
        rules = [
            tuple((name, repr(value)) for name, value in document_of(settings).items() if name not in words)
            for _, settings in family.bots
        ]
        assert len(set(rules)) == len(rules), family.name


def test_the_families_of_the_reference_are_there():
    # Each setting that a rule depends on is used by some strategy.
    used = {
        name
        for _, _, settings in ALL
        for name, value in document_of(settings).items()
        if value != document_of(StrategySettings())[name]
    }
    assert {
        "allocation_method", "price_min", "price_max", "min_edge", "min_conviction", "use_model", "trade_live_only",
        "market_categories", "max_bet", "bet_size", "min_trader_win_rate",
    } <= used  # fmt: skip
