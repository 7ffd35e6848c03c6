"""Settings as a form: every one that the API describes, once, with a value that saves as it was."""

import attrs
import pytest

from config.live_settings import FIELDS, live_document_of
from config.strategy_settings import document_of, settings_from
from engine.api.answer import encode
from engine.api.setting_answers import setting_answers
from engine.pages.in_process import _decode
from engine.pages.setting_form import BOT_GROUPS, LIVE_GROUPS, setting_groups, written
from protocols.live.settings import LiveSettings
from protocols.strategies import StrategySettings

BOT_FIELDS = attrs.fields_dict(StrategySettings)


def described(fields, defaults):
    return _decode(encode(setting_answers(fields, defaults)))


def groups_of(settings):
    document = document_of(settings)
    return setting_groups(described(BOT_FIELDS, document_of(StrategySettings())), document, BOT_GROUPS)


def test_every_setting_stands_in_one_group():
    names = [field.name for group in groups_of(StrategySettings()) for field in group.fields]
    assert sorted(names) == sorted(BOT_FIELDS)
    assert {name for _, group in BOT_GROUPS for name in group} == set(BOT_FIELDS)
    live = setting_groups(
        described(FIELDS, live_document_of(LiveSettings())), live_document_of(LiveSettings()), LIVE_GROUPS
    )
    assert sorted(field.name for group in live for field in group.fields) == sorted(FIELDS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"market_categories": ["NBA", "a b"], "target_traders": ["0x" + "1" * 40], "min_conviction": "0"},
        {"conflict_policy": "net", "max_targets_per_side": 3, "max_event_exposure_usd": "0"},
        {"description": "two\nlines", "end_date": "2026-12-31T00:00:00Z", "copy_sells": False, "bet_size": "0"},
    ],
)
def test_a_form_that_is_sent_as_it_stands_changes_nothing(changes):
    settings = settings_from(changes)
    sent = {}
    for group in groups_of(settings):
        for field in group.fields:
            if field.kind == "flag":
                sent[field.name] = field.is_on
            elif field.kind in ("wallets", "words"):
                sent[field.name] = field.value.split("\n") if field.value else []
            elif field.value == "":
                # Whoever empties a field means what its `data-empty` says; one that has none may not be empty.
                assert field.empty in ("null", "text"), field.name
                sent[field.name] = {"null": None, "text": ""}[field.empty]
            else:
                sent[field.name] = field.value
    assert settings_from(sent) == settings


def test_numbers_tell_their_range_and_lists_their_words():
    by_name = {field.name: field for group in groups_of(StrategySettings()) for field in group.fields}
    bet, count, mode = by_name["bet_size"], by_name["min_trader_resolved_count"], by_name["target_mode"]
    assert (bet.at_least, bet.at_most, bet.default, bet.may_be_off) == ("0", "1000000", "1.2", False)
    assert (count.at_least, count.at_most, count.step) == ("0", "1000000", "1")
    assert list(mode.options) == ["list", "followed", "leaderboard", "everyone"]
    assert by_name["min_edge"].may_be_off


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [(None, "decimal", "off"), (None, "time", "none"), (True, "flag", "yes"), (False, "flag", "no"), ([], "words", "none"),
     (["a", "b"], "words", "a, b"), ("", "text", "empty"), ("0", "decimal", "0"), (0, "whole", "0")],
)  # fmt: skip
def test_defaults_are_written_for_people_and_zero_is_a_value(value, kind, text):
    assert written(value, kind) == text
