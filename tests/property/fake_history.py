"""The venue's own record of trades, in memory: late, paged, and failing on command."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

import attrs
import trio
from property.made_trades import page_row
from property.supervised import CrashPlan

from protocols.errors import RejectedError, TransientError
from protocols.ingest import TargetSets
from protocols.trades import Lane
from protocols.venue.data_api import PageRow, TradePage

Fill = tuple[str, str, int]
"""Transaction, wallet, micro-shares: enough to tell fills apart here."""


@attrs.frozen
class Past:
    """One row of history and when it appeared there."""

    second: int
    fill: Fill
    visible_s: float = 0.0

    def page_row(self) -> PageRow:
        from protocols.amounts import size_from_micro

        transaction_hash, wallet, micro = self.fill
        return page_row(
            timestamp=self.second, transaction_hash=transaction_hash, proxy_wallet=wallet, size=size_from_micro(micro)
        )


@attrs.frozen
class Call:
    at_s: float
    since_s: int
    until_s: int
    wallet: str | None
    cursor: str | None


@attrs.define(eq=False)
class FakeHistory:
    """`TradeHistory`; `script` says how each call goes, in order, then all go well."""

    rows: list[Past] = attrs.field(factory=list)
    page_rows: int = 1_000
    wallet_page_rows: int | None = None
    script: deque[str] = attrs.field(factory=deque, converter=deque)
    down_until_s: float = 0.0
    refuses_platform_wide: bool = False
    refused_wallets: frozenset[str] = frozenset()
    endless_empty: bool = False
    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    calls: list[Call] = attrs.field(factory=list)

    async def page(self, *, since_s: int, until_s: int, wallet: str | None, cursor: str | None) -> TradePage:
        await trio.lowlevel.checkpoint()
        self.calls.append(Call(trio.current_time(), since_s, until_s, wallet, cursor))
        if self.plan.due():
            self.plan.crash()
        outcome = self.script.popleft() if self.script else "ok"
        if outcome == "transient" or trio.current_time() < self.down_until_s:
            raise TransientError("502")
        if outcome == "slow":
            await trio.sleep(7)
        if wallet in self.refused_wallets or (wallet is None and self.refuses_platform_wide):
            raise RejectedError("answered 400")
        if self.endless_empty:
            return TradePage(rows=(), malformed=Counter(), rows_sent=0, next_cursor=str(int(cursor or 0) + 1))
        return self._page(since_s, until_s, wallet, int(cursor or 0))

    def _page(self, since_s: int, until_s: int, wallet: str | None, offset: int) -> TradePage:
        now_s = trio.current_time()
        found = [
            row
            for row in sorted(self.rows, key=lambda row: -row.second)
            if since_s <= row.second <= until_s
            and row.visible_s <= now_s
            and (wallet is None or row.fill[1].lower() == wallet)
        ]
        # A transaction that is read alone fits into one page at the venue: 1,000 rows of one wallet in one second.
        of_one = self.wallet_page_rows or self.page_rows
        size = 1_000 if since_s == until_s else of_one if wallet else self.page_rows
        more = offset + size < len(found)
        return TradePage(
            rows=tuple(row.page_row() for row in found[offset : offset + size]),
            malformed=Counter(),
            rows_sent=len(found[offset : offset + size]),
            next_cursor=str(offset + size) if more else None,
        )


@attrs.define(eq=False)
class FixedTargets:
    lanes: Mapping[str, Lane]

    def current(self) -> TargetSets:
        return TargetSets(lanes=self.lanes, version=1)


def numbered(fills: Iterable[Fill]) -> set[tuple[str, str, int, int]]:
    """Every fill with its ordinal: the n-th equal one is fill n."""
    counts: Counter[Fill] = Counter(fills)
    return {(*fill, n) for fill, count in counts.items() for n in range(count)}
