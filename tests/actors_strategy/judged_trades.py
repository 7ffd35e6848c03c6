"""One trade whose numbers are easy to follow by hand, and how a strategy judges it."""

from decimal import Decimal

import attrs
import msgspec
from property.made_trades import condition, wallet

from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy.traits import traits_of
from actors.rules.strategy.verdict import judge
from protocols.decisions import Inputs, MarketInput, Present, TraderRecord, WindowRecord
from protocols.strategies import StrategySettings

NOW_MS = 1_795_000_000_000
TRADER = wallet(1)
MARKET = MarketInput(
    condition_id=condition(7),
    title="Lakers vs. Celtics",
    category="Sports",
    tags=("NBA", "Basketball"),
    structure="HEAD_TO_HEAD",
    niche="NBA",
)
RECORD = TraderRecord(
    lifetime=WindowRecord(resolved_count=500, win_rate=Decimal("0.52"), trade_count=900, avg_trade_usd=Decimal(80)),
    d30=WindowRecord(resolved_count=40, win_rate=Decimal("0.6"), trade_count=50, avg_trade_usd=Decimal(20)),
    d7=WindowRecord(),
)
# 100 shares at 0.40: 40 USD, twice his average; entry 0.4012, edge 0.6 - 0.4012 = 0.1988.
TRADE = Inputs(
    trade_id="trade",
    wallet=TRADER,
    token_id="1",
    condition_id=condition(7),
    side="BUY",
    price=Decimal("0.40"),
    size_micro=100_000_000,
    trade_ms=NOW_MS - 5_000,
    now_ms=NOW_MS,
    market=MARKET,
    trader=RECORD,
    score=Present(probability=Decimal("0.7")),
)
OPEN_TO_ALL = StrategySettings(min_edge=None, min_trader_resolved_count=0)


def trade(**changes):
    return msgspec.structs.replace(TRADE, **changes)


def market(**changes):
    return msgspec.structs.replace(MARKET, **changes)


def record(**d30):
    return msgspec.structs.replace(RECORD, d30=msgspec.structs.replace(RECORD.d30, **d30))


def settings_of(**changes):
    """Everything off but what a test switches on."""
    return attrs.evolve(OPEN_TO_ALL, **changes)


def reason_of(settings, inputs=TRADE, targets=None, bankroll=Decimal(1000)):
    return judge(Chain.of(settings, targets), traits_of(inputs), bankroll).reason.value
