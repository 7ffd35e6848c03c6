"""Compares one window of a wallet, and has the ingest record what nobody had. Part of coverage-audit."""

from collections import Counter
from collections.abc import Collection
from contextlib import aclosing

import attrs

from actors.coverage_reading import CoverageReading, Response
from actors.late_trades import LateTrades
from actors.rules.coverage import Comparison, Window, identified, rows_of_trades
from protocols.coverage import AuditedWindow, CoverageStore, DueWallet, Miss
from protocols.jobs import JobLease

SOURCE = "audit"
IDS_MAX = 100_000
EDGE_S = 2
"""Sources date a trade up to a second apart: near the edges of a window ours may lie in the next one."""


@attrs.define(eq=False, kw_only=True)
class WindowAudit:
    """histories, trades of ours → misses and late trades, a response at a time: in memory are one response and ids."""

    reading: CoverageReading
    store: CoverageStore
    late: LateTrades
    missed: Counter[str] = attrs.field(factory=Counter)
    """Misses found, by the history that had them first; one that was known before is not counted."""

    async def audit(self, lease: JobLease, due: DueWallet, window: Window) -> AuditedWindow:
        """Returns what the window comes to. Raises `TransientError` and `RejectedError`: then it was not compared.

        Misses are kept before they are handed over, so one that is lost in between is known to be missing.
        """
        comparison = Comparison(wallet=due.wallet)
        async with aclosing(self.reading.responses(due.wallet, window.since_s, window.until_s)) as responses:
            async for response in responses:
                await self._compare(lease, comparison, response)
        ours = await self.store.trade_ids(due.wallet, window.since_s + EDGE_S, window.until_s - EDGE_S, ids_max=IDS_MAX)
        return AuditedWindow(
            wallet=due.wallet,
            lane=due.lane,
            since_s=window.since_s,
            until_s=window.until_s,
            skipped_s=window.skipped_s,
            counts=comparison.counts(ours),
        )

    async def again(self, wallet: str, second_s: int, missing: Collection[str]) -> None:
        """Hands over again what was found missing and still is. Raises `TransientError` and `RejectedError`."""
        left = set(missing)
        async with aclosing(self.reading.responses(wallet, second_s, second_s)) as responses:
            async for response in responses:
                found = identified(response.rows, wallet)
                await self._hand_over(response, wallet, left & found.trade_ms.keys())
                left -= found.trade_ms.keys()

    async def _compare(self, lease: JobLease, comparison: Comparison, response: Response) -> None:
        found = identified(response.rows, comparison.wallet)
        comparison.malformed += response.malformed
        unknown = comparison.add(response.api, found)
        missing = comparison.looked_up(unknown, await self.store.sources(unknown) if unknown else {})
        if misses := comparison.misses(found):
            kept = await self.store.keep_misses(lease, misses)
            self.missed[response.api.value] += kept
        await self._hand_over(response, comparison.wallet, missing)

    async def _hand_over(self, response: Response, wallet: str, trade_ids: Collection[str]) -> None:
        if trade_ids:
            await self.late.send(rows_of_trades(response.rows, wallet, trade_ids), SOURCE)


def by_second(misses: Collection[Miss]) -> dict[tuple[str, int], list[str]]:
    """Returns the ids of misses by wallet and second."""
    groups: dict[tuple[str, int], list[str]] = {}
    for miss in misses:
        groups.setdefault((miss.wallet, miss.trade_ms // 1000), []).append(miss.trade_id)
    return groups
