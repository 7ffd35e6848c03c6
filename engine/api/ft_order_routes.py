"""Orders of strategies, and snapshots of their money: read, and one taken now."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Annotated, Protocol
from uuid import UUID

import attrs
import msgspec

from actors.rules.feed_cursor import TEXT_CHARS_MAX, cursor_text, position_in
from actors.rules.paper.marking import fresh_prices
from engine.api.bot_bodies import WalletId
from engine.api.errors import not_found
from engine.api.ft_access import REFUSALS, limit_param, moment_param, own_standing, wallet_id_param
from engine.api.ft_bodies import OrderPage, SnapshotAnswer, SnapshotPage, snapshot_answer
from engine.api.params import Param, choice, whole
from engine.api.route import ApiRoute, Call, Rate, Struct
from protocols.clock import WallClock
from protocols.feed import FeedPosition
from protocols.ft_reports import FtReports, OrderQuery
from protocols.ft_statistics import SnapshotReports
from protocols.prices import Quote
from protocols.timestamps import EARLIEST_MS, LATEST_MS, utc_datetime
from protocols.users import Scope

SNAPSHOTS_AT_ONCE = 25
US_MAX = LATEST_MS * 1000
EPOCH = utc_datetime(0)
MICROSECOND = timedelta(microseconds=1)


class Quotes(Protocol):
    """The price cache, as far as a snapshot needs it."""

    async def quotes(self, condition_ids: Collection[str], max_age_ms: int = 0) -> Mapping[str, Quote | None]:
        """Returns quotes at most 3 s old while an upstream answers. Raises `TransientError`."""
        ...


class WantedSnapshot(Struct):
    """Of which strategy."""

    wallet_id: WalletId


class WantedSnapshots(Struct):
    """Of which strategies."""

    wallet_ids: Annotated[list[WalletId], msgspec.Meta(min_length=1, max_length=SNAPSHOTS_AT_ONCE)]


class NamedSnapshot(Struct):
    """A strategy's snapshot."""

    wallet_id: str
    snapshot: SnapshotAnswer


class TakenSnapshots(Struct):
    """Snapshots in the order in which strategies were named, each once."""

    snapshots: list[NamedSnapshot]


@attrs.define(eq=False)
class _Handlers:
    reports: FtReports
    snapshots: SnapshotReports
    quotes: Quotes
    clock: WallClock

    async def orders(self, call: Call) -> OrderPage:
        wallet_id, limit, before = (call.params[name] for name in ("walletId", "limit", "cursor"))
        await own_standing(self.reports, call, wallet_id)
        rows = await self.reports.orders(
            OrderQuery(
                wallet_id=wallet_id,
                outcome=call.params["outcome"],
                before=None if before is None else (before.trade_us, before.trade_id),
                rows_max=limit + 1,
            )
        )
        last = rows[limit - 1] if len(rows) > limit else None
        cursor = None
        if last is not None:
            us = (last.order_time - EPOCH) // MICROSECOND
            cursor = cursor_text(FeedPosition(trade_us=us, trade_id=last.order_id))
        return OrderPage(orders=rows[:limit], next_cursor=cursor)

    async def page(self, call: Call) -> SnapshotPage:
        wallet_id, limit = call.params["walletId"], call.params["limit"]
        await own_standing(self.reports, call, wallet_id)
        from_ms, to_ms = call.params["from"], call.params["to"]
        rows = await self.snapshots.page(
            wallet_id,
            from_ms=EARLIEST_MS if from_ms is None else from_ms,
            to_ms=LATEST_MS if to_ms is None else to_ms,
            after_us=call.params["cursor"] or 0,
            rows_max=limit + 1,
        )
        page = [snapshot_answer(row) for row in rows[:limit]]
        cursor = str((page[-1].snapshot_at - EPOCH) // MICROSECOND) if len(rows) > limit else None
        return SnapshotPage(snapshots=page, next_cursor=cursor)

    async def refresh(self, call: Call) -> SnapshotAnswer:
        await own_standing(self.reports, call, call.body.wallet_id)
        return await self._taken(call.body.wallet_id)

    async def refresh_several(self, call: Call) -> TakenSnapshots:
        names = list(dict.fromkeys(call.body.wallet_ids))
        for name in names:
            await own_standing(self.reports, call, name)
        return TakenSnapshots(
            snapshots=[NamedSnapshot(wallet_id=name, snapshot=await self._taken(name)) for name in names]
        )

    async def _taken(self, wallet_id: str) -> SnapshotAnswer:
        tokens = await self.snapshots.open_tokens(wallet_id)
        quotes = await self.quotes.quotes({token.condition_id for token in tokens}) if tokens else {}
        written = await self.snapshots.write_now(
            wallet_id, now_ms=self.clock.now_ms(), prices=fresh_prices(tokens, quotes)
        )
        if written is None:
            raise not_found("unknown_strategy", "there is no such strategy")
        return snapshot_answer(written)


def ft_order_routes(reports: FtReports, snapshots: SnapshotReports, quotes: Quotes, clock: WallClock) -> list[ApiRoute]:
    """Returns the routes of orders and snapshots."""
    handlers = _Handlers(reports, snapshots, quotes, clock)
    wallet_id = wallet_id_param(required=True)
    return [
        ApiRoute(
            method="GET",
            path="/api/ft/orders",
            handler=handlers.orders,
            scope=Scope.READ,
            summary="Orders of one of my strategies, newest first",
            answer=OrderPage,
            params=(
                wallet_id,
                choice("outcome", "only these", "OPEN", "WON", "LOST", "SOLD", "VOID"),
                limit_param(50, 200, "orders"),
                order_cursor(),
            ),
            refusals=REFUSALS,
        ),
        ApiRoute(
            method="GET",
            path="/api/ft/snapshots",
            handler=handlers.page,
            scope=Scope.READ,
            summary="Snapshots of one of my strategies, the oldest first: one an hour, and those that were asked for",
            answer=SnapshotPage,
            params=(
                wallet_id,
                moment_param("from", "earliest time"),
                moment_param("to", "latest time"),
                limit_param(200, 1_000, "snapshots"),
                whole("cursor", "nextCursor of the page before", at_least=0, at_most=US_MAX),
            ),
            refusals=REFUSALS,
        ),
        ApiRoute(
            method="POST",
            path="/api/ft/snapshot-refresh",
            handler=handlers.refresh,
            scope=Scope.READ,
            rate=Rate.CHANGE,
            summary="Takes a snapshot of one of my strategies now, with prices at most 3 s old",
            answer=SnapshotAnswer,
            body=WantedSnapshot,
            refusals=REFUSALS,
        ),
        ApiRoute(
            method="POST",
            path="/api/ft/snapshots-refresh",
            handler=handlers.refresh_several,
            scope=Scope.READ,
            rate=Rate.CHANGE,
            summary=f"Takes snapshots of up to {SNAPSHOTS_AT_ONCE} of my strategies now: of all that are named, or none",
            answer=TakenSnapshots,
            body=WantedSnapshots,
            refusals=REFUSALS,
        ),
    ]


def order_cursor() -> Param:
    """Returns the cursor of a list of orders, newest first."""

    def parse(text: str) -> FeedPosition:
        position = position_in(text)
        try:
            is_sound = str(UUID(position.trade_id)) == position.trade_id
        except ValueError:
            is_sound = False
        if not is_sound:
            raise ValueError("is not a cursor of this list")
        return position

    schema = {"type": "string", "maxLength": TEXT_CHARS_MAX}
    return Param(name="cursor", doc="nextCursor of the page before", parse=parse, schema=schema)
