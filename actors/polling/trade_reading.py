"""Reads trades of one wallet from its watermark on, page by page, into the ingest."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import attrs
import trio

from actors.polling.poll_outlets import PollOutlets
from actors.polling.venue_asking import TradesRead, VenueAsking, VenueFailure
from actors.rules.page_edges import cut_transactions, split_at_edge, trade_second
from actors.rules.positions import Purchase, Sale
from actors.rules.watermarks import Settling, Window, reached, window
from protocols.amounts import size_micro
from protocols.clock import WallClock
from protocols.errors import MalformedError
from protocols.polling import PollKind, TradeList, Watermark
from protocols.trader_accounts import Activity
from protocols.venue.activity_rows import NOT_A_TRADE
from protocols.venue.data_api import PageRow

PAGES_PER_TURN = 10
"""A wallet with more to read goes on at its next turn, so that others are polled in between."""
PAGES_MAX = 500
EMPTY_PAGES_MAX = 3
Key = tuple[str, TradeList]
OTHER = {TradeList.ACTIVITY: TradeList.TRADES, TradeList.TRADES: TradeList.ACTIVITY}


@attrs.define(eq=False, kw_only=True)
class Found:
    """What a reading saw of an account."""

    sales: list[Sale] = attrs.field(factory=list)
    purchases: list[Purchase] = attrs.field(factory=list)
    others: list[Activity] = attrs.field(factory=list)
    newest_s: int | None = None
    oldest_s: int | None = None


@attrs.frozen(kw_only=True)
class _Unread:
    """The older part of a window whose newer part has been read."""

    window: Window
    whole: Window
    newest_s: int | None


@attrs.define(eq=False, kw_only=True)
class TradeReading:
    """venue → raw trades of one wallet after another.

    /activity and /trades are read in turn, each from a watermark of its own: the first has all that an account did but is
    known to be late, the second lacked all fills of market makers (D86). What one of them lacks the other brings a turn later.
    """

    venue: VenueAsking
    clock: WallClock
    _settling: dict[Key, Settling] = attrs.field(init=False, factory=dict)
    """Watermarks that this process has moved and not kept yet."""
    _unread: dict[Key, _Unread] = attrs.field(init=False, factory=dict)
    _last: dict[str, TradeList] = attrs.field(init=False, factory=dict)
    """Which source was read last, by wallet."""
    _refused: dict[str, TradeList] = attrs.field(init=False, factory=dict)

    async def read_next(self, wallet: str, stored: Mapping[TradeList, int], outlets: PollOutlets) -> TradeList | None:
        """Reads the source whose turn it is, and returns it when it was read to its end.

        One that is refused leaves its turn to the other.

        Raises `VenueFailure`, and `TransientError` when the ingest has stopped.
        """
        source = self._turn(wallet, stored)
        self._last[wallet] = source
        try:
            ended = await self._read(wallet, source, stored.get(source), outlets)
        except VenueFailure as error:
            if not error.is_refusal:
                raise
            self._refused[wallet] = source
            source = self._last[wallet] = OTHER[source]
            ended = await self._read(wallet, source, stored.get(source), outlets)
        else:
            if self.refused(wallet) is source:
                del self._refused[wallet]
        return source if ended else None

    def refused(self, wallet: str) -> TradeList | None:
        """Returns the source that was refused when it was asked for last."""
        return self._refused.get(wallet)

    async def since(self, wallet: str, since_s: int, outlets: PollOutlets) -> Found:
        """Reads what an account did since a second, whatever its watermark; trades are handed over on the way.

        Of one that did more than a turn can read it is the latest: a position whose end lies before that is not explained, but
        what is held is not kept waiting. Raises as `read_next`.
        """
        found = Found()
        now_s = self.clock.now_ms() // 1000
        wanted = Window(min(since_s, now_s), window(since_s, now_s).until_s)
        await self._walk(wallet, TradeList.ACTIVITY, wanted, outlets, found, kind=PollKind.EVIDENCE)
        return found

    @property
    def unsettled(self) -> int:
        """Watermarks that this process has moved and not stored yet."""
        return len(self._settling)

    def settled(self) -> list[Watermark]:
        """Returns the watermarks that may be kept now."""
        now_s = trio.current_time()
        found = [(key, one.settled(now_s)) for key, one in self._settling.items()]
        return [
            Watermark(wallet=wallet, source=source, second=second)
            for (wallet, source), second in found
            if second is not None
        ]

    def kept(self, watermarks: Sequence[Watermark]) -> None:
        """Says that watermarks are stored."""
        for one in watermarks:
            known = self._settling.get((one.wallet, one.source))
            if known is not None and known.second <= one.second:
                del self._settling[one.wallet, one.source]

    def forget(self, wallet: str) -> None:
        """Forgets a wallet that is not polled any more; its watermarks are stored or read again."""
        self.release(wallet)
        for source in TradeList:
            self._settling.pop((wallet, source), None)
            self._unread.pop((wallet, source), None)

    def release(self, wallet: str) -> None:
        """Forgets all of a wallet but how far it has been read; for who polls it again in an hour."""
        self._last.pop(wallet, None)
        self._refused.pop(wallet, None)

    def _turn(self, wallet: str, stored: Mapping[TradeList, int]) -> TradeList:
        for source in TradeList:
            if (wallet, source) in self._unread:
                return source
        last = self._last.get(wallet)
        if last is not None:
            return OTHER[last]
        # Nothing remembered: the one that is further behind, and of two that stand equal each for an hour.
        seconds = [self._watermark((wallet, source), stored.get(source)) for source in TradeList]
        activity_s, trades_s = [-1 if second is None else second for second in seconds]
        if activity_s != trades_s:
            return TradeList.ACTIVITY if activity_s < trades_s else TradeList.TRADES
        hours = self.clock.now_ms() // 3_600_000
        return TradeList.TRADES if activity_s >= 0 and hours % 2 else TradeList.ACTIVITY

    def _watermark(self, key: Key, stored: int | None) -> int | None:
        settling = self._settling.get(key)
        return stored if settling is None else max(settling.second, -1 if stored is None else stored)

    async def _read(self, wallet: str, source: TradeList, stored: int | None, outlets: PollOutlets) -> bool:
        key = (wallet, source)
        watermark, now_s = self._watermark(key, stored), self.clock.now_ms() // 1000
        whole = window(watermark, now_s)
        unread = self._unread.get(key) or _Unread(window=whole, whole=whole, newest_s=None)
        found = Found(newest_s=unread.newest_s)
        try:
            ended = await self._walk(wallet, source, unread.window, outlets, found, kind=PollKind.TRADES)
        except VenueFailure as error:
            if error.is_refusal:
                # A window that cannot be read to its end is begun anew: nothing of it counts as read.
                self._unread.pop(key, None)
            raise
        if not ended:
            assert found.oldest_s is not None
            rest = Window(unread.window.since_s, found.oldest_s)
            self._unread[key] = _Unread(window=rest, whole=unread.whole, newest_s=found.newest_s)
            return False
        self._unread.pop(key, None)
        second = reached(watermark, unread.whole, found.newest_s, now_s)
        if key in self._settling:
            self._settling[key].advance(second, trio.current_time())
        elif second != stored:
            self._settling[key] = Settling(second, trio.current_time())
        return True

    async def _walk(
        self, wallet: str, source: TradeList, wanted: Window, outlets: PollOutlets, found: Found, *, kind: PollKind
    ) -> bool:
        """Reads pages, newest first; False when the turn was over before the end."""
        edge: list[PageRow] = []
        count = 0
        async with aclosing(self._pages(wallet, source, wanted, kind)) as pages:
            async for page in pages:
                count += 1
                self._note(page, found)
                await self._send(page.trades, source, outlets)
                for cut in cut_transactions(edge, page.trades):
                    alone = await self.venue.trades(wallet, source, Window(cut.trade_s, cut.trade_s), None, kind)
                    rows = [item for item in alone.trades if item.row.transaction_hash == cut.transaction_hash]
                    await self._send(rows, source, outlets)
                edge = split_at_edge([*edge, *page.trades])[1]
                turn_is_over = count >= PAGES_PER_TURN and page.next_cursor is not None
                # Without progress in time the next turn would begin where this one did.
                moved_on = found.oldest_s is not None and found.oldest_s < wanted.until_s
                if turn_is_over and (moved_on or kind is PollKind.EVIDENCE):
                    return False
        return True

    async def _pages(
        self, wallet: str, source: TradeList, wanted: Window, kind: PollKind
    ) -> AsyncGenerator[TradesRead, None]:
        cursor, empty = None, 0
        for _ in range(PAGES_MAX):
            page = await self.venue.trades(wallet, source, wanted, cursor, kind)
            yield page
            if page.next_cursor is None:
                return
            if page.next_cursor == cursor:
                raise VenueFailure("rejected", "the list repeats its cursor")
            empty = 0 if page.trades or page.others or page.malformed else empty + 1
            if empty == EMPTY_PAGES_MAX:
                raise VenueFailure("rejected", f"{empty} pages without a row, and more announced")
            cursor = page.next_cursor
        raise VenueFailure("rejected", f"more than {PAGES_MAX} pages")

    async def _send(self, rows: Sequence[PageRow], source: TradeList, outlets: PollOutlets) -> None:
        sent = await outlets.trades(rows, f"poll-{source.value}")
        self.venue.figures.trades += sent

    def _note(self, page: TradesRead, found: Found) -> None:
        # Rewards and the like are understood, and are no trades.
        self.venue.figures.malformed.update({why: rows for why, rows in page.malformed.items() if why != NOT_A_TRADE})
        found.others += page.others
        for item in page.trades:
            second = trade_second(item)
            if second is None:
                continue
            found.newest_s = second if found.newest_s is None else max(found.newest_s, second)
            found.oldest_s = second if found.oldest_s is None else min(found.oldest_s, second)
            try:
                micro = size_micro(item.row.size)
            except MalformedError:
                # The ingest counts it.
                continue
            if item.row.side.upper() == "SELL":
                found.sales.append(Sale(item.row.asset, micro, second))
            else:
                found.purchases.append(Purchase(item.row.asset, micro, second))
