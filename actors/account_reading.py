"""Reads all that an account holds or has closed, page by page, or says that it could not."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import attrs
import trio

from actors.rules.wallet_results import PageTrail
from protocols.errors import EngineError, MalformedError, RejectedError, TransientError
from protocols.trader_accounts import ClosedPage, ClosedPosition, HeldPage, HeldPosition, TraderAccounts

PAUSES_S = (1.0, 2.0, 4.0)
"""Before a page is asked for again."""
PAGES_MAX = 3_000
"""Of one list: more than the 100,000 closed positions that v1 lists in pages of 50."""
_Page = TypeVar("_Page", HeldPage, ClosedPage)


class UnreadError(EngineError):
    """An account could not be read to its end; `may_pass` where the same may succeed soon."""

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


@attrs.define(eq=False, kw_only=True)
class AccountReading:
    """Lists of accounts, handed over page by page: a list may be longer than memory.

    A page that fails is asked for again a few times. A page that fails for good, has rows that were not understood, or leads
    nowhere ends the reading of that list with `UnreadError`: a part of a list never passes for the whole (D78).
    """

    accounts: TraderAccounts
    pauses_s: Sequence[float] = PAUSES_S
    pages_max: int = PAGES_MAX
    calls: int = attrs.field(init=False, default=0)
    """All that were made, those that failed too."""
    pages: int = attrs.field(init=False, default=0)

    async def held(self, wallet: str, take: Callable[[Sequence[HeldPosition]], Awaitable[None]]) -> None:
        """Hands over all that a wallet holds. Raises `UnreadError`, and what `take` raises."""
        await self._list(lambda cursor: self.accounts.held_page(wallet, cursor=cursor), lambda page: take(page.rows))

    async def closed(
        self, wallet: str, since_ms: int | None, take: Callable[[Sequence[ClosedPosition]], Awaitable[None]]
    ) -> None:
        """Hands over what a wallet closed since a moment. Raises `UnreadError`, and what `take` raises."""
        await self._list(
            lambda cursor: self.accounts.closed_page(wallet, since_ms=since_ms, cursor=cursor),
            lambda page: take(page.rows),
        )

    async def _list(
        self, ask: Callable[[str | None], Awaitable[_Page]], take: Callable[[_Page], Awaitable[None]]
    ) -> None:
        trail, cursor, more = PageTrail(pages_max=self.pages_max), None, True
        while more:
            page = await self._page(ask, cursor)
            self.pages += 1
            try:
                cursor = trail.follow(page.malformed.total(), page.next_cursor)
            except MalformedError as error:
                raise UnreadError(str(error), may_pass=False) from None
            more = cursor is not None
            await take(page)

    async def _page(self, ask: Callable[[str | None], Awaitable[_Page]], cursor: str | None) -> _Page:
        for pause_s in (*self.pauses_s, None):
            self.calls += 1
            try:
                return await ask(cursor)
            except (RejectedError, MalformedError) as error:
                raise UnreadError(str(error), may_pass=False) from None
            except TransientError as error:
                if pause_s is None:
                    raise UnreadError(str(error), may_pass=True) from None
                await trio.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")
