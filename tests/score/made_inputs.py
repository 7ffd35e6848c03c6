"""Inputs of decisions as Hypothesis makes them, whole and with holes."""

from decimal import Decimal

from hypothesis import strategies as st

from actors.rules.market_kind import NICHES
from actors.rules.score.features import STRUCTURES
from protocols.decisions import Absent, Book, Inputs, MarketInput, Present, ProfileRecord, TraderRecord, WindowRecord

NOW_MS = 1_780_000_000_000
rates = st.integers(0, 10**6).map(lambda micro: Decimal(micro) / 10**6)
maybe_rates = st.none() | rates
prices = st.integers(1, 9_999).map(lambda points: Decimal(points) / 10_000)
counts = st.integers(0, 10**6)
windows = st.builds(
    WindowRecord,
    resolved_count=counts,
    win_rate=maybe_rates,
    trade_count=counts,
    avg_trade_usd=st.none() | st.integers(0, 10**9).map(lambda cents: Decimal(cents) / 100),
    roi=st.none() | st.integers(-100, 10_000).map(lambda percent: Decimal(percent) / 100),
)
profiles = st.builds(
    ProfileRecord,
    niche=st.sampled_from(NICHES),
    structure=st.sampled_from(STRUCTURES),
    bracket=st.sampled_from(("LOW", "MID", "HIGH")),
    resolved_count=st.integers(1, 10**5),
    win_rate=rates,
)
traders = st.builds(
    TraderRecord, lifetime=windows, d30=windows, d7=windows, profiles=st.lists(profiles, max_size=6).map(tuple)
)
moments = st.none() | st.integers(NOW_MS - 10**10, NOW_MS + 10**11)
markets = st.builds(
    MarketInput,
    condition_id=st.just("0xc"),
    niche=st.sampled_from((*NICHES, "NEW")),
    structure=st.sampled_from((*STRUCTURES, "NEW")),
    end_ms=moments,
    game_start_ms=moments,
)
buys = st.builds(
    Inputs,
    trade_id=st.just("t"),
    wallet=st.just("0xa"),
    token_id=st.just("1"),
    condition_id=st.just("0xc"),
    side=st.just("BUY"),
    price=prices,
    size_micro=st.integers(1, 10**13),
    trade_ms=st.just(NOW_MS),
    now_ms=st.just(NOW_MS + 5),
    outcome=st.sampled_from((None, "Yes", "NO", "Lakers")),
    market=st.none() | markets,
    trader=st.none() | traders,
)
books = st.just(Book(bids=(), asks=((Decimal("0.5"), Decimal(10)),), observed_ms=NOW_MS))
scores = st.sampled_from((Absent(reason="timeout"), Present(probability=Decimal("0.9"))))
