"""Trades of the size that real ones have."""

from decimal import Decimal

from protocols.trades import Lane, LanedTrade, Trade

RAW = (
    '{"asset":"'
    + "1" * 77
    + '","title":"Will it rain in Paris on the first day of the month?","padding":"'
    + "x" * 500
    + '"}'
)


def sample_trades(count: int) -> list[LanedTrade]:
    """Returns so many trades of lane 1, each with an id of its own."""
    return [LanedTrade(_trade(number), Lane.FOLLOWED) for number in range(count)]


def _trade(number: int) -> Trade:
    return Trade(
        trade_id=f"{number:064x}",
        wallet=f"0x{number:040x}",
        transaction_hash=f"0x{number:064x}",
        token_id="1" * 77,
        condition_id="0x" + "c" * 64,
        side="BUY",
        size_micro=12_345_678,
        price=Decimal("0.6889999998935867"),
        trade_ms=1_777_680_000_000 + number,
        outcome="Yes",
        outcome_index=0,
        market_slug="will-it-rain",
        event_slug="rain",
        market_title="Will it rain in Paris on the first day of the month?",
        trader_name="Ann",
        trader_image=None,
        market_image=None,
        source="stream",
        raw=RAW,
        seen_s=1.0,
    )
