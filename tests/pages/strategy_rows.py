"""Bots, live strategies and what they did, as rows and calls of the API that pages of strategies are tried with."""

import json
from datetime import timedelta
from typing import Any

import attrs
from pages.page_world import NOWHERE, PageWorld, ago

from config.live_trading import AccountConfig
from config.schema import EngineConfig
from protocols.users import Principal

LIVE = "LT_BOT"


def live_config(user: str = "ann") -> EngineConfig:
    """Returns a configuration with an account of this user, and a venue that does not answer."""
    config = EngineConfig()
    venue = attrs.evolve(config.venue, gamma_url=NOWHERE, clob_url=NOWHERE, data_url=NOWHERE)
    live = attrs.evolve(config.live, accounts={"main": AccountConfig(user=user)})
    return attrs.evolve(config, live=live, venue=venue)


async def make_bot(world: PageWorld, owner: Principal, name: str = "BOT", **settings: Any) -> None:
    """Makes a strategy with the API."""
    answer = await world.ask("POST", "/api/ft/wallets", owner, json={"walletId": name, "settings": settings})
    assert answer.status_code == 200, answer.text


async def make_live(world: PageWorld, owner: Principal, bot: str = "BOT", capital: int = 100, **settings: Any) -> str:
    """Makes a live strategy of account `main`, and returns its id."""
    body = {"ftWalletId": bot, "account": "main", "capitalUsd": capital, "settings": settings}
    answer = await world.ask("POST", "/api/lt/strategies", owner, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["strategy"]["strategyId"])


def live_order(number: int, *, strategy: str = LIVE, age_s: float = 60, **changes: Any) -> dict[str, Any]:
    """Returns a filled order: 10 shares at 50 cents, all of them open."""
    at = ago(seconds=age_s)
    made: dict[str, Any] = {
        "lt_order_id": order_id(number), "strategy_id": strategy, "account": "main", "cause": f"trade-{number}",
        "attempt": 1, "origin": "copy", "part": "now", "members": [], "side": "BUY", "condition_id": f"0xc{number}",
        "token_id": str(1_000 + number), "token_label": "Yes", "market_title": f"Will it rain on day {number}?",
        "signal_price": "0.49", "signal_at": at, "decided_at": at + timedelta(seconds=1), "post_only": False,
        "status": "FILLED", "ended": True, "ended_at": at + timedelta(seconds=2), "order_hash": f"0x{number:064x}",
        "signed_body": "\\x00", "signed_at": at + timedelta(seconds=1.5), "placed_at": at + timedelta(seconds=2),
        "order_type": "FAK", "limit_price": "0.52", "size_shares": "10", "lock_usd": "5.2", "venue_ended": True,
        "venue_matched": "10", "filled_shares": "10", "filled_usd": "5", "fee_usd": "0.05", "shares_open": "10",
        "cost_open": "5.05", "realized_usd": "0", "outcome": "OPEN", "not_found": 0, "reason": None, "detail": None,
        "first_fill_at": at + timedelta(seconds=2), "version": 1, "created_at": at + timedelta(seconds=1),
        "updated_at": at,
    }  # fmt: skip
    assert changes.keys() <= made.keys(), changes.keys() - made.keys()
    return made | changes


def never_sent(number: int, reason: str, detail: str, **changes: Any) -> dict[str, Any]:
    """Returns an order that a rule of ours kept from the venue."""
    unsent = {
        "status": "REJECTED", "order_hash": None, "signed_body": None, "signed_at": None, "placed_at": None,
        "filled_shares": "0", "filled_usd": "0", "fee_usd": "0", "shares_open": "0", "cost_open": "0", "outcome": "NONE",
        "venue_matched": "0", "venue_ended": False, "first_fill_at": None, "size_shares": None, "lock_usd": None,
        "limit_price": None, "order_type": None,
    }  # fmt: skip
    return live_order(number, **{**unsent, "reason": reason, "detail": detail, **changes})


def live_exit(number: int, *, strategy: str = LIVE, due_s: float = 60, **changes: Any) -> dict[str, Any]:
    """Returns an obligation to sell that is due in so many seconds; less than 0: overdue."""
    made: dict[str, Any] = {
        "exit_id": f"00000000-0000-4000-9000-{number:012x}", "strategy_id": strategy, "cause": f"sale-{number}",
        "kind": "trader_sell", "condition_id": f"0xc{number}", "token_id": str(1_000 + number), "trader": "0xt",
        "share": "0.5", "signal_price": "0.6", "signal_at": ago(seconds=90), "status": "OPEN", "target_shares": "5",
        "sold_shares": "1", "attempts": 2, "deadline_at": ago(seconds=-due_s), "next_try_at": ago(seconds=1),
        "detail": None, "created_at": ago(seconds=80 + number),
    }  # fmt: skip
    assert changes.keys() <= made.keys(), changes.keys() - made.keys()
    return made | changes


def log_line(number: int, *, strategy: str = LIVE, age_s: float = 60, **changes: Any) -> dict[str, Any]:
    """Returns a line of the log."""
    at = ago(seconds=age_s)
    made: dict[str, Any] = {
        "log_day": at.date(), "id": number, "created_at": at, "level": "info", "message": f"TRADE BUY {number}",
        "stage": "ORDER_RESULT", "trace_id": f"trade-{number}", "execution_id": "e", "strategy_id": strategy,
        "lt_order_id": None, "elapsed_ms": 12.3, "source_trade_id": None, "extra": {},
    }  # fmt: skip
    assert changes.keys() <= made.keys(), changes.keys() - made.keys()
    return made | changes


async def put_lines(world: PageWorld, lines: list[dict[str, Any]]) -> None:
    """Stores lines with their ids."""
    for line in lines:
        names = ", ".join(line)
        await world.rows.run(
            f"INSERT INTO lt_execute_logs ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM "
            "jsonb_populate_record(NULL::lt_execute_logs, $1::jsonb)",
            json.dumps(line, default=str),
        )


def order_id(number: int) -> str:
    """Returns the id of the order of `live_order(number)`."""
    return f"00000000-0000-4000-8000-{number:012x}"


def cells(page: Any, name: str) -> list[str]:
    """Returns the values of an attribute, in the order of the page."""
    return [attributes[name] for _, attributes in page.elements if name in attributes]
