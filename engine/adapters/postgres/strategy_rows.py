"""Settings of strategies as columns of `ft_wallets`, one a setting, and back."""

import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from protocols.strategies import Strategy, StrategySettings
from protocols.timestamps import utc_datetime

FIELDS = attrs.fields(StrategySettings)
SETTING_COLUMNS: tuple[str, ...] = tuple(field.name for field in FIELDS)
"""In the order of `column_values`."""


def column_values(settings: StrategySettings) -> list[Any]:
    """Returns the values of `SETTING_COLUMNS`."""
    return [to_column(getattr(settings, field.name), field) for field in FIELDS]


def strategy_of(row: asyncpg.Record) -> Strategy:
    """Returns the strategy in a row with wallet_id, number, owner_id, version and `SETTING_COLUMNS`."""
    settings = StrategySettings(**{field.name: from_column(row[field.name], field) for field in FIELDS})
    return Strategy(
        wallet_id=row["wallet_id"],
        number=row["number"],
        owner_id=str(row["owner_id"]),
        version=row["version"],
        settings=settings,
    )


def to_column(value: Any, field: "attrs.Attribute[Any]") -> Any:
    """Returns the value of a setting as its column has it."""
    kind = field.metadata["kind"]
    if value is None:
        return None
    if kind == "time":
        return utc_datetime(value)
    if kind in ("wallets", "words"):
        return list(value)
    return value.value if isinstance(value, enum.Enum) else value


def from_column(value: Any, field: "attrs.Attribute[Any]") -> Any:
    """Returns the value of a column as its setting has it."""
    kind = field.metadata["kind"]
    if value is None:
        return None
    if kind == "time":
        moment: datetime = value
        return round(moment.astimezone(UTC).timestamp() * 1000)
    if kind in ("wallets", "words"):
        return tuple(value)
    if kind == "choice":
        return field.metadata["options"](value)
    if kind == "decimal":
        # As it was written: 0.25, not 0.2500.
        plain: Decimal = value
        return plain.quantize(Decimal(1)) if plain == plain.to_integral_value() else plain.normalize()
    return value
