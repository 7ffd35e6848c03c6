"""At what price a paper order is filled, and what it costs: by slip, by the order book, or as observed."""

from collections.abc import Sequence
from decimal import Decimal

import attrs
import msgspec

from actors.rules.exact import EXACT, MICRO_USD, ONE, PRICE_QUANTUM, ZERO, down, half_even, half_up
from actors.rules.paper.fees import taker_fee
from actors.rules.strategy.traits import ENTRY_MAX, entry_of
from protocols.decisions import Inputs, Reason
from protocols.strategies import EntryModel, StrategySettings

EXIT_SLIP = Decimal("0.997")
SHARES_MAX = Decimal(10) ** 12
"""More than any market has: such a price is an average of dust and no price to buy at."""
_HUNDRED = Decimal(100)
_encode = msgspec.json.Encoder().encode


@attrs.frozen(kw_only=True)
class Fill:
    """A paper purchase."""

    entry_price: Decimal
    """USD a share, mean of what was bought, 18 decimals."""
    shares: Decimal
    """6 decimals."""
    stake: Decimal
    """USD paid for them, 6 decimals; from a thin book less than was wanted."""
    fee: Decimal
    """USD on top."""
    inputs_json: str
    """The model and what it looked at."""


@attrs.frozen
class _Taken:
    shares: Decimal
    usd: Decimal
    fee: Decimal
    levels: tuple[tuple[str, str], ...]


def fill_buy(settings: StrategySettings, inputs: Inputs, stake: Decimal) -> Fill | Reason:
    """Returns what a stake in USD buys, or why it buys nothing."""
    if settings.entry_model is EntryModel.BOOK:
        return _from_book(settings, inputs, stake)
    price = entry_of(inputs.price) if settings.entry_model is EntryModel.SLIP else inputs.price
    shares = down(EXACT.divide(stake, price), MICRO_USD) if price > 0 else ZERO
    entry_price = half_even(price, PRICE_QUANTUM)
    if shares <= 0 or entry_price <= 0:
        return Reason.ZERO_STAKE
    if shares > SHARES_MAX:
        return Reason.PRICE_OUT_OF_RANGE
    rate, exponent = _fees(inputs)
    looked_at = {"model": settings.entry_model.value, "price": str(inputs.price), "feeRate": _text(rate)}
    return Fill(
        entry_price=entry_price,
        shares=shares,
        stake=stake,
        fee=taker_fee(shares, price, rate, exponent),
        inputs_json=_encode(looked_at).decode(),
    )


def exit_price(settings: StrategySettings, inputs: Inputs, shares: Decimal) -> Decimal | Reason:
    """Returns the USD a share that a sale brings before the fee, 18 decimals, or why nothing can be sold.

    A book that is too thin for all shares is taken for the mean of what it has: a paper sale is whole or not at all.
    """
    if settings.entry_model is EntryModel.OBSERVED:
        return inputs.price
    if settings.entry_model is EntryModel.SLIP:
        return half_even(EXACT.multiply(inputs.price, EXIT_SLIP), PRICE_QUANTUM)
    if inputs.book is None or not inputs.book.bids:
        return Reason.BOOK_UNAVAILABLE
    floor = EXACT.multiply(inputs.price, EXACT.subtract(ONE, EXACT.divide(settings.fill_slippage_max_pct, _HUNDRED)))
    left, usd = shares, ZERO
    for price, size in inputs.book.bids:
        if price < floor or left <= 0:
            break
        part = min(size, left)
        usd = EXACT.fma(part, price, usd)
        left = EXACT.subtract(left, part)
    sold = EXACT.subtract(shares, left)
    return half_even(EXACT.divide(usd, sold), PRICE_QUANTUM) if sold > 0 else Reason.SLIPPAGE_EXCEEDED


def _from_book(settings: StrategySettings, inputs: Inputs, stake: Decimal) -> Fill | Reason:
    book = inputs.book
    if book is None or not book.asks:
        return Reason.BOOK_UNAVAILABLE
    tolerance = EXACT.add(ONE, EXACT.divide(settings.fill_slippage_max_pct, _HUNDRED))
    limit = min(ENTRY_MAX, EXACT.multiply(inputs.price, tolerance))
    rate, exponent = _fees(inputs)
    taken = _walk(book.asks, stake, limit, rate, exponent)
    if taken.shares <= 0:
        return Reason.SLIPPAGE_EXCEEDED if book.asks[0][0] > limit else Reason.ZERO_STAKE
    spent = half_up(taken.usd, MICRO_USD)
    entry_price = half_even(EXACT.divide(taken.usd, taken.shares), PRICE_QUANTUM)
    if spent <= 0 or entry_price <= 0:
        return Reason.ZERO_STAKE
    if taken.shares > SHARES_MAX:
        return Reason.PRICE_OUT_OF_RANGE
    looked_at = {
        "model": settings.entry_model.value,
        "limit": str(limit),
        "levels": taken.levels,
        "observedMs": book.observed_ms,
        "feeRate": _text(rate),
    }
    return Fill(
        entry_price=entry_price,
        shares=taken.shares,
        stake=spent,
        fee=taken.fee,
        inputs_json=_encode(looked_at).decode(),
    )


def _walk(
    asks: Sequence[tuple[Decimal, Decimal]], stake: Decimal, limit: Decimal, rate: Decimal | None, exponent: int
) -> _Taken:
    """Buys level by level, best first, until the stake is spent, the limit is reached or nothing is left."""
    left, shares, fee = stake, ZERO, ZERO
    levels = []
    for price, size in asks:
        if price > limit or price <= 0:
            break
        part = min(size, down(EXACT.divide(left, price), MICRO_USD))
        if part <= 0:
            break
        shares = EXACT.add(shares, part)
        left = EXACT.subtract(left, EXACT.multiply(part, price))
        fee = EXACT.add(fee, taker_fee(part, price, rate, exponent))
        levels.append((str(price), str(part)))
    return _Taken(down(shares, MICRO_USD), EXACT.subtract(stake, left), fee, tuple(levels))


def _fees(inputs: Inputs) -> tuple[Decimal | None, int]:
    market = inputs.market
    return (None, 1) if market is None else (market.fee_rate, market.fee_exponent)


def _text(rate: Decimal | None) -> str | None:
    return None if rate is None else str(rate)
