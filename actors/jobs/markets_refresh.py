"""Asks the venue for the markets of stored trades anew, until they are resolved."""

import logging
from collections.abc import Sequence

import attrs
import trio

from actors.market_asking import call_spans
from protocols.errors import RejectedError
from protocols.housekeeping import MarketRefreshStore
from protocols.ingest import MarketCatalog, MarketStore
from protocols.jobs import RunningJob
from protocols.markets import Market

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class MarketsRefresh:
    """A bounded number of unresolved, lately traded markets a run, in batches, those first that waited longest.

    A market that the venue does not answer for waits its turn like the others. Resolved markets are never asked for.
    """

    due: MarketRefreshStore
    markets: MarketStore
    catalog: MarketCatalog
    name: str = "markets-refresh"
    after: Sequence[str] = ()
    traded_days: int = 7
    """The feed shows trades of so many days."""
    markets_max: int = 2_000
    pause_s: float = 0.25
    """Between two batches; the catalog has a rate limit of its own, shared with those who cannot wait."""

    async def run(self, running: RunningJob) -> None:
        """Refreshes markets. Raises `TransientError`; what was refreshed until then stays so."""
        running.report(asked=0, refreshed=0, absent=0, refused=0)
        wanted = await self.due.due(traded_days=self.traded_days, markets_max=self.markets_max)
        for start, end in call_spans(wanted):
            if start:
                await trio.sleep(self.pause_s)
            batch = wanted[start:end]
            await self._refresh(batch, running)
            await self.due.asked(batch)
            _count(running, "asked", len(batch))

    async def _refresh(self, condition_ids: Sequence[str], running: RunningJob) -> None:
        """Asks and stores; ids or rows that are refused cost no other ones."""
        try:
            found = await self._ask(condition_ids)
            if found:
                await self.markets.upsert(found)
        except RejectedError as error:
            if len(condition_ids) == 1:
                fields = {"condition_id": condition_ids[0], "error": str(error)}
                _log.warning("a market is refused", extra=fields)
                _count(running, "refused", 1)
                return
        else:
            _count(running, "refreshed", len(found))
            _count(running, "absent", len(condition_ids) - len(found))
            return
        middle = len(condition_ids) // 2
        await self._refresh(condition_ids[:middle], running)
        await self._refresh(condition_ids[middle:], running)

    async def _ask(self, condition_ids: Sequence[str]) -> list[Market]:
        """One call; a second one only for ids that may be hidden because they are closed (venue.md §3.1)."""
        found = await self.catalog.markets(condition_ids, closed=None)
        rest = sorted(set(condition_ids) - {market.condition_id for market in found})
        return found + await self.catalog.markets(rest, closed=True) if rest else found


def _count(running: RunningJob, figure: str, more: int) -> None:
    running.report(**{figure: int(running.figures[figure] or 0) + more})
