"""Decisions, orders and strategies made for tests."""

from decimal import Decimal
from typing import Any

from property.made_trades import NOON_S, condition, wallet

from protocols.decisions import Decision, PaperClose, PaperOrder, Reason
from protocols.paper import Account, Balance, OpenOrder
from protocols.strategies import Strategy, StrategySettings, StrategyTable

OWNER = "00000000-0000-4000-8000-000000000001"
TOKEN = "123456789"
NOON_MS = NOON_S * 1000


def settings(**changes: Any) -> StrategySettings:
    """A strategy without gates that stakes 10 USD of 1,000."""
    made: dict[str, Any] = {
        "min_edge": None,
        "min_trader_resolved_count": 0,
        "bet_size": Decimal(10),
        "min_bet": Decimal(0),
        "max_bet": Decimal(1_000),
    }
    return StrategySettings(**(made | changes))


def strategy(number: int = 1, *, version: int = 1, owner_id: str = OWNER, **changes: Any) -> Strategy:
    return Strategy(
        wallet_id=f"BOT_{number}", number=number, owner_id=owner_id, version=version, settings=settings(**changes)
    )


def table(*strategies: Strategy, version: int = 1, **changes: Any) -> StrategyTable:
    made: dict[str, Any] = {"followed": {}, "leaderboard": ()}
    return StrategyTable(version=version, strategies=strategies, **(made | changes))


def account(wallet_id: str = "BOT_1", cash: str = "1000", *orders: OpenOrder) -> Account:
    starting = Decimal(cash) + sum((order.cost for order in orders), Decimal(0))
    balance = Balance(
        starting=starting,
        cash=Decimal(cash),
        open_cost=starting - Decimal(cash),
        orders=len(orders),
        open_orders=len(orders),
        peak_equity=starting,
    )
    return Account(wallet_id=wallet_id, balance=balance, open_orders=orders)


def order(number: int, wallet_id: str = "BOT_1", **changes: Any) -> PaperOrder:
    """10 USD for 25 shares at 0.40, copied from trade `number`."""
    made: dict[str, Any] = {
        "order_id": f"00000000-0000-4000-9000-{number:012d}",
        "wallet_id": wallet_id,
        "version": 1,
        "source_trade_id": f"trade-{number}",
        "members": (),
        "trader": wallet(1),
        "condition_id": condition(7),
        "token_id": TOKEN,
        "outcome": "Yes",
        "market_slug": None,
        "market_title": None,
        "market_end_ms": None,
        "signal_price": Decimal("0.4"),
        "entry_price": Decimal("0.4"),
        "stake": Decimal(10),
        "shares": Decimal(25),
        "fee": Decimal(0),
        "entry_model": "observed",
        "fill_inputs": "{}",
        "win_rate": Decimal("0.5"),
        "resolved_count": 0,
        "roi": None,
        "model_probability": None,
        "edge": Decimal("0.1"),
        "conviction": Decimal(1),
        "trade_ms": NOON_MS,
        "decided_ms": NOON_MS,
    }
    return PaperOrder(**(made | changes))


def close(number: int, of: PaperOrder, shares: str, **changes: Any) -> PaperClose:
    made: dict[str, Any] = {
        "wallet_id": of.wallet_id,
        "order_id": of.order_id,
        "source_trade_id": f"sale-{number}",
        "shares": Decimal(shares),
        "share": Decimal("0.5"),
        "price": Decimal("0.5"),
        "fee_rate": None,
        "fee_exponent": 1,
        "trade_ms": NOON_MS + 1_000,
    }
    return PaperClose(**(made | changes))


def decision(trade_id: str, *, part: str = "now", **changes: Any) -> Decision:
    orders, closes = changes.get("orders", ()), changes.get("closes", ())
    reason = Reason.TAKEN if orders else Reason.TRADER_SELL if closes else Reason.PRICE_OUT_OF_RANGE
    made: dict[str, Any] = {
        "part": part,
        "trade_id": trade_id,
        "trade_ms": NOON_MS,
        "decided_ms": NOON_MS,
        "members": (),
        "snapshot": "{}",
        "strategies": (1,),
        "versions": (1,),
        "reasons": (reason.value,),
        "bankrolls": (None,),
    }
    return Decision(**(made | changes))
