"""Where polls are kept, in memory, by the rules of the real one, with everything that was booked on record."""

from collections import deque
from collections.abc import Mapping, Sequence

import attrs
import trio
from property.supervised import CrashPlan

from protocols.errors import TransientError
from protocols.jobs import JobLease
from protocols.polling import PolledWallet, TradeList, Watermark
from protocols.positions import CloseReason, KnownPosition, KnownWallet, MarketEnd, PositionBooking


@attrs.define
class _Row:
    position: KnownPosition
    episode: int


@attrs.define(eq=False)
class FakePollStore:
    """`PollStore` and `ColdPollStore`; `script` says how bookings go: `transient`, `ack lost`, `crash`, else well."""

    markets: dict[str, MarketEnd] = attrs.field(factory=dict)
    script: deque[str] = attrs.field(factory=deque, converter=deque)
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    marked: list[str] = attrs.field(factory=list)
    traders: list[str] = attrs.field(factory=list)
    down: bool = False
    fenced: Exception | None = None
    rows: dict[str, dict[str, _Row]] = attrs.field(factory=dict)
    closed: list[tuple[str, str, int, CloseReason, int]] = attrs.field(factory=list)
    """(wallet, token, episode, reason, micro) in the order of closes."""
    opened: int = 0
    snapshots: dict[str, int] = attrs.field(factory=dict)
    watermarks: dict[tuple[str, TradeList], int] = attrs.field(factory=dict)
    polled_ms: dict[str, int] = attrs.field(factory=dict)
    failures: list[tuple[str, str]] = attrs.field(factory=list)

    def current(self, wallet: str) -> dict[str, int]:
        return {token: row.position.shares_micro for token, row in self.rows.get(wallet, {}).items()}

    async def polled(self, wallet: str) -> PolledWallet:
        await self._up()
        positions = tuple(row.position for row in self.rows.get(wallet, {}).values())
        known = KnownWallet(wallet=wallet, snapshots=self.snapshots.get(wallet, 0), positions=positions)
        marks = {source: self.watermarks[wallet, source] for source in TradeList if (wallet, source) in self.watermarks}
        return PolledWallet(known=known, watermarks=marks)

    async def book(self, booking: PositionBooking) -> bool:
        await self._up()
        if self.fenced is not None:
            raise self.fenced
        outcome = self.script.popleft() if self.script else "ok"
        if outcome == "transient":
            raise TransientError("database down")
        if booking.snapshots != self.snapshots.get(booking.wallet, 0):
            return False
        self._book(booking)
        if outcome == "ack lost":
            raise TransientError("connection lost during commit")
        if outcome == "crash":
            self.plan.crash()
        return True

    def _book(self, booking: PositionBooking) -> None:
        wallet = booking.wallet
        rows = self.rows.setdefault(wallet, {})
        self.snapshots[wallet] = booking.snapshots + 1
        self.polled_ms[wallet] = booking.seen_ms
        for token, reason in booking.closed.items():
            row = rows.pop(token)
            self.closed.append((wallet, token, row.episode, reason, row.position.shares_micro))
        for held in booking.written:
            position = KnownPosition(
                token_id=held.token_id, condition_id=held.condition_id, shares_micro=held.shares_micro,
                redeemable=held.redeemable, mergeable=held.mergeable, written_ms=booking.seen_ms,
            )  # fmt: skip
            if held.token_id not in rows:
                self.opened += 1
            episode = rows[held.token_id].episode if held.token_id in rows else self.opened
            rows[held.token_id] = _Row(position, episode)
        for token in booking.missing:
            if rows[token].position.missing_since_ms is None:
                rows[token].position = attrs.evolve(rows[token].position, missing_since_ms=booking.seen_ms)

    async def failed(self, wallet: str, error: str, *, at_ms: int) -> None:
        await self._up()
        self.failures.append((wallet, error))
        self.polled_ms[wallet] = at_ms

    async def keep_watermarks(self, watermarks: Sequence[Watermark]) -> None:
        await self._up()
        for one in watermarks:
            key = one.wallet, one.source
            self.watermarks[key] = max(one.second, self.watermarks.get(key, -1))

    async def market_ends(self, condition_ids: Sequence[str]) -> Mapping[str, MarketEnd]:
        await self._up()
        return {one: self.markets.get(one, MarketEnd.UNKNOWN) for one in condition_ids}

    async def hot_wallets(self) -> list[str]:
        await self._up()
        return list(self.marked)

    async def least_lately_polled(self, *, before_ms: int, wallets_max: int) -> list[str]:
        await self._up()
        due = [wallet for wallet in self.traders if self.polled_ms.get(wallet, -1) < before_ms]
        return sorted(due, key=lambda wallet: (self.polled_ms.get(wallet, -1), wallet))[:wallets_max]

    def under(self, _lease: JobLease) -> "FakePollStore":
        return self

    async def _up(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise TransientError("database down")
