"""Every call that a tier of the pollers makes: counted by what it is for, its failures told apart from those at home."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs

from actors.polling.poll_figures import PollFigures
from actors.rules.watermarks import Window
from protocols.errors import EngineError, RejectedError, TransientError
from protocols.ingest import TradeHistory
from protocols.polling import PollKind, TradeList
from protocols.trader_accounts import Activity, HeldPage, TraderAccounts
from protocols.venue.data_api import PageRow


class VenueFailure(EngineError):
    """The venue did not answer, or not with something that can be used. `kind` is a short, bounded label."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    @property
    def is_refusal(self) -> bool:
        """Whether asking the same again is no use."""
        return self.kind == "rejected"


@attrs.frozen(kw_only=True)
class TradesRead:
    """One page of either list of trades."""

    trades: Sequence[PageRow]
    others: Sequence[Activity]
    malformed: Counter[str]
    next_cursor: str | None


@attrs.define(eq=False, kw_only=True)
class VenueAsking:
    """`TraderAccounts` and `TradeHistory` for one tier. Both methods raise `VenueFailure`."""

    accounts: TraderAccounts
    history: TradeHistory
    figures: PollFigures

    async def held(self, wallet: str, condition_ids: tuple[str, ...], cursor: str | None, kind: PollKind) -> HeldPage:
        """Returns a page of what a wallet holds, in all or some markets."""
        with self._call(kind):
            return await self.accounts.held_page(wallet, condition_ids=condition_ids, cursor=cursor)

    async def trades(
        self, wallet: str, source: TradeList, wanted: Window, cursor: str | None, kind: PollKind
    ) -> TradesRead:
        """Returns a page of a wallet's trades, newest first."""
        since_s, until_s = wanted.since_s, wanted.until_s
        with self._call(kind):
            if source is TradeList.ACTIVITY:
                read = await self.accounts.activity_page(wallet, since_s=since_s, until_s=until_s, cursor=cursor)
                return TradesRead(
                    trades=read.trades, others=read.others, malformed=read.malformed, next_cursor=read.next_cursor
                )
            page = await self.history.page(since_s=since_s, until_s=until_s, wallet=wallet, cursor=cursor)
            return TradesRead(trades=page.rows, others=(), malformed=page.malformed, next_cursor=page.next_cursor)

    @contextmanager
    def _call(self, kind: PollKind) -> Iterator[None]:
        self.figures.calls[kind] += 1
        try:
            yield
        except TransientError as error:
            raise VenueFailure("transient", str(error)) from None
        except RejectedError as error:
            raise VenueFailure("rejected", str(error)) from None
