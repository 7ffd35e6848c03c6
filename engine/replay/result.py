"""What a replay comes to, as a plain document: the same tape, bots and seed give the same bytes."""

import json
from decimal import Decimal
from typing import Any

import attrs

from actors.rules.exact import CENT, MICRO_USD, half_up
from actors.rules.paper.figures import figures_of
from config.strategy_settings import document_of
from engine.replay.host import Replayed, ReplayOrder
from protocols.paper import OpenOrder
from protocols.strategies import Strategy


def document(order: ReplayOrder, done: Replayed, *, skipped_lines: int) -> dict[str, Any]:
    """Returns facts of the tape and, by strategy, figures, reasons, orders, open positions and equity. Decimals are texts."""
    rows = order.rows
    return {
        "tape": {
            "trades": len(rows),
            "skipped_lines": skipped_lines,
            "malformed": done.malformed,
            "undecided": done.dead_letters,
            "began_ms": rows[0].timestamp_s * 1000,
            "ended_ms": done.ended_ms,
            "wallets": len({row.wallet for row in rows}),
            "markets": len({row.condition_id for row in rows}),
            "resolutions": len(order.resolutions),
        },
        "seed": order.seed,
        "copied": list(order.wallets) or "every wallet of the tape",
        "bots": {one.wallet_id: _bot(one, done) for one in done.strategies},
    }


def as_bytes(result: dict[str, Any]) -> bytes:
    """Returns the document as JSON with sorted keys."""
    return (json.dumps(result, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _bot(strategy: Strategy, done: Replayed) -> dict[str, Any]:
    name = strategy.wallet_id
    positions = [one for one in done.ledger.positions.values() if one.order.wallet_id == name]
    left = [one.left for one in positions if one.left is not None]
    marked = [(one, half_up(one.shares * done.prices[one.token_id], MICRO_USD)) for one in left]
    unrealized = sum((value - one.cost for one, value in marked), Decimal(0))
    figures = attrs.asdict(figures_of(done.ledger.balances[name], unrealized))
    return {
        "version": strategy.version,
        "settings": document_of(strategy.settings),
        "figures": {key: _text(value) for key, value in figures.items()},
        "reasons": {
            reason: count
            for (number, reason), count in sorted(done.ledger.reasons.items())
            if number == strategy.number
        },
        "orders": [
            {
                "order_id": one.order.order_id,
                "trade_id": one.order.source_trade_id,
                "trader": one.order.trader,
                "market": one.order.market_title,
                "outcome": one.order.outcome,
                "token_id": one.order.token_id,
                "trade_ms": one.order.trade_ms,
                "entry_price": str(one.order.entry_price),
                "stake": str(one.order.stake),
                "shares": str(one.order.shares),
                "fee": str(one.order.fee),
                "result": "unsettled" if one.left is not None else one.outcome,
                "realized": str(one.pnl),
            }
            for one in positions
        ],
        "unsettled": [_unsettled(one, value, done) for one, value in marked],
        "equity": [[at_ms, str(half_up(equity[name], CENT))] for at_ms, equity in done.curves],
    }


def _unsettled(order: OpenOrder, value: Decimal, done: Replayed) -> dict[str, str]:
    return {
        "order_id": order.order_id,
        "token_id": order.token_id,
        "shares": str(order.shares),
        "cost": str(order.cost),
        "last_price": str(done.prices[order.token_id]),
        "value": str(value),
    }


def _text(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value
