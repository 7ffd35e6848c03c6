"""Rows of live trading as a terminal shows them."""

from typing import Any

POSITION_HEADS = ("strategy", "account", "market", "outcome", "shares", "cost USD", "lots")
EXIT_HEADS = ("strategy", "why", "status", "token", "to sell", "sold", "tries", "")


def strategy_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the cells of a live strategy."""
    state = "archived" if not row["is_active"] else "paused" if row["is_paused"] else ""
    if row["breaker_reason"] is not None:
        state = "latched"
    return (
        row["strategy_id"], state, row["account"], _usd(row["available"]), _usd(row["locked"]), _usd(row["cooldown"]),
        _usd(row["realized_pnl"]), _usd(row["drift"]), row["open_positions"], row["orders"],
    )  # fmt: skip


def position_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the cells of an open position."""
    return (
        row["strategy_id"], row["account"], (row["market_title"] or row["condition_id"])[:50], row["token_label"] or "?",
        _plain(row["shares"]), _usd(row["cost_usd"]), row["lots"],
    )  # fmt: skip


def exit_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the cells of an obligation to sell."""
    return (
        row["strategy_id"], row["kind"], "OVERDUE" if row["overdue"] else row["status"], row["token_id"][:12] + "…",
        "" if row["target_shares"] is None else _plain(row["target_shares"]), _plain(row["sold_shares"]),
        row["attempts"], row["detail"] or "",
    )  # fmt: skip


def _plain(value: Any) -> str:
    return format(value.normalize(), "f")


def _usd(value: Any) -> str:
    return f"{value:.2f}"
