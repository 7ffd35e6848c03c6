from decimal import Decimal
from math import isclose, isnan, log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score.made_inputs import NOW_MS, books, buys, markets, scores

from actors.rules.market_kind import NICHES
from actors.rules.score.feature_names import FEATURES, HIGHEST, LOWEST
from actors.rules.score.features import STRUCTURES, UnfitError, feature_vector
from protocols.decisions import Inputs, MarketInput, ProfileRecord, TraderRecord, WindowRecord

HOUR_MS = 3_600_000
WINDOW = WindowRecord(
    resolved_count=30, win_rate=Decimal("0.6"), trade_count=50, avg_trade_usd=Decimal(100), roi=Decimal("0.25")
)
TRADER = TraderRecord(
    lifetime=WINDOW,
    d30=WindowRecord(),
    d7=WindowRecord(resolved_count=5, win_rate=Decimal("0.8"), trade_count=6),
    profiles=(
        ProfileRecord(niche="NBA", structure="SPREAD", bracket="MID", resolved_count=20, win_rate=Decimal("0.7")),
        ProfileRecord(niche="NFL", structure="SPREAD", bracket="MID", resolved_count=20, win_rate=Decimal("0.5")),
        ProfileRecord(niche="NBA", structure="SPREAD", bracket="LOW", resolved_count=20, win_rate=Decimal("0.2")),
    ),
)
MARKET = MarketInput(
    condition_id="0xc", niche="NBA", structure="SPREAD", end_ms=NOW_MS + 2 * HOUR_MS, game_start_ms=NOW_MS - HOUR_MS
)
BUY = Inputs(
    trade_id="t", wallet="0xa", token_id="1", condition_id="0xc", side="BUY", price=Decimal("0.4"), size_micro=500 * 10**6,
    trade_ms=NOW_MS, now_ms=NOW_MS + 40, outcome="Yes", market=MARKET, trader=TRADER,
)  # fmt: skip


def changed(inputs, **values):
    return msgspec.structs.replace(inputs, **values)


def named(inputs):
    return dict(zip(FEATURES, feature_vector(inputs), strict=True))


def test_every_value_has_the_unit_that_its_name_says():
    found = named(BUY)
    assert isclose(found["log_usd"], log(200))
    assert isclose(found["log_conviction"], log(2))
    assert isclose(found["logit_price"], log(0.4 / 0.6))
    assert isclose(found["log_minutes_to_end"], log(121))
    assert isclose(found["log_minutes_to_start"], -log(61))
    assert isclose(found["lifetime_edge"], 30 * (0.6 - 0.4) / 50)
    assert isclose(found["lifetime_roi"], 0.25 / 1.25)
    assert isclose(found["d7_change"], 0.2)
    assert isclose(found["bracket_edge"], (0.7 * 20 + 0.5 * 20 - 40 * 0.4) / 60)
    assert isclose(found["niche_edge"], (0.7 * 20 + 0.2 * 20 - 40 * 0.4) / 60)
    assert isclose(found["kind_edge"], 20 * 0.3 / 40)
    assert (found["niche_nba"], found["structure_spread"], found["buys_yes"], found["buys_no"]) == (1, 1, 1, 0)


def test_what_nobody_knows_is_no_number_and_said_beside_it():
    nothing = named(changed(BUY, trader=None, market=None, outcome=None))
    assert (nothing["has_record"], nothing["has_market"], nothing["has_average"], nothing["buys_yes"]) == (0, 0, 0, 0)
    assert isnan(nothing["lifetime_edge"])
    assert isnan(nothing["kind_log_resolved"])
    assert isnan(nothing["log_minutes_to_end"])
    partly = named(BUY)
    assert isnan(partly["d30_edge"])
    assert partly["d30_log_resolved"] == 0
    no_start = named(changed(BUY, market=changed(MARKET, game_start_ms=None)))
    assert (no_start["has_start"], no_start["has_end"]) == (0, 1)
    assert isnan(no_start["log_minutes_to_start"])


@given(inputs=buys)
def test_values_stand_in_their_ranges_whatever_the_trade(inputs):
    values = feature_vector(inputs)
    assert len(values) == len(FEATURES)
    for name, value, low, high in zip(FEATURES, values, LOWEST, HIGHEST, strict=True):
        assert isnan(value) or low <= value <= high, name
        if name.startswith(("has_", "buys_", "niche_", "structure_")) and name not in (
            "niche_edge",
            "niche_log_resolved",
        ):
            assert value in (0, 1), name


@given(inputs=buys, market=markets, book=books, score=scores, later_ms=st.integers(0, 10**9))
def test_nothing_that_is_known_only_later_is_looked_at(inputs, market, book, score, later_ms):
    ended = {"closed": True, "resolved": True, "outcome_prices": (Decimal(1), Decimal(0)), "observed_ms": later_ms}
    inputs = changed(inputs, market=market)
    afterwards = changed(
        inputs, market=changed(market, **ended), book=book, score=score, now_ms=inputs.now_ms + later_ms,
        portfolio_usd=Decimal(5), holding_micro=later_ms, members=("t", "u"),
    )  # fmt: skip
    assert repr(feature_vector(inputs)) == repr(feature_vector(afterwards))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"side": "SELL"}, "not_a_buy"),
        ({"price": Decimal(0)}, "feature_range"),
        ({"price": Decimal(1)}, "feature_range"),
        ({"size_micro": 0}, "feature_range"),
        ({"market": changed(MARKET, end_ms=10**25)}, "feature_range"),
        ({"trader": TraderRecord(lifetime=WindowRecord(resolved_count=9, win_rate=Decimal(90)), d30=WINDOW, d7=WINDOW)},
         "feature_range"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_by_a_reason(values, reason):
    with pytest.raises(UnfitError, match=reason):
        feature_vector(changed(BUY, **values))


def test_every_niche_and_structure_has_its_feature():
    for niche in NICHES:
        found = named(changed(BUY, market=changed(MARKET, niche=niche)))
        assert [name for name in FEATURES if name.startswith("niche_") and found[name] == 1] == [
            f"niche_{niche.lower()}"
        ]
    for structure in STRUCTURES:
        assert named(changed(BUY, market=changed(MARKET, structure=structure)))[f"structure_{structure.lower()}"] == 1
