"""Settings of strategies as a form: in groups that belong together, each with its value, range, default and meaning."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

BOT_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("About", ("display_name", "description", "hypothesis", "thesis_tier", "strategy_name", "is_active", "start_date",
               "end_date")),
    ("Whom it copies", ("target_mode", "target_traders", "excluded_traders", "rotation", "rotation_size", "copy_sells")),
    ("Which trades", ("price_min", "price_max", "min_original_trade_usd", "max_original_trade_usd", "max_trade_age_s",
                      "trade_live_only", "market_categories", "bet_structures", "exclude_market_keywords", "aggregate",
                      "aggregate_window_s")),
    ("How good the trader is", ("wr_source", "min_trader_win_rate", "max_trader_win_rate", "min_trader_resolved_count",
                                "min_edge", "max_edge", "min_conviction", "max_conviction", "use_model",
                                "model_threshold", "absent_score")),
    ("When traders disagree", ("conflict_policy", "max_targets_per_side", "max_event_exposure_usd")),
    ("Stake", ("starting_balance", "bet_size", "bet_allocation_weight", "allocation_method", "kelly_fraction", "min_bet",
               "max_bet", "proportional_pct", "proportional_basis")),
    ("Fills on paper", ("entry_model", "fill_delay_ms", "fill_slippage_max_pct")),
    ("When it trades live", ("dead_market_guard", "dead_market_floor", "dead_market_max_drift_pct")),
    ("Tuner", ("agent_managed", "agent_applies")),
)  # fmt: skip
LIVE_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("About", ("display_name", "description")),
    ("How it enters", ("order_type", "resting_s", "slippage_tolerance_pct", "min_order_size_usd", "max_order_size_usd",
                       "cooldown_hours")),
    ("How it sells", ("copy_sells", "stop_loss_pct", "take_profit_pct", "max_hold_hours", "exit_slippage_pct",
                      "exit_step_pct", "exit_deadline_s")),
)  # fmt: skip
_EMPTY_IS = {"text": "text", "wallets": "list", "words": "list"}
LONG_TEXT_CHARS = 200


@attrs.frozen(kw_only=True)
class SettingField:
    """One field of the form."""

    name: str
    label: str
    kind: str
    meaning: str
    allowed: str
    default: str
    """As people read it."""
    value: str
    """As the field has it; lists one item a line."""
    is_on: bool
    """Of a flag."""
    options: Sequence[str]
    at_least: str
    at_most: str
    step: str
    chars_max: int | None
    may_be_off: bool
    empty: str
    """What an empty field means: null, text, list, or nothing: then something has to stand there."""
    is_long: bool


@attrs.frozen(kw_only=True)
class SettingGroup:
    """Fields under a heading."""

    title: str
    fields: Sequence[SettingField]


def setting_groups(
    described: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
    groups: Sequence[tuple[str, Sequence[str]]],
    rest: str = "More",
) -> list[SettingGroup]:
    """Returns the form of settings as the API describes them. What no group names comes last, under `rest`."""
    by_name = {one["name"]: one for one in described}
    placed = {name for _, names in groups for name in names}
    left = tuple(name for name in by_name if name not in placed)
    found = [
        SettingGroup(title=title, fields=[_field(by_name[name], values.get(name)) for name in names if name in by_name])
        for title, names in (*groups, (rest, left))
    ]
    return [group for group in found if group.fields]


def written(value: Any, kind: str) -> str:
    """Returns a value of a setting as people read it."""
    if value is None:
        return "off" if kind in ("decimal", "whole") else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) or "empty"


def _field(described: Mapping[str, Any], value: Any) -> SettingField:
    kind, decimals = described["kind"], described["decimals"]
    chars_max = described["charsMax"] if kind == "text" else None
    return SettingField(
        name=described["name"],
        label=_label(described["name"]),
        kind=kind,
        meaning=described["meaning"],
        allowed=described["allowed"],
        default=written(described["default"], kind),
        value="\n".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value),
        is_on=value is True,
        options=described["options"] or (),
        at_least=_number(described["atLeast"]),
        at_most=_number(described["atMost"]),
        step="1" if decimals == 0 else f"0.{'0' * (decimals - 1)}1" if decimals else "",
        chars_max=chars_max,
        may_be_off=described["mayBeOff"],
        empty="null" if described["mayBeOff"] else _EMPTY_IS.get(kind, ""),
        is_long=chars_max is not None and chars_max > LONG_TEXT_CHARS,
    )


def _label(name: str) -> str:
    """`max_order_size_usd` is `Max order size (USD)`."""
    words = name.split("_")
    unit = {"usd": "USD", "pct": "%", "s": "s", "ms": "ms", "hours": "h"}.get(words[-1])
    if unit and len(words) > 1:
        words.pop()
    text = " ".join(words).capitalize()
    return f"{text} ({unit})" if unit else text


def _number(value: Any) -> str:
    return "" if value is None else f"{Decimal(value):f}"
