"""Settings of live strategies: every rule whose type allows it can be turned off, and reading what was written is the same."""

import attrs
import pytest

from config.live_settings import FIELDS, live_document_of, live_settings_from
from config.strategy_settings import SettingsError
from protocols.live.settings import LiveSettings

MAY_BE_OFF = [field.name for field in attrs.fields(LiveSettings) if "None" in str(field.type)]


def test_there_are_rules_that_may_be_off():
    assert {"max_price_rise_pct", "min_book_depth_pct", "max_consecutive_failures", "stop_loss_pct"} <= set(MAY_BE_OFF)


@pytest.mark.parametrize("name", sorted(FIELDS))
@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_turns_a_rule_off_where_its_type_says_so_and_is_refused_elsewhere(name, nothing):
    if name in MAY_BE_OFF:
        assert getattr(live_settings_from({name: nothing}), name) is None
    elif FIELDS[name].metadata["kind"] != "text":
        with pytest.raises(SettingsError, match=name):
            live_settings_from({name: nothing})


@pytest.mark.parametrize("name", [name for name in MAY_BE_OFF if FIELDS[name].metadata.get("low") in (0, None)])
def test_zero_is_a_value_and_not_off(name):
    assert getattr(live_settings_from({name: "0"}), name) == 0


def test_what_was_written_reads_as_the_same():
    settings = live_settings_from({**dict.fromkeys(MAY_BE_OFF), "slippage_tolerance_pct": "1.25", "copy_sells": False})
    assert live_settings_from(live_document_of(settings)) == settings
    assert live_settings_from(live_document_of(LiveSettings())) == LiveSettings()
