"""What the API says of notifications."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from engine.adapters.postgres.notification_user_store import PreferenceRow
from engine.api.route import Struct
from engine.api.text_fields import text_field

Wall = Annotated[str, text_field("(?:[01][0-9]|2[0-3]):[0-5][0-9]", "a time of day such as 22:00")]
Zone = Annotated[str, text_field("[A-Za-z][A-Za-z0-9_+/-]{0,63}", "a time zone such as Europe/Berlin")]
Percent = Annotated[Decimal, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": 100})]


class PreferenceChanges(Struct):
    """What to change; what is left out stays. `quietFrom` and `quietTo` go together, null switches both off."""

    email_notifications_enabled: bool | msgspec.UnsetType = msgspec.UNSET
    market_resolves: bool | msgspec.UnsetType = msgspec.UNSET
    trader_closes_position: bool | msgspec.UnsetType = msgspec.UNSET
    auto_close: bool | msgspec.UnsetType = msgspec.UNSET
    order_filled: bool | msgspec.UnsetType = msgspec.UNSET
    order_rejected: bool | msgspec.UnsetType = msgspec.UNSET
    order_lost: bool | msgspec.UnsetType = msgspec.UNSET
    strategy_halted: bool | msgspec.UnsetType = msgspec.UNSET
    drift: bool | msgspec.UnsetType = msgspec.UNSET
    daily_summary: bool | msgspec.UnsetType = msgspec.UNSET
    quiet_from: Wall | msgspec.UnsetType | None = msgspec.UNSET
    quiet_to: Wall | msgspec.UnsetType | None = msgspec.UNSET
    timezone: Zone | msgspec.UnsetType = msgspec.UNSET
    default_buy_slippage: Percent | msgspec.UnsetType | None = msgspec.UNSET
    default_sell_slippage: Percent | msgspec.UnsetType = msgspec.UNSET


class PreferencesAnswer(Struct):
    """What a user wants. Without any wish of his own it is everything, at any hour."""

    email_notifications_enabled: bool
    """Mail; channels of the operator's are not meant."""
    market_resolves: bool
    trader_closes_position: bool
    auto_close: bool
    order_filled: bool
    order_rejected: bool
    order_lost: bool
    strategy_halted: bool
    drift: bool
    daily_summary: bool
    quiet_from: str | None
    """On the clock of `timezone`. What comes in quiet hours waits, but for halts, drift and lost orders."""
    quiet_to: str | None
    timezone: str
    default_buy_slippage: Decimal | None
    """Percent."""
    default_sell_slippage: Decimal


class DeliveryAnswer(Struct):
    """How a notice stands on one channel."""

    channel: str
    status: str
    """pending, sent, failed: given up, suppressed: not wanted."""
    attempts: int
    """That failed."""
    error: str | None
    next_try_at: datetime
    sent_at: datetime | None


class NoticeAnswer(Struct):
    """One thing that the caller heard of, or will."""

    notification_id: int
    kind: str
    headline: str
    details: dict[str, str]
    payload: dict[str, Any]
    happened_at: datetime
    deliveries: list[DeliveryAnswer]
    """Empty: no channel is meant for it, or none was chosen yet."""


class NoticePage(Struct):
    """Notices, newest first."""

    notifications: list[NoticeAnswer]
    next_before: int | None


class TestAnswer(Struct):
    """What became of a test."""

    notification_id: int
    is_over: bool
    """False: it is still being sent; look at it later."""
    deliveries: list[DeliveryAnswer]
    """Empty: no channel is meant for the caller."""


def preferences_answer(row: PreferenceRow) -> PreferencesAnswer:
    """Returns what a user wants as JSON has it."""
    values = {name: getattr(row, name) for name in PreferencesAnswer.__struct_fields__}
    for name in ("quiet_from", "quiet_to"):
        values[name] = None if values[name] is None else values[name].strftime("%H:%M")
    return PreferencesAnswer(**values)
