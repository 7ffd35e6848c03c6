"""Watermarks and positions of polled wallets in PostgreSQL: booked as a whole, once, under the lease of whoever polls, if any.

Two may poll one wallet at once: the hot tier and the cold job, or an engine and the one that takes over from it. Each snapshot
is booked under the number of the one before; the later of the two finds another number, and is void. Watermarks only move on.
That is the whole fence of those who poll apart from the ingest: nothing is theirs alone but for how the wallets are split.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

import asyncpg
import attrs

from engine.adapters.postgres import poll_statements as sql
from engine.adapters.postgres.database import RunsWork
from protocols.amounts import size_from_micro
from protocols.errors import FencedError
from protocols.jobs import JobLease
from protocols.polling import PolledWallet, TradeList, Watermark
from protocols.positions import KnownPosition, KnownWallet, MarketEnd, PositionBooking
from protocols.text import storable
from protocols.timestamps import utc_datetime
from protocols.trader_accounts import HeldPosition

ERROR_CHARS_MAX = 500
_SECONDS = {TradeList.ACTIVITY: "activity_s", TradeList.TRADES: "trades_s"}


class Fence(Protocol):
    """A lease that writes have to prove: the ingest's, or a job's."""

    @property
    def name(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def epoch(self) -> int: ...


@attrs.define(eq=False)
class PostgresPollStore:
    """`PollStore` and `ColdPollStore`."""

    connection: RunsWork
    lease: Fence | None
    """None: of somebody who polls under no lease."""

    async def polled(self, wallet: str) -> PolledWallet:
        """Returns what is stored of a wallet, as of one moment. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> tuple[asyncpg.Record | None, list[asyncpg.Record]]:
            # The state first: what is booked in between only makes a snapshot void.
            return await raw.fetchrow(sql.STATE, wallet), await raw.fetch(sql.HELD, wallet)

        state, held = await self.connection.run(work)
        if state is None:
            return PolledWallet(known=KnownWallet(wallet=wallet, snapshots=0))
        seconds = {source: state[column] for source, column in _SECONDS.items()}
        known = KnownWallet(
            wallet=wallet,
            snapshots=state["snapshots"],
            positions=tuple(map(_known, held)),
            checked_ms=_optional_ms(state["last_position_check_at"]),
        )
        return PolledWallet(
            known=known, watermarks={source: second for source, second in seconds.items() if second is not None}
        )

    async def book(self, booking: PositionBooking) -> bool:
        """Books a snapshot; False when it is void. Raises `TransientError` or `FencedError`."""
        seen_at, closed, columns = utc_datetime(booking.seen_ms), booking.closed, _columns(booking.written)

        async def work(raw: asyncpg.Connection) -> bool:
            async with raw.transaction():
                if booking.snapshots == 0:
                    await raw.execute(sql.BEGIN_STATE, booking.wallet)
                number = await raw.fetchval(sql.TAKE_STATE, booking.wallet, booking.snapshots, seen_at)
                if number is None:
                    return False
                if closed:
                    reasons = [reason.value for reason in closed.values()]
                    await raw.execute(sql.CLOSE, booking.wallet, list(closed), reasons, seen_at)
                if booking.written:
                    await raw.execute(sql.WRITE, booking.wallet, seen_at, number, *columns)
                if booking.missing:
                    await raw.execute(sql.MISS, booking.wallet, list(booking.missing), seen_at)
                await self._prove(raw)
                return True

        return await self.connection.run(work)

    async def failed(self, wallet: str, error: str, *, at_ms: int) -> None:
        """Notes that a poll failed. Raises `TransientError` or `FencedError`."""
        values = (wallet, utc_datetime(at_ms), storable(error)[:ERROR_CHARS_MAX])

        async def work(raw: asyncpg.Connection) -> None:
            async with raw.transaction():
                await raw.execute(sql.FAILED, *values)
                await self._prove(raw)

        await self.connection.run(work)

    async def keep_watermarks(self, watermarks: Sequence[Watermark]) -> None:
        """Moves watermarks on. Raises `TransientError` or `FencedError`."""
        rows: dict[str, dict[TradeList, int]] = {}
        for one in watermarks:
            rows.setdefault(one.wallet, {})[one.source] = one.second
        # In one order, so that two who move the same ones never wait for each other.
        wallets = sorted(rows)
        columns = [wallets] + [[rows[wallet].get(source) for wallet in wallets] for source in _SECONDS]

        async def work(raw: asyncpg.Connection) -> None:
            async with raw.transaction():
                await raw.execute(sql.KEEP_WATERMARKS, *columns)
                await self._prove(raw)

        if rows:
            await self.connection.run(work)

    async def market_ends(self, condition_ids: Sequence[str]) -> Mapping[str, MarketEnd]:
        """Returns what the table of markets says. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.MARKET_ENDS, list(condition_ids))

        ends = dict.fromkeys(condition_ids, MarketEnd.UNKNOWN)
        for row in await self.connection.run(work):
            ends[row["condition_id"]] = MarketEnd.ENDED if row["ended"] else MarketEnd.OPEN
        return ends

    async def hot_wallets(self) -> list[str]:
        """Returns the wallets that are marked hot. Raises `TransientError`."""

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.HOT)

        return [row["wallet_address"] for row in await self.connection.run(work)]

    async def least_lately_polled(self, *, before_ms: int, wallets_max: int) -> list[str]:
        """Returns active traders, those first whose last poll is longest ago. Raises `TransientError`."""
        before = utc_datetime(before_ms)

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(sql.LEAST_LATELY_POLLED, before, wallets_max)

        return [row["wallet"] for row in await self.connection.run(work)]

    async def _prove(self, raw: asyncpg.Connection) -> None:
        lease = self.lease
        if lease is not None and await raw.fetchval(sql.FENCE, lease.name, lease.owner, lease.epoch) is None:
            raise FencedError(f"the lease {lease.name} of epoch {lease.epoch} is not ours any more")


@attrs.define(eq=False)
class PostgresColdPollStores:
    """`ColdPollStores`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork

    def under(self, lease: JobLease) -> PostgresPollStore:
        """Returns the store of one run."""
        return PostgresPollStore(self.connection, lease)


def _known(row: asyncpg.Record) -> KnownPosition:
    return KnownPosition(
        token_id=row["token_id"],
        condition_id=row["condition_id"],
        shares_micro=row["micro"],
        redeemable=row["redeemable"],
        mergeable=row["mergeable"],
        written_ms=_ms(row["last_seen_at"]),
        missing_since_ms=_optional_ms(row["missing_since"]),
    )


def _columns(rows: Sequence[HeldPosition]) -> list[list[object]]:
    """Returns the values of `poll_statements.WRITE`, column by column."""
    lines = [
        (
            row.token_id,
            row.condition_id,
            row.text.outcome,
            row.text.outcome_index,
            size_from_micro(row.shares_micro),
            row.average_price,
            row.cost_usd,
            row.price,
            row.value_usd,
            row.realized_usd,
            row.redeemable,
            row.mergeable,
            row.text.title,
            row.text.slug,
            row.text.event_slug,
            row.text.icon,
            _day(row.text.end_date),
            row.raw,
        )
        for row in rows
    ]
    return [list(column) for column in zip(*lines, strict=True)]


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text[:10])
    except ValueError:
        return None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _optional_ms(moment: datetime | None) -> int | None:
    return None if moment is None else _ms(moment)
