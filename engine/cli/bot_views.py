"""Strategies as documents and lines of text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
import attrs

from config.strategy_settings import document_of
from engine.adapters.postgres.strategy_store import StrategyStore, StrategyVersion
from engine.cli.terminal import plain
from protocols.strategies import Strategy, StrategySettings

BALANCES = """
SELECT wallet_id, starting, cash, open_cost, realized_pnl, orders, open_orders, won, lost, sold, void
FROM ft_balances WHERE wallet_id = ANY ($1::text[])
"""
_COUNTS = ("orders", "open_orders", "won", "lost", "sold", "void")
_MONEY = ("starting", "cash", "open_cost", "realized_pnl")


async def bot_rows(store: StrategyStore, strategies: Sequence[Strategy]) -> list[tuple[Strategy, dict[str, object]]]:
    """Returns strategies with their balances: USD as texts with cents, counts as numbers."""
    names = [strategy.wallet_id for strategy in strategies]

    async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
        return await raw.fetch(BALANCES, names)

    found = {row["wallet_id"]: row for row in await store.connection.run(work)}
    return [
        (
            strategy,
            {name: f"{found[strategy.wallet_id][name]:.2f}" for name in _MONEY}
            | {name: found[strategy.wallet_id][name] for name in _COUNTS},
        )
        for strategy in strategies
    ]


def bot_document(strategy: Strategy, balance: Mapping[str, object]) -> dict[str, Any]:
    """Returns a strategy as JSON."""
    return {
        "bot": strategy.wallet_id,
        "version": strategy.version,
        "balance": dict(balance),
        "settings": document_of(strategy.settings),
    }


def settings_lines(settings: StrategySettings) -> list[str]:
    """Returns a line a setting; a star marks what is not the default."""
    defaults = document_of(StrategySettings())
    width = max(map(len, defaults))
    return [
        f"{'*' if value != defaults[name] else ' '} {name:<{width}}  {shown(value)}"
        for name, value in document_of(settings).items()
    ]


def setting_rows() -> list[tuple[str, str, str, str]]:
    """Returns name, default, what is allowed and meaning of every setting."""
    defaults = document_of(StrategySettings())
    return [
        (field.name, shown(defaults[field.name]), field.metadata["allowed"], field.metadata["doc"])
        for field in attrs.fields(StrategySettings)
    ]


def version_document(version: StrategyVersion, before: StrategyVersion | None) -> dict[str, object]:
    """Returns a version with what it changed: old and new value by setting."""
    old = document_of(StrategySettings()) if before is None else before.settings
    changes = {name: [old.get(name), value] for name, value in version.settings.items() if old.get(name) != value}
    return {
        "version": version.version,
        "changed_at": version.changed_at,
        "changed_by": version.changed_by,
        "changes": changes,
    }


def changed_lines(changes: Mapping[str, Sequence[object]]) -> Iterable[str]:
    """Returns a line a change."""
    for name, (old, new) in changes.items():
        yield f"{name}: {shown(old)} → {shown(new)}"


def shown(value: object) -> str:
    """Returns a value as people read it."""
    if value is None:
        return "off"
    if isinstance(value, list):
        listed = ", ".join(map(str, value[:10])) or "none"
        return plain(listed if len(value) <= 10 else f"{listed} and {len(value) - 10} more")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if value != "" else "-"
