"""From a claim and a book to an order with price, amounts and lock: rounded as the venue wants it, never beyond the limit."""

from decimal import ROUND_CEILING, Decimal

import attrs

from actors.rules.exact import EXACT, MICRO_USD, ONE, ZERO
from protocols.errors import RejectedError
from protocols.live.market import Level, MarketTerms, OrderBook
from protocols.live.orders import LiveIntent, OrderType, Side
from protocols.live.ports import OrderPlan
from protocols.live.settings import LiveSettings
from protocols.venue.order_amounts import (
    MARKETABLE_BUY_MIN_USD,
    SIZE_PLACES,
    Amounts,
    floored,
    limit_amounts,
    market_buy_amounts,
    market_sell_amounts,
    price_on_tick,
)

HUNDRED = Decimal(100)
HALF = Decimal("0.5")
MICRO = Decimal(1_000_000)
_FEE_MARGIN = Decimal("0.0001")
GTD_MARGIN_S = 60
"""A GTD order ends so much before its expiration, which has to be 180 s ahead (venue.md §4.5, D36)."""
GTD_MIN_S = 180


@attrs.frozen
class Refusal:
    """Why there is no order."""

    reason: str
    detail: str


def entry_plan(
    intent: LiveIntent,
    settings: LiveSettings,
    stake_usd: Decimal,
    book: OrderBook,
    terms: MarketTerms,
    account: str,
    now_ms: int,
    budget_usd: Decimal | None = None,
) -> OrderPlan | Refusal:
    """Returns the order that copies a BUY for a stake in USD, or why there is none. The fee comes on top of the stake.

    Where `budget_usd` pays for the stake and not for its fee too, as much is spent as leaves enough for the fee.
    """
    if stake_usd <= 0:
        return Refusal("ZERO_STAKE", "the formula stakes nothing")
    cap = EXACT.multiply(intent.signal_price, ONE + settings.slippage_tolerance_pct / HUNDRED)
    limit = price_on_tick(min(cap, ONE - book.tick), book.tick, up=False)
    if limit > cap:
        return Refusal("BELOW_TICK", f"the limit {cap} is below the least price {book.tick}")
    order_type = intent.order_type or settings.order_type
    expiration_s = _expiration_s(order_type, now_ms, settings.resting_s)
    if not order_type.rests and budget_usd is not None:
        stake_usd = within_budget(stake_usd, budget_usd, limit, book.tick, terms)
    plan = _buy(intent, order_type, limit, stake_usd, None, book, terms, account, expiration_s)
    if isinstance(plan, OrderPlan) and Decimal(plan.maker_amount) > settings.max_order_size_usd * MICRO:
        # Raised to the venue's minimum, and that is more than an order may be.
        cost = Decimal(plan.maker_amount) / MICRO
        return Refusal("MIN_SIZE", f"the least order costs {cost} USD, allowed {settings.max_order_size_usd}")
    return plan


def manual_plan(
    intent: LiveIntent, book: OrderBook, terms: MarketTerms, account: str, now_ms: int
) -> OrderPlan | Refusal:
    """Returns the order that somebody placed by hand: his price, his shares or his dollars."""
    order_type = intent.order_type or OrderType.FAK
    limit = intent.limit_price if intent.limit_price is not None else intent.signal_price
    on_tick = price_on_tick(limit, book.tick, up=intent.side is Side.SELL)
    if on_tick != limit:
        return Refusal("TICK", f"{limit} is not on the tick {book.tick}; the next one is {on_tick}")
    expiration_s = 0
    if order_type is OrderType.GTD:
        if intent.expires_ms is None or intent.expires_ms < now_ms + GTD_MIN_S * 1000:
            return Refusal("EXPIRATION", f"a GTD order has to end at least {GTD_MIN_S} s from now")
        expiration_s = intent.expires_ms // 1000
    if intent.side is Side.SELL:
        return _sell(intent, order_type, limit, book, terms, account, expiration_s)
    usd = intent.wanted_usd
    if usd is None:
        usd = EXACT.multiply(intent.wanted_shares or ZERO, limit)
    return _buy(intent, order_type, limit, usd, intent.wanted_shares, book, terms, account, expiration_s)


def exit_plan(intent: LiveIntent, book: OrderBook, terms: MarketTerms, account: str) -> OrderPlan | Refusal:
    """Returns the SELL that an attempt of an obligation makes: at its price cap or better, at once or not at all."""
    cap = intent.limit_price if intent.limit_price is not None else book.tick
    limit = price_on_tick(cap, book.tick, up=False)
    return _sell(intent, intent.order_type or OrderType.FAK, limit, book, terms, account, 0)


def worst_fee_usd(
    spend_usd: Decimal | None, shares: Decimal, limit: Decimal, tick: Decimal, terms: MarketTerms
) -> Decimal:
    """Returns the most that the fee of a BUY can come to, USD, at whatever prices from one tick to its limit it is filled.

    The fee is shares x rate x (p (1 - p))^e (venue.md §7.1). Of given shares it is greatest where p is nearest to one half. Who
    spends dollars gets spend / p of them: his fee is spend x rate x p^(e - 1) x (1 - p)^e, greatest at (e - 1) / (2 e - 1).
    """
    rate, e = terms.fee_rate, terms.fee_exponent
    if rate <= 0:
        return ZERO
    if spend_usd is None:
        p = min(limit, HALF)
        worst = EXACT.multiply(EXACT.multiply(shares, rate), EXACT.power(p * (ONE - p), e) if e else ONE)
    elif e == 0:
        worst = EXACT.divide(EXACT.multiply(spend_usd, rate), tick)
    else:
        p = min(limit, max(tick, EXACT.divide(Decimal(e - 1), Decimal(2 * e - 1))))
        factor = EXACT.multiply(EXACT.power(ONE - p, e), EXACT.power(p, e - 1) if e > 1 else ONE)
        worst = EXACT.multiply(EXACT.multiply(spend_usd, rate), factor)
    # Each fill's fee is rounded by itself, and the tick may change; a hundredth of a cent covers them.
    return worst.quantize(MICRO_USD, ROUND_CEILING, EXACT) + _FEE_MARGIN


def within_budget(
    spend_usd: Decimal, budget_usd: Decimal, limit: Decimal, tick: Decimal, terms: MarketTerms
) -> Decimal:
    """Returns what may be spent of a budget in USD that has to pay for the worst fee too.

    More than the budget stays as it is, for the rules to refuse: it was not the fee that was too much.
    """
    fee = worst_fee_usd(spend_usd, ZERO, limit, tick, terms)
    if not spend_usd <= budget_usd < spend_usd + fee:
        return spend_usd
    # The fee is in proportion to what is spent, but for its margin and the rounding to a millionth.
    per_usd = EXACT.divide(fee - _FEE_MARGIN, spend_usd)
    return floored(EXACT.divide(budget_usd - _FEE_MARGIN - MICRO_USD, ONE + per_usd), 2)


def depth_shares(levels: tuple[Level, ...], limit: Decimal, *, buys: bool) -> Decimal:
    """Returns the shares that a book offers up to a limit, which is applied once (D45)."""
    return sum((shares for price, shares in levels if (price <= limit if buys else price >= limit)), ZERO)


def _buy(
    intent: LiveIntent,
    order_type: OrderType,
    limit: Decimal,
    usd: Decimal,
    wanted_shares: Decimal | None,
    book: OrderBook,
    terms: MarketTerms,
    account: str,
    expiration_s: int,
) -> OrderPlan | Refusal:
    try:
        if order_type.rests:
            shares = wanted_shares if wanted_shares is not None else EXACT.divide(usd, limit)
            least = max(book.min_shares, _least_shares(limit))
            shares = max(floored(shares, SIZE_PLACES), least) if intent.limit_price is None else shares
            if shares < least:
                return Refusal("MIN_SIZE", f"{shares} shares, at least {least}")
            amounts, spend = limit_amounts("BUY", limit, shares, book.tick), None
        else:
            spend = max(floored(usd, 2), MARKETABLE_BUY_MIN_USD) if intent.limit_price is None else floored(usd, 2)
            if spend < MARKETABLE_BUY_MIN_USD:
                return Refusal("MIN_SIZE", f"{spend} USD, at least {MARKETABLE_BUY_MIN_USD}")
            amounts = market_buy_amounts(spend, limit, book.tick)
    except RejectedError as error:
        return Refusal("AMOUNTS", str(error))
    size, cash = Decimal(amounts.taker) / MICRO, Decimal(amounts.maker) / MICRO
    lock = cash + worst_fee_usd(spend, size, limit, book.tick, terms)
    return _plan(intent, order_type, limit, amounts, size, spend, lock, terms, account, expiration_s)


def _sell(
    intent: LiveIntent,
    order_type: OrderType,
    limit: Decimal,
    book: OrderBook,
    terms: MarketTerms,
    account: str,
    expiration_s: int,
) -> OrderPlan | Refusal:
    shares = floored(intent.wanted_shares or ZERO, SIZE_PLACES)
    if order_type.rests and shares < book.min_shares:
        return Refusal("MIN_SIZE", f"{shares} shares, at least {book.min_shares}")
    try:
        make = limit_amounts if order_type.rests else None
        amounts = make("SELL", limit, shares, book.tick) if make else market_sell_amounts(shares, limit, book.tick)
    except RejectedError as error:
        return Refusal("AMOUNTS", str(error))
    size = Decimal(amounts.maker) / MICRO
    return _plan(intent, order_type, limit, amounts, size, None, ZERO, terms, account, expiration_s)


def _plan(
    intent: LiveIntent,
    order_type: OrderType,
    limit: Decimal,
    amounts: Amounts,
    size: Decimal,
    spend: Decimal | None,
    lock: Decimal,
    terms: MarketTerms,
    account: str,
    expiration_s: int,
) -> OrderPlan:
    return OrderPlan(
        intent=intent,
        account=account,
        order_type=order_type,
        limit_price=limit,
        maker_amount=amounts.maker,
        taker_amount=amounts.taker,
        size_shares=size,
        spend_usd=spend,
        lock_usd=lock,
        fee_rate=terms.fee_rate,
        fee_exponent=terms.fee_exponent,
        negative_risk=terms.negative_risk,
        expiration_s=expiration_s,
    )


def _least_shares(limit: Decimal) -> Decimal:
    """The least shares that are worth a dollar, on two decimals."""
    return EXACT.divide(MARKETABLE_BUY_MIN_USD, limit).quantize(Decimal(1).scaleb(-SIZE_PLACES), ROUND_CEILING, EXACT)


def _expiration_s(order_type: OrderType, now_ms: int, resting_s: int) -> int:
    if order_type is not OrderType.GTD:
        return 0
    return now_ms // 1000 + max(GTD_MARGIN_S + resting_s, GTD_MIN_S)
