"""What users are told: what they want to hear of, what they heard, and a test of their channels."""

from collections.abc import Callable
from datetime import time
from typing import Any

import asyncpg
import attrs
import msgspec
import trio

from actors.rules.notices.quiet_hours import zone_of
from actors.rules.notices.wording import words_of
from engine.adapters.postgres.notification_rows import payload_of
from engine.adapters.postgres.notification_user_store import NotificationUserStore, TooOftenError
from engine.api.errors import ApiError, bad_field
from engine.api.ft_access import limit_param
from engine.api.notification_bodies import (
    DeliveryAnswer,
    NoticeAnswer,
    NoticePage,
    PreferenceChanges,
    PreferencesAnswer,
    TestAnswer,
    preferences_answer,
)
from engine.api.params import whole
from engine.api.route import ApiRoute, Call, Rate
from protocols.notifications import Notice, NoticeKind
from protocols.users import Scope

PATH = "/api/notifications"
TEST_WAIT_S = 15.0
"""How long a test waits for what becomes of it."""
LOOK_S = 0.1
RETRY_S = 600.0


@attrs.define(eq=False)
class _Handlers:
    store: NotificationUserStore
    wake: Callable[[], None]

    async def preferences(self, call: Call) -> PreferencesAnswer:
        return preferences_answer(await self.store.preferences(call.principal.user_id))

    async def change(self, call: Call) -> PreferencesAnswer:
        changes = _checked(call.body)
        try:
            return preferences_answer(await self.store.change(call.principal.user_id, changes))
        except TooOftenError:
            raise _too_often("preferences may be changed 20 times an hour") from None

    async def page(self, call: Call) -> NoticePage:
        limit = call.params["limit"]
        rows = await self.store.page(call.principal.user_id, before=call.params["before"], rows_max=limit + 1)
        shown = rows[:limit]
        return NoticePage(
            notifications=[_notice(row) for row in shown],
            next_before=shown[-1]["notification_id"] if len(rows) > limit else None,
        )

    async def test(self, call: Call) -> TestAnswer:
        principal = call.principal
        try:
            notification_id = await self.store.add_test(principal.user_id, principal.user_name)
        except TooOftenError:
            raise _too_often("ten tests an hour are enough") from None
        row: asyncpg.Record | None = None
        with trio.move_on_after(TEST_WAIT_S):
            while row is None or not _is_over(row):
                self.wake()
                await trio.sleep(LOOK_S)
                row = await self.store.one(principal.user_id, notification_id)
        deliveries = [] if row is None else _deliveries(row)
        return TestAnswer(
            notification_id=notification_id, is_over=row is not None and _is_over(row), deliveries=deliveries
        )


def notification_routes(store: NotificationUserStore, wake: Callable[[], None]) -> list[ApiRoute]:
    """Returns the routes; everybody sees and changes what is his own. `wake` tells the notifier that there is something."""
    handlers = _Handlers(store, wake)
    before = whole("before", "nextBefore of the page before", at_least=1, at_most=10**18 - 1)
    mine: dict[str, Any] = {"scope": Scope.READ}
    return [
        ApiRoute(method="GET", path=PATH, handler=handlers.page, answer=NoticePage,
                 params=(limit_param(50, 200, "notices"), before), summary="What I was told, newest first.", **mine),
        ApiRoute(method="GET", path=PATH + "/preferences", handler=handlers.preferences, answer=PreferencesAnswer,
                 summary="What I want to be told.", **mine),
        ApiRoute(method="PUT", path=PATH + "/preferences", handler=handlers.change, answer=PreferencesAnswer,
                 body=PreferenceChanges, rate=Rate.CHANGE, summary="Changes what I want to be told.", **mine),
        ApiRoute(method="POST", path=PATH + "/test", handler=handlers.test, answer=TestAnswer, rate=Rate.CHANGE,
                 summary="Sends a test to my channels and says what became of it.", **mine),
    ]  # fmt: skip


def _checked(body: PreferenceChanges) -> dict[str, Any]:
    """Returns the columns to change. Raises a 400 that names the field."""
    changes = {
        name: value
        for name in body.__struct_fields__
        if (value := getattr(body, name)) is not msgspec.UNSET
    }  # fmt: skip
    if ("quiet_from" in changes) != ("quiet_to" in changes):
        raise bad_field("quietFrom", "goes with quietTo")
    if "quiet_from" in changes:
        begin, end = changes["quiet_from"], changes["quiet_to"]
        if (begin is None) != (end is None) or (begin is not None and begin == end):
            raise bad_field("quietTo", "must be another time than quietFrom, or both null")
        changes["quiet_from"] = None if begin is None else time.fromisoformat(begin)
        changes["quiet_to"] = None if end is None else time.fromisoformat(end)
    if "timezone" in changes and zone_of(changes["timezone"]) is None:
        raise bad_field("timezone", "this machine knows no time zone of that name")
    for name, field in (
        ("default_buy_slippage", "defaultBuySlippage"),
        ("default_sell_slippage", "defaultSellSlippage"),
    ):
        value = changes.get(name)
        if value is not None and not (0 <= value <= 100 and value == round(value, 4)):
            raise bad_field(field, "must be from 0 to 100 percent, with at most four decimals")
    return changes


def _notice(row: asyncpg.Record) -> NoticeAnswer:
    payload = payload_of(row["payload"])
    happened_ms = int(row["happened_at"].timestamp() * 1000)
    kind = NoticeKind(row["kind"])
    words = words_of(
        Notice(notification_id=row["notification_id"], kind=kind, payload=payload, happened_ms=happened_ms)
    )
    return NoticeAnswer(
        notification_id=row["notification_id"],
        kind=kind.value,
        headline=words.headline,
        details=dict(words.details),
        payload=payload,
        happened_at=row["happened_at"],
        deliveries=_deliveries(row),
    )


_decode_deliveries = msgspec.json.Decoder(list[DeliveryAnswer]).decode


def _deliveries(row: asyncpg.Record) -> list[DeliveryAnswer]:
    return _decode_deliveries(row["deliveries"])


def _is_over(row: asyncpg.Record) -> bool:
    """Returns whether every channel has answered."""
    return row["routed_at"] is not None and all(one.status != "pending" for one in _deliveries(row))


def _too_often(message: str) -> ApiError:
    return ApiError(429, "too_many_requests", message, None, RETRY_S)
