from decimal import Decimal
from fractions import Fraction

import pytest
from property.made_trades import condition, wallet
from reference.random_inputs import NOW_MS, PRICES
from reference.reference_inputs import slipped_price
from reference.reference_strategy import decide

from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import judge
from protocols.decisions import Absent, Inputs, MarketInput, Present, ProfileRecord, TraderRecord, WindowRecord
from protocols.strategies import AbsentScore, AllocationMethod, StrategySettings, WinRateSource

MICRO = Decimal("0.000001")
EDGES = [Decimal(text) for text in ("-0.2", "-0.1", "0", "0.05", "0.1", "0.15", "0.2")]
SCORES = [Absent(reason="timeout"), *(Present(probability=Decimal(text)) for text in ("0", "0.5", "0.75", "1"))]


def win_rates(price):
    """Those at which the edge is one of `EDGES`, to a millionth, and their neighbours."""
    entry = slipped_price(Fraction(price))
    middle = [Decimal(round((entry + Fraction(edge)) * 10**6)) * MICRO for edge in EDGES]
    near = {rate + step * MICRO for rate in middle for step in (-1, 0, 1)} | {Decimal(1)}
    return sorted(rate for rate in near if 0 <= rate <= 1)


def made_inputs(price, win_rate, score):
    """A trade of 25 USD or less by a trader with this win rate, and a much better one in each bracket for itself."""
    profiles = tuple(
        ProfileRecord(niche="NBA", structure="YES_NO", bracket=bracket, resolved_count=10, win_rate=Decimal(rate))
        for bracket, rate in (("LOW", "0.91"), ("MID", "0.92"), ("HIGH", "1"))
    )
    return Inputs(
        trade_id="1",
        wallet=wallet(1),
        token_id="1",
        condition_id=condition(7),
        side="BUY",
        price=price,
        size_micro=25_000_000,
        trade_ms=NOW_MS,
        now_ms=NOW_MS,
        market=MarketInput(condition_id=condition(7), niche="NBA", structure="YES_NO"),
        trader=TraderRecord(
            lifetime=WindowRecord(),
            d30=WindowRecord(resolved_count=50, win_rate=win_rate, trade_count=50, avg_trade_usd=Decimal(7)),
            d7=WindowRecord(),
            profiles=profiles,
        ),
        score=score,
    )


@pytest.mark.parametrize("price", [*map(Decimal, PRICES), Decimal("0.992"), Decimal("0.6"), Decimal("0.998")], ids=str)
def test_every_method_stakes_what_the_reference_does_around_each_limit(price):
    chains = [
        Chain.of(
            StrategySettings(
                min_edge=min_edge,
                min_trader_resolved_count=0,
                allocation_method=method,
                use_model=use_model,
                model_threshold=Decimal(0),
                absent_score=AbsentScore.IGNORE,
                wr_source=source,
                bet_size=Decimal("9.99"),
                min_bet=Decimal("0.01"),
                max_bet=Decimal(100_000),
            ),
            None,
        )
        for method in AllocationMethod
        for use_model in (True, False)
        for source in WinRateSource
        for min_edge in (None, Decimal(0))
    ]
    compared = 0
    for number, win_rate in enumerate(win_rates(price)):
        inputs = made_inputs(price, win_rate, SCORES[number % len(SCORES)])
        traits = traits_of(inputs)
        for chain in chains:
            expected = decide(chain.settings, None, inputs, Fraction(1000))
            verdict = judge(chain, traits, Decimal(1000))
            assert verdict.reason.value == expected.reason, (chain.settings, inputs)
            assert Fraction(verdict.stake) == (expected.stake or 0), (chain.settings, inputs)
            compared += 1
    assert compared >= 72
