from decimal import Decimal

import pytest

from actors.rules.paper.marking import fresh_prices
from actors.rules.paper.niches import by_niche
from actors.rules.paper.position_state import position_state
from actors.rules.strategy.risk_level import BotFilter, RiskLevel, passes, risk_level
from protocols.ft_reports import EndedInMarket
from protocols.ft_statistics import OpenToken
from protocols.prices import MarketFacts, PriceSource, Quote
from protocols.strategies import AllocationMethod, StrategySettings

NOW_MS = 1_780_000_000_000


def state(outcome="OPEN", **changes):
    facts = {"resolved": False, "closed": False, "end_ms": None, "game_start": None, "now_ms": NOW_MS}
    return position_state(outcome, **{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "OPEN"),
        ({"outcome": "WON", "resolved": True}, "ENDED"),
        ({"resolved": True, "closed": True}, "RESOLVED"),
        ({"closed": True}, "AWAITING_RESOLUTION"),
        ({"end_ms": NOW_MS}, "AWAITING_RESOLUTION"),
        ({"end_ms": NOW_MS + 1}, "OPEN"),
        ({"game_start": "2026-05-28 20:26:40+00", "end_ms": NOW_MS + 1}, "LIVE"),
        ({"game_start": "2026-05-28 20:26:41+00"}, "OPEN"),
        ({"game_start": "soon"}, "OPEN"),
    ],
)
def test_a_position_has_one_state(changes, expected):
    assert state(**changes) == expected


def ended(title, won, lost, pnl, trades=None):
    return EndedInMarket(
        title=title, category=None, tags=(), trades=won + lost if trades is None else trades, won=won, lost=lost,
        pnl=Decimal(pnl),
    )  # fmt: skip


def test_niches_add_up_and_the_busiest_comes_first():
    rows = by_niche(
        [ended("Bitcoin up?", 1, 0, 2), ended("NBA finals", 1, 2, -3), ended("BTC down?", 0, 0, 1, trades=1)]
    )
    assert [(row.niche, row.trades, row.won, row.lost, row.pnl) for row in rows] == [
        ("NBA", 3, 1, 2, -3), ("CRYPTO", 2, 1, 0, 3),
    ]  # fmt: skip
    assert [row.win_rate for row in rows] == [Decimal("0.333333"), 1]
    assert by_niche([ended("?", 0, 0, 0, trades=2)])[0].win_rate is None


def quote(*prices, tokens=(), stale=False, resolved=False):
    facts = MarketFacts(condition_id="c", outcome_prices=tuple(map(Decimal, prices)) or None, token_ids=tokens)
    return Quote(
        facts=facts, source=PriceSource.GAMMA, resolved=resolved, as_of_ms=0, observed_s=0, document=b"", stamp=b"",
        stale=stale,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "index", "expected"),
    [
        (quote("0.2", "0.8", tokens=("a", "t")), 0, "0.8"),
        (quote("0.2", "0.8", tokens=("a", "b")), 0, None),
        (quote("0.2", "0.8"), 0, "0.2"),
        (quote("0.2", "0.8"), None, None),
        (quote("0.2", "0.8"), 2, None),
        (quote("0", "1"), 0, "0"),
        (quote("0.2", "0.8", stale=True), 0, None),
        (quote("0", "1", stale=True, resolved=True), 1, "1"),
        (quote(), 0, None),
        (None, 0, None),
    ],
)
def test_a_token_is_priced_by_itself_and_only_freshly(said, index, expected):
    token = OpenToken(condition_id="c", token_id="t", outcome_index=index)
    assert fresh_prices([token], {"c": said}) == ({} if expected is None else {"t": Decimal(expected)})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, RiskLevel.MODERATE),
        ({"price_min": Decimal("0.5")}, RiskLevel.CONSERVATIVE),
        ({"min_trader_win_rate": Decimal("0.55")}, RiskLevel.CONSERVATIVE),
        ({"min_trader_win_rate": Decimal("0.54")}, RiskLevel.MODERATE),
        ({"price_min": Decimal("0.5"), "max_bet": Decimal("10.01")}, RiskLevel.MODERATE),
        ({"price_min": Decimal("0.5"), "max_bet": Decimal("50")}, RiskLevel.MODERATE),
        ({"price_min": Decimal("0.5"), "max_bet": Decimal("50.01")}, RiskLevel.AGGRESSIVE),
        ({"price_max": Decimal("0.40")}, RiskLevel.AGGRESSIVE),
        ({"allocation_method": AllocationMethod.KELLY}, RiskLevel.MODERATE),
        ({"allocation_method": AllocationMethod.KELLY, "kelly_fraction": Decimal("0.5")}, RiskLevel.AGGRESSIVE),
    ],
)
def test_risk_follows_from_the_settings(changes, expected):
    settings = StrategySettings(**changes)
    assert risk_level(settings) is expected
    assert [level for level in RiskLevel if passes(settings, BotFilter(level.value))] == [expected]
