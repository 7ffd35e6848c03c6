"""Reads the venue's leaderboards: who the traders are that many look at (domain.md §7.2)."""

import logging
from collections.abc import Sequence

import attrs
import trio

from protocols.errors import MalformedError, RejectedError, TransientError
from protocols.jobs import RunningJob
from protocols.trader_accounts import Board, LeaderboardPage, Period, Standing, TraderAccounts
from protocols.wallet_results import LeaderboardStore

_log = logging.getLogger(__name__)
PAUSES_S = (1.0, 2.0, 4.0)
PAGES_MAX = 2_500
V1_ROWS = 1_000
"""As far as v1 lists traders (venue.md §5.2): a board that is refused from there on is whole."""


@attrs.define(eq=False, kw_only=True)
class SyncTraderLeaderboard:
    """Both boards over all time → `traders`. A board that cannot be read to its end changes nothing; nobody is deleted."""

    store: LeaderboardStore
    accounts: TraderAccounts
    rows: int
    """Traders of each board."""
    name: str = "sync-trader-leaderboard"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Writes each board that was read. Raises `TransientError` when none was, and `FencedError`."""
        running.report(boards=0, traders=0, new=0, pages=0)
        failed = ""
        for board in Board:
            try:
                standings = await self._board(board, running)
            except (TransientError, RejectedError, MalformedError) as error:
                failed = f"{board}: {error}"
                _log.warning("a leaderboard is incomplete and not written", extra={"board": board, "error": str(error)})
                running.report(**{f"{board.lower()}_failed": str(error)[:200]})
                continue
            _add(running, boards=1, traders=len(standings))
            _add(running, new=await self.store.write(running.lease, board, standings))
        running.report(followers_changed=await self.store.count_followers(running.lease))
        if not running.figures["boards"]:
            raise TransientError(f"no leaderboard could be read: {failed}")

    async def _board(self, board: Board, running: RunningJob) -> list[Standing]:
        """Returns as many places as are wanted, or all there are; a wallet that moved while it was read once."""
        found: dict[str, Standing] = {}
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            try:
                page = await self._page(board, cursor)
            except RejectedError:
                if cursor is None or len(found) < V1_ROWS:
                    raise
                break
            _add(running, pages=1)
            if page.malformed:
                raise MalformedError("rows", f"{page.malformed.total()} places were not understood")
            for row in page.rows:
                found.setdefault(row.wallet, row)
            cursor = page.next_cursor
            if cursor is None or len(found) >= self.rows:
                break
        else:
            raise MalformedError("pages", f"more than {PAGES_MAX}")
        if not found:
            raise MalformedError("empty", "a leaderboard of nobody")
        return list(found.values())[: self.rows]

    async def _page(self, board: Board, cursor: str | None) -> LeaderboardPage:
        for pause_s in PAUSES_S:
            try:
                return await self.accounts.leaderboard_page(board, Period.ALL, cursor=cursor)
            except TransientError:
                await trio.sleep(pause_s)
        return await self.accounts.leaderboard_page(board, Period.ALL, cursor=cursor)


def _add(running: RunningJob, **more: int) -> None:
    running.report(**{name: int(running.figures[name] or 0) + count for name, count in more.items()})
