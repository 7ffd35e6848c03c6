"""Every setting of a strategy stands on its page, and what the page computes is what the program computes."""

import re
from decimal import Decimal

import attrs
import pytest
from actors_strategy.judged_trades import TRADE, reason_of
from documents.strategy_tables import conflict_in, expected_row, rows_under, settings_in, trade_in

from actors.rules.strategy.conflict_gates import CONFLICT_GATES
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.gates import GATES
from actors.rules.strategy.sizing import stake_usd
from actors.rules.strategy.traits import traits_of
from config.live_settings import live_document_of, live_settings_from
from config.strategy_settings import document_of, settings_from
from config.strategy_template import templates
from protocols.decisions import Reason
from protocols.live.settings import LiveSettings
from protocols.strategies import AllocationMethod, StrategySettings

PAPER, LIVE = rows_under("Every setting"), rows_under("Every setting of a live strategy")
GATE_ROWS, STAKES = rows_under("Gates"), rows_under("Stakes")
CONFLICTS = rows_under("Conflicts between targets")
CASES = [
    (StrategySettings, document_of, settings_from, PAPER),
    (LiveSettings, live_document_of, live_settings_from, LIVE),
]


@pytest.mark.parametrize(("cls", "document", "read", "rows"), CASES, ids=["paper", "live"])
def test_each_setting_has_its_row_with_an_example_that_is_allowed(cls, document, read, rows):
    written = document(cls())
    fields = attrs.fields(cls)
    assert [row[0] for row in rows] == [f"`{field.name}`" for field in fields]
    for row, field in zip(rows, fields, strict=True):
        assert row[:4] == expected_row(field, written[field.name])
        examples = re.findall(rf"`{field.name}=([^`]*)`", row[4])
        assert examples, field.name
        for value in examples:
            extra = {"model_threshold": "0.5"} if field.name == "use_model" else {}
            changed = getattr(read({**extra, field.name: value}), field.name)
            assert changed != getattr(cls(), field.name), f"{field.name}={value} is the default"


@pytest.mark.parametrize("row", GATE_ROWS, ids=[row[0] for row in GATE_ROWS])
def test_one_trade_passes_a_gate_and_the_other_does_not(row):
    name, settings, passes, fails = row
    limits = settings_in(settings)
    assert reason_of(limits, trade_in(passes)) == "taken"
    assert reason_of(limits, trade_in(fails)) == name.strip("`")


def test_every_gate_is_shown_but_those_that_no_setting_limits():
    shown = {row[0].strip("`") for row in GATE_ROWS}
    explained = {"excluded_trader", "outside_window", "market_not_found", "market_resolved", "after_market_end"}
    explained |= {"not_target_trader", "no_game_start_time"}
    assert shown | explained >= {gate.reason.value for gate in GATES} | {Reason.ZERO_STAKE.value}


@pytest.mark.parametrize("row", CONFLICTS, ids=[row[0] for row in CONFLICTS])
def test_a_policy_lets_one_trade_pass_and_not_the_other(row):
    name, settings, passes, fails = row
    chain = Chain.of(settings_in(settings), None)
    for cell, expected in ((passes, None), (fails, name.strip("`"))):
        inputs, stand = conflict_in(cell)
        assert chain.first_conflict(traits_of(inputs), stand) == expected


def test_every_policy_is_shown_in_its_place():
    assert [row[0].strip("`") for row in CONFLICTS] == [gate.reason.value for gate in CONFLICT_GATES]


@pytest.mark.parametrize("row", STAKES, ids=[row[0] for row in STAKES])
def test_stakes_are_computed(row):
    settings, trade, stake, _ = row
    assert str(stake_usd(settings_in(settings), traits_of(trade_in(trade)), Decimal(1000))) == stake


def test_every_way_to_find_a_stake_is_shown():
    assert {settings_in(row[0]).allocation_method for row in STAKES} == set(AllocationMethod)


def test_the_trade_of_the_page_is_what_it_says():
    traits = traits_of(TRADE)
    assert (traits.price, traits.entry, traits.trade_usd) == (Decimal("0.40"), Decimal("0.4012"), 40)
    assert (traits.conviction, traits.overall.edge, traits.overall.win_rate) == (2, Decimal("0.1988"), Decimal("0.6"))


def test_all_templates_are_named():
    rows = rows_under("Templates")
    assert [(row[0].strip("`"), int(row[1]), row[2]) for row in rows] == [
        (one.name, len(one.bots), one.description) for one in templates()
    ]
