"""Settings of strategies as documents: what is allowed at and beyond every limit, and every mistake named."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import QUICK
from property.made_settings import FIELDS, PAIRS, made_settings

from config.strategy_settings import SettingsError, document_of, settings_from, warnings_of
from protocols.strategies import StrategySettings

WALLET = "0x" + "a" * 40
# Settings with which each setting may have its limits without contradicting another.
ROOM = StrategySettings(min_bet=Decimal(0), max_bet=Decimal(1_000_000), min_edge=None, model_threshold=Decimal("0.5"))

GARBAGE = ("NaN", "sNaN", "Infinity", "-inf", "1e999", "1e-999", "9" * 5_000, 10**5_000, -(10**5_000), "0." + "1" * 39, True,
           False, float("nan"), float("inf"), 1e308, Decimal("NaN"), Decimal("sNaN"), Decimal("1e999999"), [], {}, [1],
           "\ud800", "one", "0x1", "1,5", "--1", b"1")  # fmt: skip


def kinds(*wanted):
    return [name for name, field in FIELDS.items() if field.metadata["kind"] in wanted]


def wrong_fields(document, base=None):
    with pytest.raises(SettingsError) as error:
        settings_from(document, base)
    assert all(problem.message for problem in error.value.problems)
    return [problem.field for problem in error.value.problems]


def taken(name, value):
    return getattr(settings_from({name: value}, ROOM), name)


@given(made_settings())
@QUICK
def test_a_document_reads_back_as_the_same_settings_through_json_too(settings):
    document = document_of(settings)
    assert settings_from(document) == settings
    assert settings_from(json.loads(json.dumps(document)), ROOM) == settings
    assert document_of(settings_from(document)) == document


@given(made_settings(), st.sampled_from(list(FIELDS)), st.data())
@QUICK
def test_what_a_document_does_not_name_comes_from_the_base(base, name, data):
    after = settings_from({name: document_of(base)[name]}, base)
    assert after == base
    assert settings_from({}, base) == base


@pytest.mark.parametrize("name", kinds("decimal"))
def test_a_decimal_is_taken_to_its_limits_and_decimals_and_no_further(name):
    rule = FIELDS[name].metadata
    low, high, step = rule["low"], rule["high"], Decimal(1).scaleb(-rule["places"])
    assert taken(name, low) == low
    assert taken(name, str(high)) == high
    inside = low + step
    assert taken(name, f" {inside} ") == taken(name, inside) == taken(name, f"{inside}000") == inside
    for beyond in (low - step, high + step, low + step / 10, high + 1, low - 1):
        assert wrong_fields({name: beyond}) == [name], beyond
        assert wrong_fields({name: str(beyond)}) == [name], beyond


@pytest.mark.parametrize("name", kinds("whole"))
def test_a_whole_number_is_taken_to_its_limits_and_is_whole(name):
    low, high = FIELDS[name].metadata["low"], FIELDS[name].metadata["high"]
    assert [taken(name, value) for value in (low, high, str(low), f"{high}.0", Decimal(low))] == [
        low, high, low, high, low
    ]  # fmt: skip
    assert type(taken(name, f"{high}.0")) is int
    for beyond in (low - 1, high + 1, f"{low}.5", "x"):
        assert wrong_fields({name: beyond}) == [name], beyond


@pytest.mark.parametrize("name", [n for n in kinds("decimal", "whole") if FIELDS[n].metadata["low"] <= 0])
def test_zero_is_a_value_and_switches_nothing_off(name):
    for zero in (0, "0", "0.00", Decimal(0), -0.0, "-0"):
        value = taken(name, zero)
        assert value is not None
        assert str(value) == "0", zero
    assert document_of(settings_from({name: 0}, ROOM))[name] in ("0", 0)


@pytest.mark.parametrize("name", kinds("decimal", "whole"))
def test_what_is_no_number_is_refused_without_a_crash(name):
    for garbage in GARBAGE:
        assert wrong_fields({name: garbage}) == [name]
        assert wrong_fields({name: garbage}, ROOM) == [name]


@pytest.mark.parametrize("name", list(FIELDS))
def test_nothing_switches_off_what_may_be_off_and_is_refused_elsewhere(name):
    rule = FIELDS[name].metadata
    for nothing in (None, ""):
        if rule["kind"] == "text":
            assert taken(name, nothing) == ""
        elif rule.get("optional"):
            assert taken(name, nothing) is None
        elif rule["kind"] in ("wallets", "words") and nothing == "":
            assert taken(name, nothing) == ()  # an empty list, as on a command line
        else:
            assert wrong_fields({name: nothing}) == [name]


@pytest.mark.parametrize("name", kinds("flag"))
def test_a_flag_is_true_or_false(name):
    assert [taken(name, value) for value in (True, "true", False, "false")] == [True, True, False, False]
    for other in (0, 1, "True", "yes", [], {}, Decimal(1)):
        assert wrong_fields({name: other}) == [name]


@pytest.mark.parametrize("name", kinds("choice"))
def test_a_choice_is_one_of_its_words(name):
    for option in FIELDS[name].metadata["options"]:
        assert taken(name, option.value) is option
    for other in ("nothing of it", 1, 10**5_000, True, [], {}, "\ud800"):
        assert wrong_fields({name: other}) == [name]


@pytest.mark.parametrize("name", kinds("text"))
def test_a_text_is_kept_as_it_is_to_its_length(name):
    most = FIELDS[name].metadata["chars_max"]
    for text in (" a\n\"b' ", "𝄞" * most):
        assert taken(name, text) == text
    for other in ("x" * (most + 1), "a\0b", "\ud800", 1, [], True):
        assert wrong_fields({name: other}) == [name]


@pytest.mark.parametrize("name", kinds("wallets"))
def test_wallets_are_lower_case_unique_and_bounded(name):
    other = "0x" + "B" * 40
    assert taken(name, [other, WALLET, WALLET.upper().replace("X", "x")]) == (other.lower(), WALLET)
    assert taken(name, f"{WALLET}, {other}".replace(" ", "")) == (WALLET, other.lower())
    many = [f"0x{number:040x}" for number in range(20_001)]
    assert len(taken(name, many[:-1])) == 20_000
    for garbage in (many, [WALLET + "0"], ["0x"], [1], [None], [WALLET + "\n"], {WALLET: 1}, 7, [["x"]], ["\ud800"]):
        assert wrong_fields({name: garbage}) == [name]


@pytest.mark.parametrize("name", kinds("words"))
def test_words_are_unique_and_none_is_empty(name):
    assert taken(name, [" NBA ", "nba", "NBA"]) == ("NBA", "nba")
    assert len(taken(name, [str(number) for number in range(100)])) == 100
    for garbage in ([str(n) for n in range(101)], ["x" * 101], [" "], [""], [1], ["a\0"], ["\ud800"], {"a": 1}, True):
        assert wrong_fields({name: garbage}) == [name]


@pytest.mark.parametrize("name", kinds("time"))
def test_a_time_has_a_day_and_may_have_a_zone(name):
    at_ms = 1_780_000_000_123
    moment = datetime.fromtimestamp(1_780_000_000, tz=UTC).replace(microsecond=123_000)
    spellings = (moment, moment.isoformat(), moment.replace(tzinfo=None), at_ms, str(at_ms))
    assert {taken(name, spelling) for spelling in spellings} == {at_ms}
    for garbage in ("soon", "2026-13-01", "0001-01-01", "9999-12-31T23:59:59-14:00", 10**5_000, -1, True, [], {}, "\ud800",
                    datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), moment.date()):  # fmt: skip
        assert wrong_fields({name: garbage}) == [name], garbage


@pytest.mark.parametrize(("low", "high"), PAIRS)
def test_a_least_above_the_greatest_is_a_contradiction_and_equal_is_none(low, high):
    rule = FIELDS[low].metadata
    least, most = rule["low"], rule["high"]
    assert wrong_fields({low: most, high: least}) == [low]
    settings_from({low: most, high: most})
    settings_from({low: least, high: least})
    # Also against what is there already.
    base = settings_from({low: least, high: least})
    assert wrong_fields({low: most}, base) == [low]


def test_dates_and_the_model_contradict_too():
    day, later = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    assert wrong_fields({"start_date": later, "end_date": day}) == ["start_date"]
    assert wrong_fields({"start_date": day, "end_date": day}) == ["start_date"]
    settings_from({"start_date": day, "end_date": later})
    assert wrong_fields({"use_model": True}) == ["model_threshold"]
    assert settings_from({"use_model": True, "model_threshold": 0}).model_threshold == 0


@given(st.data())
@QUICK
def test_every_mistake_is_named_at_once(data):
    beyond = {name: FIELDS[name].metadata["high"] + 1 for name in kinds("decimal", "whole")}
    beyond |= dict.fromkeys(kinds("flag", "choice", "time"), "neither") | dict.fromkeys(kinds("wallets", "words"), 7)
    beyond |= {"bet-size": 1, "BET_SIZE": 1, "": 1, "x" * 200: 1}
    names = data.draw(st.lists(st.sampled_from(list(beyond)), min_size=1, unique=True))
    assert wrong_fields({name: beyond[name] for name in names}) == [name[:80] for name in names]


def test_malformed_and_contradictory_settings_are_told_together():
    assert wrong_fields({"price_min": "0.9", "price_max": "0.1", "bet_size": -1, "use_model": True}) == [
        "bet_size", "price_min", "model_threshold"
    ]  # fmt: skip
    # What is wrong already is not wrong a second time.
    assert wrong_fields({"price_min": "0.9", "price_max": "x"}) == ["price_max"]


def test_the_defaults_and_their_documents_are_allowed():
    assert settings_from({}) == StrategySettings()
    assert settings_from(document_of(StrategySettings())) == StrategySettings()


def test_what_is_probably_not_meant_is_warned_of():
    assert warnings_of(StrategySettings()) == []
    assert len(warnings_of(settings_from({"target_mode": "everyone"}))) == 1
    assert len(warnings_of(settings_from({"target_mode": "list"}))) == 1
    assert warnings_of(settings_from({"target_mode": "list", "target_traders": [WALLET]})) == []
    assert "until" in warnings_of(settings_from({"target_mode": "list", "rotation": "daily"}))[0]
    assert len(warnings_of(settings_from({"target_mode": "followed", "rotation": "weekly"}))) == 1


def test_every_setting_says_what_it_is():
    for field in attrs.fields(StrategySettings):
        assert {"kind", "allowed", "doc"} <= set(field.metadata)
        assert field.metadata["allowed"]
        assert field.metadata["doc"]
