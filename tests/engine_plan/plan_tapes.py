"""Tapes, resolutions and strategies made up for tests of plans."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from engine.replay.tape_markets import Resolution
from engine.simulator.tape import TapeRow, row_from
from protocols.strategies import Aggregation, AllocationMethod, StrategySettings

BEGAN_S = 1_790_000_000
WALLETS = tuple(f"0x{digit * 40}" for digit in "12345")
MARKETS = tuple(f"0x{digit * 64}" for digit in "abc")
EASY: dict[str, Any] = {"min_edge": None, "min_trader_resolved_count": 0}


def tape_row(number: int, at_s: int, **changes: Any) -> TapeRow:
    """A trade of 100 shares at 0.40 in the first market by the first trader, but for `changes`."""
    market = changes.pop("market", 0)
    token = changes.pop("token", 0)
    wallet = changes.pop("wallet", 0)
    fields = {
        "proxyWallet": WALLETS[wallet], "side": "BUY", "asset": str(100 + 10 * market + token),
        "conditionId": MARKETS[market], "size": 100, "price": Decimal("0.4"), "timestamp": BEGAN_S + at_s,
        "transactionHash": f"0x{number:064x}", "title": f"Rain {market}?", "slug": f"rain-{market}",
        "outcome": ("Yes", "No")[token], "outcomeIndex": token,
    }  # fmt: skip
    row = row_from(fields | changes)
    assert row is not None
    return row


def resolved(market: int, winner: int, at_s: int | None) -> Resolution:
    tokens = [str(100 + 10 * market + token) for token in (0, 1)]
    return Resolution(
        condition_id=MARKETS[market],
        slug=None,
        payouts={token: Decimal(place == winner) for place, token in enumerate(tokens)},
        closed_ms=None if at_s is None else (BEGAN_S + at_s) * 1000,
        market=None,
    )


prices = st.integers(2, 98).map(lambda cents: Decimal(cents) / 100)
trades = st.fixed_dictionaries(
    {
        "wallet": st.integers(0, 3),
        "market": st.integers(0, 2),
        "token": st.integers(0, 1),
        "side": st.sampled_from(["BUY", "BUY", "SELL"]),
        "price": prices,
        "size": st.integers(1, 400),
        "gap_s": st.integers(0, 40),
        "same": st.booleans(),  # one more fill of the same transaction
    }
)


def rows_of(made: list[dict[str, Any]], first: int = 0, at_s: int = 0) -> list[TapeRow]:
    rows, number = [], first
    for one in made:
        changes = dict(one)
        same = changes.pop("same")
        gap_s = changes.pop("gap_s")
        if not (same and rows):
            at_s += gap_s
            number += 1
        rows.append(tape_row(number, at_s, **changes))
    return rows


settings = st.builds(
    lambda **changes: StrategySettings(**EASY | changes),
    starting_balance=st.just(Decimal(60)),
    is_active=st.sampled_from([True, True, True, False]),
    target_traders=st.lists(st.sampled_from(WALLETS[:4]), max_size=3, unique=True).map(tuple),
    excluded_traders=st.lists(st.sampled_from(WALLETS[:4]), max_size=1).map(tuple),
    price_min=st.sampled_from([Decimal(0), Decimal("0.3")]),
    price_max=st.sampled_from([Decimal("0.6"), Decimal(1)]),
    min_original_trade_usd=st.sampled_from([None, Decimal(20)]),
    bet_size=st.sampled_from([Decimal(2), Decimal(9)]),
    allocation_method=st.sampled_from([AllocationMethod.FIXED, AllocationMethod.WHALE]),
    copy_sells=st.booleans(),
    aggregate=st.sampled_from(list(Aggregation)),
)
