"""Random strategies for given trades: a few gates each, their limits mostly exactly what one of the trades has."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from reference.random_inputs import NOW_MS, STANDS, STRUCTURES, WALLETS, trades
from reference.reference_inputs import conviction_of, slipped_price, trade_usd, win_rate_and_count

from protocols.conflicts import Stand
from protocols.decisions import Inputs
from protocols.strategies import (
    AbsentScore,
    AllocationMethod,
    ConflictPolicy,
    EntryModel,
    ProportionalBasis,
    StrategySettings,
    WinRateSource,
)

WORDS = ["lakers", "BITCOIN", "éLYSÉE", "nba", "o", "nothing like it", "politics"]
BY_PROFILE = StrategySettings(wr_source=WinRateSource.PROFILE)
BY_GLOBAL = StrategySettings()
OFF = {"min_edge": None, "min_trader_resolved_count": 0, "max_trade_age_s": 604_800}
MONEY = [Decimal(text) for text in ("1.20", "0.50", "10", "2.35", "1000000", "1", "999.99", "0.01", "0")]
BANKROLLS = [
    Decimal(text) for text in ("1000", "100", "7.77", "54321.987654", "1000", "333.333333", "0.005", "0.01", "0", "-3")
]


@dataclass
class Pair:
    """A strategy, its targets and a bankroll for each trade of the batch."""

    settings: StrategySettings
    targets: frozenset[str] | None
    bankrolls: list[Decimal]
    stands: list[Stand]


@dataclass
class Batch:
    """Trades, and strategies that judge each of them."""

    trades: list[Inputs]
    pairs: list[Pair]


def to_places(value: Fraction, places: int) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)


def limits(values: Iterable[Fraction], places: int, low: str, high: str) -> st.SearchStrategy[Decimal]:
    """What the trades have, and one unit of the last decimal to either side, within what is allowed."""
    unit = Decimal(1).scaleb(-places)
    near = {to_places(value, places) + step * unit for value in values for step in (-1, 0, 0, 1)}
    edges = {Decimal(low), Decimal(0), Decimal(high)}
    return st.sampled_from(sorted(value for value in near | edges if Decimal(low) <= value <= Decimal(high)))


def gates_for(batch: list[Inputs]) -> dict[str, st.SearchStrategy[Any]]:
    """Values for each gate that may be set."""
    records = [win_rate_and_count(settings, one) for one in batch for settings in (BY_GLOBAL, BY_PROFILE)]
    edges = [
        win_rate_and_count(settings, one)[0] - slipped_price(Fraction(one.price))
        for one in batch
        for settings in (BY_GLOBAL, BY_PROFILE)
    ]
    rate = limits([win_rate for win_rate, _ in records], 6, "0", "1")
    edge = limits(edges, 6, "-1", "1")
    conviction = limits([conviction_of(one) for one in batch], 6, "0", "1000000")
    usd = limits([trade_usd(one) for one in batch], 2, "0", "1000000000")
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(tuple)
    times = st.sampled_from([NOW_MS, *[one.trade_ms + step for one in batch for step in (-1, 0, 1)]])
    counts = sorted({0, *[max(0, count + step) for _, count in records for step in (-1, 0, 1)]})
    return {
        "max_trade_age_s": st.sampled_from([1, 300, 299, 3600]),
        "trade_live_only": st.just(True),
        "price_min": limits([Fraction(one.price) for one in batch], 4, "0", "1"),
        "price_max": limits([Fraction(one.price) for one in batch], 4, "0", "1"),
        "min_trader_win_rate": rate,
        "min_edge": edge,
        "min_trader_resolved_count": st.sampled_from(counts),
        "min_conviction": conviction,
        "max_trader_win_rate": rate,
        "max_edge": edge,
        "max_conviction": conviction,
        "market_categories": words,
        "bet_structures": st.lists(st.sampled_from(STRUCTURES), min_size=1, max_size=3).map(tuple),
        "exclude_market_keywords": words,
        "min_original_trade_usd": usd,
        "max_original_trade_usd": usd,
        "start_date": times,
        "end_date": times,
        "is_active": st.sampled_from([True, True, False]),
        "conflict_policy": st.sampled_from(ConflictPolicy),
        "max_targets_per_side": st.sampled_from([1, 2, 3]),
        "max_event_exposure_usd": st.sampled_from([Decimal(text) for text in ("0", "10", "19.99", "20", "1000")]),
        "excluded_traders": st.sampled_from([(WALLETS[3],), tuple(WALLETS)]),
    }


@st.composite
def sizings(draw: st.DrawFn) -> dict[str, Any]:
    """How much a strategy stakes, and what it makes of the model."""
    low, high = sorted((draw(st.sampled_from(MONEY)), draw(st.sampled_from(MONEY))))
    use_model = draw(st.booleans())
    return {
        "allocation_method": draw(st.sampled_from(AllocationMethod)),
        "proportional_basis": draw(st.sampled_from(ProportionalBasis)),
        "proportional_pct": draw(st.sampled_from([Decimal(text) for text in ("0", "0.0001", "1", "33.3333", "1000")])),
        "bet_size": draw(st.sampled_from(MONEY) | st.integers(1, 5000).map(lambda cents: Decimal(cents).scaleb(-2))),
        "bet_allocation_weight": draw(st.sampled_from([Decimal(text) for text in ("1", "1", "0", "0.3333", "2.5")])),
        "kelly_fraction": draw(st.sampled_from([Decimal(text) for text in ("0.25", "0", "1", "0.3333", "0.5")])),
        "min_bet": low,
        "max_bet": high,
        "wr_source": draw(st.sampled_from(WinRateSource)),
        "entry_model": draw(st.sampled_from([EntryModel.SLIP, EntryModel.OBSERVED])),
        "use_model": use_model,
        "model_threshold": draw(st.sampled_from([Decimal(text) for text in ("0", "0.5", "0.55", "0.6")])),
        "absent_score": draw(st.sampled_from(AbsentScore)),
    }


@st.composite
def pairs(draw: st.DrawFn, batch: list[Inputs], gates: dict[str, st.SearchStrategy[Any]]) -> Pair:
    """A strategy with at most three gates, so that most trades come to the stake."""
    chosen = draw(st.lists(st.sampled_from(list(gates)), max_size=3, unique=True))
    set_gates = {name: draw(gates[name]) for name in chosen}
    settings = StrategySettings(**{**OFF, **set_gates, **draw(sizings())})
    base = (settings.bet_size * settings.bet_allocation_weight).quantize(Decimal("0.01"), ROUND_FLOOR)
    near = [base, base - Decimal("0.01"), settings.min_bet, settings.max_bet, settings.max_bet - Decimal("0.01")]
    bankroll = st.sampled_from(BANKROLLS + near)
    some = st.sets(st.sampled_from(WALLETS)).map(frozenset)
    return Pair(
        settings,
        draw(st.one_of(st.none(), st.none(), st.just(frozenset(WALLETS)), some)),
        draw(st.lists(bankroll, min_size=len(batch), max_size=len(batch))),
        draw(st.lists(STANDS, min_size=len(batch), max_size=len(batch))),
    )


@st.composite
def batches(draw: st.DrawFn, trade_count: int = 8, strategy_count: int = 8) -> Batch:
    """`trade_count` trades and `strategy_count` strategies."""
    batch = draw(st.lists(trades(), min_size=trade_count, max_size=trade_count))
    gates = gates_for(batch)
    made = draw(st.lists(pairs(batch, gates), min_size=strategy_count, max_size=strategy_count))
    return Batch(batch, made)
