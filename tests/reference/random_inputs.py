"""Random trades, markets and records; every number comes from a small pool, so that limits are met exactly."""

from decimal import Decimal

from hypothesis import strategies as st
from property.made_trades import NOON_S, condition, wallet

from protocols.conflicts import Crowd, Side, Stand
from protocols.decisions import (
    Absent,
    Inputs,
    MarketInput,
    Present,
    ProfileRecord,
    TraderRecord,
    WindowRecord,
)

NOW_MS = NOON_S * 1000
WALLETS = [wallet(number) for number in range(4)]
NICHES = ["SPORTS", "SPORTS_NBA", "NBA", "CRYPTO", "OTHER"]
STRUCTURES = ["HEAD_TO_HEAD", "STANDARD", "YES_NO", "SPREAD", "PROP", "OVER_UNDER"]
TEXTS = [None, "Will the Lakers win?", "BITCOIN up or down", "Élysée: who wins", "", "Politics"]
PRICES = [
    "0", "0.000000000000000001", "0.0001", "0.05", "0.1", "0.2999", "0.3", "0.300000000000000001", "0.4", "0.45", "0.5",
    "0.6889999998935867", "0.7", "0.700000000000000001", "0.85", "0.98", "0.989999999999999999", "0.99", "0.9969",
    "0.997", "0.999", "1",
]  # fmt: skip
RATES = ["0", "0.3", "0.45", "0.5", "0.500001", "0.55", "0.6012", "0.65", "0.7", "0.8", "0.812345", "0.95", "1"]
COUNTS = [1, 2, 9, 10, 29, 30, 31, 500]
AVERAGES = ["0.000001", "0.01", "2", "3", "7", "10", "25", "40.123456", "1000"]
SIZES = [1, 7, 1_000_000, 2_702_700, 10_000_000, 33_333_333, 100_000_000, 123_456_789, 5_000_000_000]
AGES_MS = [0, 0, 0, 0, 0, 1, 999, 1000, 1001, 300_000, 300_001, 3_600_000, -1000]
SCORES = ["0", "0.3", "0.5", "0.55", "0.6", "0.75", "0.999999", "1"]


def decimals(texts: list[str]) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(text) for text in texts])


PRICE = decimals(PRICES) | st.integers(1, 999).map(lambda milli: Decimal(milli).scaleb(-3))
SIZE = st.sampled_from(SIZES) | st.integers(1, 10**10)
RATE = decimals(RATES) | st.integers(0, 10**6).map(lambda micro: Decimal(micro).scaleb(-6))


@st.composite
def windows(draw: st.DrawFn) -> WindowRecord:
    """A window of a record: empty, traded but nothing resolved, or whole."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return WindowRecord()
    average = draw(decimals(AVERAGES) | decimals(["0"]))
    if kind == 1:
        return WindowRecord(trade_count=3, avg_trade_usd=average)
    count = draw(st.sampled_from(COUNTS))
    return WindowRecord(
        resolved_count=count,
        win_rate=draw(RATE),
        trade_count=count,
        avg_trade_usd=average if kind > 2 else None,
        roi=Decimal("0.1"),
    )


PROFILES = st.builds(
    ProfileRecord,
    niche=st.sampled_from(NICHES),
    structure=st.sampled_from(STRUCTURES[:3]),
    bracket=st.sampled_from(["LOW", "MID", "HIGH"]),
    resolved_count=st.sampled_from([0, *COUNTS]),
    win_rate=RATE,
)
RECORDS = st.none() | st.builds(
    TraderRecord,
    lifetime=windows(),
    d30=windows(),
    d7=st.just(WindowRecord()),
    profiles=st.lists(PROFILES, max_size=5, unique_by=lambda row: (row.niche, row.structure, row.bracket)).map(tuple),
)


@st.composite
def markets(draw: st.DrawFn, trade_ms: int) -> MarketInput | None:
    """A market: rarely unknown, closed or over; what the venue does not say is None."""
    kind = draw(st.integers(0, 39))  # what is common comes first: examples lean to small numbers
    if kind == 39:
        return None
    around = [trade_ms - 1, trade_ms, NOW_MS - 1, NOW_MS, NOW_MS + 1]
    return MarketInput(
        condition_id=condition(7),
        title=draw(st.sampled_from(TEXTS)),
        category=draw(st.sampled_from(TEXTS)),
        tags=tuple(draw(st.lists(st.sampled_from(["NBA", "crypto", "Élysée"]), max_size=2))),
        closed=kind == 38,
        resolved=kind in (36, 37),
        end_ms=draw(st.sampled_from([None, *[trade_ms + 1] * 10, trade_ms - 1, trade_ms])),
        game_start_ms=draw(st.sampled_from([None, *around])),
        fee_rate=draw(st.sampled_from([None, Decimal(0), Decimal("0.000001"), Decimal("0.05"), Decimal("0.07")])),
        fee_exponent=draw(st.sampled_from([1, 1, 2])),
        structure=draw(st.sampled_from(STRUCTURES)),
        niche=draw(st.sampled_from(NICHES)),
    )


SIDES = st.builds(
    Side,
    token_id=st.sampled_from(["1", "1", "2", "3"]),
    targets=st.integers(0, 3),
    usd_micro=st.sampled_from([0, 1, 999_999, 40_000_000, 40_000_001]),
)
CROWDS = st.lists(SIDES, max_size=3, unique_by=lambda side: side.token_id).map(
    lambda sides: (Crowd(sides=tuple(sides)),)
)
STANDS = st.builds(
    Stand,
    against=st.sampled_from([(), (), ("2",), ("2", "3")]),
    beside=st.sampled_from([0, 0, 1, 2, 5]),
    event_usd=decimals(["0", "0", "9.5", "9.500001", "17.123456", "20", "25"]),
    crowd=st.sampled_from([0, 0, 0, None]),
)


@st.composite
def trades(draw: st.DrawFn) -> Inputs:
    """A trade and all that is known of it."""
    trade_ms = NOW_MS - draw(st.sampled_from(AGES_MS))
    return Inputs(
        trade_id=f"{draw(st.integers(0, 2**32)):08x}",
        wallet=draw(st.sampled_from(WALLETS)),
        token_id="1",
        condition_id=condition(7),
        side=draw(st.sampled_from(["BUY"] * 20 + ["SELL"])),
        price=draw(PRICE),
        size_micro=draw(SIZE),
        trade_ms=trade_ms,
        now_ms=NOW_MS,
        title=draw(st.sampled_from(TEXTS)),
        market=draw(markets(trade_ms)),
        trader=draw(RECORDS),
        score=draw(st.just(Absent(reason="timeout")) | st.builds(Present, probability=decimals(SCORES))),
        portfolio_usd=draw(st.sampled_from([None, None, *map(Decimal, ["0", "0.01", "123.45", "10000", "333333.33"])])),
        crowds=draw(CROWDS | CROWDS | st.none()),
    )
