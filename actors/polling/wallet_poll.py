"""Polls one wallet: trades since its watermark, and what it holds."""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import attrs
import trio

from actors.polling.poll_figures import PollFigures
from actors.polling.poll_outlets import PollOutlets
from actors.polling.trade_reading import TradeReading
from actors.polling.venue_asking import VenueAsking, VenueFailure
from actors.rules.positions import Ending, compared, ended, evidence_of, evidence_since_s, merged_rows
from protocols.clock import WallClock
from protocols.polling import PolledWallet, PollKind, PollStore, TradeList
from protocols.positions import KnownPosition, MarketEnd, PositionBooking
from protocols.trader_accounts import HeldPage, HeldPosition

PAGES_MAX = 20
"""Positions of one account; with more of them nothing is said of it."""
EMPTY_PAGES_MAX = 3
CONDITIONS_MAX = 20
LOOKED_INTO_MAX = 100
"""Absent positions in one poll; those beyond are looked into by the next."""
LOOK_AGAIN_S = 10.0
"""An absent position whose end is not certain is looked into this often."""
WALLETS_MAX = 20_000


@attrs.define(eq=False, kw_only=True)
class WalletPoll:
    """venue → positions, events, raw trades. Any number of wallets at once, each by one task at a time."""

    venue: VenueAsking
    clock: WallClock
    reading: TradeReading = attrs.field(init=False)
    _looked: dict[str, tuple[frozenset[str], float]] = attrs.field(init=False, factory=dict)
    """By wallet: the absent tokens that were looked into last, and when."""

    def __attrs_post_init__(self) -> None:
        self.reading = TradeReading(venue=self.venue, clock=self.clock)

    @property
    def figures(self) -> PollFigures:
        """What this tier did."""
        return self.venue.figures

    async def poll(
        self, wallet: str, store: PollStore, outlets: PollOutlets, *, with_trades: bool, deadline_s: float = math.inf
    ) -> TradeList | None:
        """Polls a wallet, and returns which list of its trades has been read to its end.

        Trades that nobody takes yet are not read. Those that cannot be read do not keep positions from being read, nor the
        other way round. Raises `VenueFailure` when the venue failed in either, or nothing came of it until `deadline_s`
        (monotonic); `TransientError` when the database or the ingest did, and `FencedError`.
        """
        try:
            with trio.move_on_at(deadline_s) as patience:
                read = await self._poll(wallet, store, outlets, with_trades)
            if patience.cancelled_caught:
                raise VenueFailure("timeout", "it took too long")
        except VenueFailure as failure:
            self.figures.failures[failure.kind] += 1
            await store.failed(wallet, str(failure), at_ms=self.clock.now_ms())
            raise
        self.figures.polls += 1
        return read

    async def keep_watermarks(self, store: PollStore) -> None:
        """Stores the watermarks whose trades had time to be committed. Raises `TransientError` and `FencedError`."""
        if settled := self.reading.settled():
            await store.keep_watermarks(settled)
            self.reading.kept(settled)

    def forget(self, wallet: str) -> None:
        """Forgets a wallet that is not polled any more."""
        self._looked.pop(wallet, None)
        self.reading.forget(wallet)

    def release(self, wallet: str) -> None:
        """Forgets all of a wallet but how far its trades have been read."""
        self._looked.pop(wallet, None)
        self.reading.release(wallet)

    async def _poll(self, wallet: str, store: PollStore, outlets: PollOutlets, with_trades: bool) -> TradeList | None:
        polled = await store.polled(wallet)
        failure: VenueFailure | None = None
        read: TradeList | None = None
        # What nobody takes would count as read, and never be read again.
        if with_trades and outlets.wants(wallet):
            try:
                read = await self.reading.read_next(wallet, polled.watermarks, outlets)
            except VenueFailure as error:
                failure = error
        await self._positions(polled, store, outlets)
        if failure is not None:
            raise failure
        return read

    async def _positions(self, polled: PolledWallet, store: PollStore, outlets: PollOutlets) -> None:
        known = polled.known
        wallet, seen_ms = known.wallet, self.clock.now_ms()
        held = await self._held(wallet, (), PollKind.POSITIONS)
        found, ending = compared(wallet, known.positions, held, seen_ms=seen_ms), Ending()
        failure: VenueFailure | None = None
        if absent := self._to_look_into(wallet, found.absent):
            try:
                held |= await self._held_in(wallet, absent)
                found = compared(wallet, known.positions, held, seen_ms=seen_ms)
                absent = [position for position in absent if position.token_id not in held]
                ending = await self._ending(wallet, absent, store, outlets, seen_ms)
            except VenueFailure as error:
                # Nothing is closed; what the account has is true all the same.
                failure = error
        booking = PositionBooking(
            wallet=wallet,
            snapshots=known.snapshots,
            seen_ms=seen_ms,
            written=found.written,
            closed=ending.closed,
            # Also those that nobody has looked into yet: it has to be known since when they are gone.
            missing=tuple(one.token_id for one in found.absent if one.token_id not in ending.closed),
        )
        if not await store.book(booking):
            self.figures.void += 1
            return
        events = (*found.events, *ending.events)
        for event in events:
            self.figures.events[event.change if event.reason is None else event.reason] += 1
        outlets.tell(events)
        if failure is not None:
            raise failure

    def _to_look_into(self, wallet: str, absent: Sequence[KnownPosition]) -> Sequence[KnownPosition]:
        """Returns the absent positions to ask about now: those that went just now, else all of them from time to time."""
        now_s = trio.current_time()
        looked, at_s = self._looked.get(wallet, (frozenset[str](), float("-inf")))
        chosen = [position for position in absent if position.token_id not in looked]
        if not chosen and now_s - at_s >= LOOK_AGAIN_S:
            chosen = list(absent)
        if chosen := chosen[:LOOKED_INTO_MAX]:
            if len(self._looked) >= WALLETS_MAX:
                self._looked.clear()
            still_absent = looked & {position.token_id for position in absent}
            self._looked[wallet] = still_absent | {position.token_id for position in chosen}, now_s
        elif not absent:
            self._looked.pop(wallet, None)
        return chosen

    async def _held(self, wallet: str, condition_ids: tuple[str, ...], kind: PollKind) -> dict[str, HeldPosition]:
        """Returns everything that is held, by token. Raises `VenueFailure` when that is not certain."""
        pages = []
        async with aclosing(self._pages(wallet, condition_ids, kind)) as read:
            async for page in read:
                if page.malformed:
                    # Half a holding is none: what cannot be read would seem to be gone.
                    self.figures.malformed.update(page.malformed)
                    raise VenueFailure("malformed", f"positions that are not understood: {dict(page.malformed)}")
                pages.append(page.rows)
        return merged_rows(pages)

    async def _pages(
        self, wallet: str, condition_ids: tuple[str, ...], kind: PollKind
    ) -> AsyncGenerator[HeldPage, None]:
        cursor, empty = None, 0
        for _ in range(PAGES_MAX):
            page = await self.venue.held(wallet, condition_ids, cursor, kind)
            yield page
            if page.next_cursor is None:
                return
            empty = 0 if page.rows_sent else empty + 1
            if page.next_cursor == cursor or empty == EMPTY_PAGES_MAX:
                raise VenueFailure("endless", "the list of positions does not end")
            cursor = page.next_cursor
        raise VenueFailure("too_many", f"more than {PAGES_MAX} pages of positions")

    async def _held_in(self, wallet: str, absent: Sequence[KnownPosition]) -> dict[str, HeldPosition]:
        """Asks again for what is absent, by its markets."""
        conditions = sorted({position.condition_id for position in absent})
        held: dict[str, HeldPosition] = {}
        for start in range(0, len(conditions), CONDITIONS_MAX):
            asked = tuple(conditions[start : start + CONDITIONS_MAX])
            held |= await self._held(wallet, asked, PollKind.CONFIRMATION)
        return held

    async def _ending(
        self, wallet: str, absent: Sequence[KnownPosition], store: PollStore, outlets: PollOutlets, seen_ms: int
    ) -> Ending:
        """Finds out how positions ended that nobody has any more. Raises `VenueFailure` when the venue does not tell."""
        if not absent:
            return Ending()
        seen = await self.reading.since(wallet, evidence_since_s(absent), outlets)
        evidence = evidence_of(seen.sales, seen.others, absent, seen.purchases)
        open_questions = [position.condition_id for position in absent if not evidence.explains(position)]
        markets = await store.market_ends(sorted(set(open_questions))) if open_questions else {}
        outlets.learn([one for one, end in markets.items() if end is MarketEnd.UNKNOWN])
        return ended(wallet, absent, evidence, markets, seen_ms=seen_ms)
