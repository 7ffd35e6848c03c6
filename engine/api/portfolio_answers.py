"""From a portfolio to what the API answers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from actors.portfolio_desk import Portfolio
from actors.rules.exact import EXACT
from actors.rules.portfolio.figures import Day, TraderTotals, Valued, ratio, totals_of
from actors.rules.portfolio.official import Comparison
from actors.rules.portfolio.pricing import Price, PriceSource, value_of
from engine.api.portfolio_bodies import (
    DayAnswer,
    Freshness,
    OfficialAnswer,
    OfficialTotals,
    PositionAnswer,
    RealizedAnswer,
    StatsAnswer,
    TopTrader,
    TopTraders,
    TradeAnswer,
    WindowAnswer,
)
from protocols.portfolio import Row, TokenFacts
from protocols.timestamps import utc_datetime

DAY_MS = 86_400_000
OPEN_ORDERS_MAX = 20
_NANO = Decimal("1E-9")


def usd(micro: int) -> Decimal:
    """Returns micro-USD, or micro-shares, in whole ones."""
    return Decimal(micro).scaleb(-6, EXACT)


def moment(us: int) -> datetime:
    """Returns a time, to the millisecond."""
    return utc_datetime(us // 1000)


def percent(part: int | None, whole: int) -> Decimal | None:
    """Returns a part of a whole in per cent, or None of nothing."""
    return None if part is None else ratio(100 * part, whole)


def stats_answer(portfolio: Portfolio) -> StatsAnswer:
    """Returns the figures of §6.4."""
    totals = totals_of(portfolio.valued)
    return StatsAnswer(
        total_pnl=_usd(totals.total), realized_pnl=usd(totals.realized), unrealized_pnl=_usd(totals.unrealized),
        total_volume=usd(totals.volume), roi=percent(totals.total, totals.volume), win_rate=totals.win_rate,
        total_trades=totals.buys + totals.sells, total_buy_trades=totals.buys, total_sell_trades=totals.sells,
        open_trades=totals.open_buys, closed_trades=totals.buys - totals.open_buys, open_positions=totals.open_positions,
        closed_positions=totals.closed_positions, winning_positions=totals.winning, losing_positions=totals.losing,
        fees_usd=usd(totals.fees), open_cost_usd=usd(totals.open_cost), open_value_usd=usd(totals.open_value),
        unmarked_positions=totals.unmarked, unmarked_cost_usd=usd(totals.unmarked_cost),
        unmatched_sells=totals.unmatched_sells, unmatched_usd=usd(totals.unmatched), freshness=_freshness(portfolio),
        official=_official_totals(portfolio), as_of=moment(portfolio.now_us),
    )  # fmt: skip


def position_answer(valued: Valued, facts: TokenFacts | None, portfolio: Portfolio) -> PositionAnswer:
    """Returns one position; `facts` are those of its token."""
    one, price = valued.position, valued.price
    official = (portfolio.official or {}).get(one.token_id)
    return PositionAnswer(
        scope=one.scope, state="open" if one.is_open else "closed", condition_id=_condition(one.token_id, facts),
        token_id=_token(one.token_id), outcome=_of(facts, "outcome"), market_title=_of(facts, "market_title"),
        market_slug=_of(facts, "market_slug"), event_slug=_of(facts, "event_slug"), shares=usd(one.shares),
        cost_usd=usd(one.cost), average_price=ratio(one.cost, one.shares), bought_shares=usd(one.bought_shares),
        invested_usd=usd(one.bought), fees_usd=usd(one.fees), realized_pnl=usd(one.realized),
        settled_pnl=usd(one.settled_pnl), unrealized_pnl=_usd(valued.unrealized), value_usd=_usd(valued.value),
        **_price(price, portfolio.now_us), orders=len(one.orders),
        traders=sorted({order.trader for order in one.orders.values() if order.trader}),
        unmatched_shares=usd(one.unmatched_shares),
        open_orders=list(islice((order.order_id for order in one.orders.values() if order.shares_open), OPEN_ORDERS_MAX)),
        opened_at=moment(one.opened_us), last_at=moment(one.last_us),
        official=None if official is None else _official(official),
    )  # fmt: skip


def trade_answer(row: Row, portfolio: Portfolio) -> TradeAnswer:
    """Returns one order with what became of it; `portfolio` has all fills of its token."""
    found = portfolio.at.get((row["scope"], row["token_id"]))
    order = None if found is None else found.position.orders.get(row["order_id"])
    price = found.price if found is not None and order is not None and order.shares_open else None
    now_us = portfolio.now_us
    shares, is_buy = Decimal(row["shares"]), row["side"] == "BUY"
    cost = row["usd"] + row["fee_usd"] if is_buy else row["usd"] - row["fee_usd"]
    left, realized = (0, 0) if order is None else (order.shares_open, order.realized)
    unrealized: int | None = 0
    if left and order is not None:
        unrealized = None if price is None else value_of(left, price.usd) - order.cost_open
    gained = None if unrealized is None else realized + unrealized
    return TradeAnswer(
        **{name: row[name] for name in (
            "order_id", "kind", "strategy_id", "account", "status", "trader", "condition_id", "outcome", "market_title",
            "market_slug", "side", "exit_price", "trader_still_has_position", "at", "fee_usd",
        )},
        token_id=_token(row["token_id"]), shares=shares, entry_price=EXACT.divide(row["usd"], shares).quantize(_NANO),
        invested_usd=cost, shares_open=usd(left), realized_pnl=usd(realized), unrealized_pnl=_usd(unrealized),
        pnl_pct=percent(gained, int(cost.scaleb(6))) if is_buy else None, **_price(price, now_us, "current_price"),
    )  # fmt: skip


def realized_answer(days: Sequence[Day], windows: Mapping[str, tuple[int, int]], now_us: int) -> RealizedAnswer:
    """Returns gains by day."""
    return RealizedAnswer(
        daily=[
            DayAnswer(date=utc_datetime(day.number * DAY_MS).date(), realized_pnl=usd(day.realized),
                      pnl_to_date=usd(day.to_date), volume=usd(day.bought))
            for day in days
        ],
        summaries={name: WindowAnswer(realized_pnl=usd(gained), volume=usd(bought))
                   for name, (gained, bought) in windows.items()},
        volume=usd(sum(day.bought for day in days)), as_of=moment(now_us),
    )  # fmt: skip


def traders_answer(traders: Iterable[TraderTotals], names: Mapping[str, str], now_us: int) -> TopTraders:
    """Returns everybody who was copied."""
    return TopTraders(
        traders=[
            TopTrader(
                wallet=one.trader, name=None if one.trader is None else names.get(one.trader), copy_count=one.copies,
                total_invested=usd(one.invested), pnl=usd(one.pnl), realized_pnl=usd(one.realized),
                unrealized_pnl=usd(one.unrealized), unmarked_cost_usd=usd(one.unmarked_cost),
                roi=percent(one.pnl, one.invested), win_rate=ratio(one.won, one.closed), closed_positions=one.closed,
                last_at=moment(one.last_us),
            )
            for one in traders
        ],
        as_of=moment(now_us),
    )  # fmt: skip


def _freshness(portfolio: Portfolio) -> Freshness:
    count, oldest_ms = Counter[PriceSource](), None
    for one in portfolio.valued:
        if one.price is not None and one.position.is_open:
            count[one.price.source] += 1
            age_ms = one.price.age_ms(portfolio.now_us)
            if age_ms is not None:
                oldest_ms = age_ms if oldest_ms is None else max(age_ms, oldest_ms)
    is_open = sum(one.position.is_open for one in portfolio.valued)
    return Freshness(
        quote=count[PriceSource.QUOTE], current_price=count[PriceSource.CURRENT_PRICE], market=count[PriceSource.MARKET],
        unmarked=is_open - count.total(), oldest_age_ms=oldest_ms,
    )  # fmt: skip


def _official_totals(portfolio: Portfolio) -> OfficialTotals | None:
    """Sums over tokens, never over orders or positions (D79)."""
    if portfolio.official is None:
        return None
    found = portfolio.official.values()
    differing = [one for one in found if one.reasons]
    ours, said = sum(one.ours for one in found), sum(one.official for one in found)
    tokens = {one.position.token_id for one in portfolio.valued}
    return OfficialTotals(
        tokens=len(found), official_realized_pnl=usd(said), our_realized_pnl=usd(ours), difference=usd(ours - said),
        differing_tokens=len(differing), reasons=dict(Counter(reason for one in differing for reason in one.reasons)),
        unknown_tokens=len(tokens) - len(found),
    )  # fmt: skip


def _official(one: Comparison) -> OfficialAnswer:
    return OfficialAnswer(
        official_realized_pnl=usd(one.official), our_realized_pnl=usd(one.ours), difference=usd(one.difference),
        reasons=list(one.reasons), positions=one.positions, synced_at=moment(one.synced_us),
    )  # fmt: skip


def _price(price: Price | None, now_us: int, name: str = "price") -> dict[str, Any]:
    if price is None:
        return {name: None, "price_source": None, "price_at": None, "price_age_ms": None}
    return {
        name: price.usd, "price_source": price.source,
        "price_at": None if price.at_us is None else moment(price.at_us), "price_age_ms": price.age_ms(now_us),
    }  # fmt: skip


def _usd(micro: int | None) -> Decimal | None:
    return None if micro is None else usd(micro)


def _of(facts: TokenFacts | None, name: str) -> Any:
    return None if facts is None else getattr(facts, name)


def _condition(token_id: str, facts: TokenFacts | None) -> str | None:
    known = None if facts is None else facts.condition_id
    return token_id.partition("::")[0] if known is None and "::" in token_id else known


def _token(token_id: str) -> str | None:
    return None if "::" in token_id else token_id
