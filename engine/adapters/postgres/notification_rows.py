"""Rows of notifications, deliveries and preferences as values."""

import json
from typing import Any

import asyncpg

from protocols.notifications import ClaimedDelivery, Notice, NoticeKind, Preferences

SWITCHES: dict[str, tuple[NoticeKind, ...]] = {
    "market_resolves": (NoticeKind.MARKET_RESOLVED,),
    "trader_closes_position": (NoticeKind.TRADER_CLOSED,),
    "auto_close": (NoticeKind.AUTO_CLOSE_EXECUTED, NoticeKind.AUTO_CLOSE_FAILED),
    "order_filled": (NoticeKind.ORDER_FILLED,),
    "order_rejected": (NoticeKind.ORDER_REJECTED,),
    "order_lost": (NoticeKind.ORDER_LOST,),
    "strategy_halted": (NoticeKind.STRATEGY_HALTED,),
    "drift": (NoticeKind.DRIFT,),
    "daily_summary": (NoticeKind.DAILY_SUMMARY,),
}
"""Columns of `notification_preferences`, and which notices each switches. What is in none is always sent."""
PREFERENCE_COLUMNS = ", ".join(
    f"preferences.{name}" for name in ("email_notifications_enabled", *SWITCHES, "quiet_from", "quiet_to", "timezone")
)
CLAIMED_COLUMNS = f"""
claimed.notification_id, claimed.channel, claimed.claim, claimed.attempts, notifications.kind, notifications.payload,
(extract(epoch FROM notifications.happened_at) * 1000)::bigint AS happened_ms, notifications.user_id::text AS user_id,
profiles.user_name, profiles.email, profiles.disabled_at IS NOT NULL AS is_disabled, {PREFERENCE_COLUMNS}
"""


def claimed_of(row: asyncpg.Record) -> ClaimedDelivery:
    """Returns a delivery that was claimed, of a row with `CLAIMED_COLUMNS`."""
    return ClaimedDelivery(
        notice=Notice(
            notification_id=row["notification_id"],
            kind=NoticeKind(row["kind"]),
            payload=payload_of(row["payload"]),
            happened_ms=row["happened_ms"],
        ),
        channel=row["channel"],
        claim=row["claim"],
        attempts=row["attempts"],
        user_id=row["user_id"],
        user_name=row["user_name"],
        email=row["email"],
        is_disabled=row["is_disabled"],
        preferences=preferences_of(row),
    )


def preferences_of(row: asyncpg.Record) -> Preferences:
    """Returns what a user wants, of a row in which he may have none."""
    if row["timezone"] is None:
        return Preferences()
    return Preferences(
        email=row["email_notifications_enabled"],
        unwanted=frozenset(kind for name, kinds in SWITCHES.items() if not row[name] for kind in kinds),
        quiet_from=row["quiet_from"],
        quiet_to=row["quiet_to"],
        timezone=row["timezone"],
    )


def payload_of(text: str) -> dict[str, Any]:
    """Returns a payload; a document that is no object is an empty one."""
    found = json.loads(text)
    return found if isinstance(found, dict) else {}
