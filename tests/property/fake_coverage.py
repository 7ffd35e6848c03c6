"""Audits in memory, with the promises of the real store; it fails on command."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import trio

from protocols.coverage import BOTH, AuditedWindow, CoverageCounts, CoverageSummary, DueWallet, Miss
from protocols.errors import TransientError
from protocols.trades import Lane


@attrs.define(eq=False)
class KnownWallet:
    lane: Lane
    audited_until_s: int
    tried_ms: int = -1
    failures: int = 0


@attrs.define(eq=False)
class FakeCoverageStore:
    """`CoverageStore`. `rows` are our trades by id: wallet, second, source."""

    rows: dict[str, tuple[str, int, str | None]]
    fails: Callable[[], bool] = lambda: False
    wallets: dict[str, KnownWallet] = attrs.field(factory=dict)
    windows: list[AuditedWindow] = attrs.field(factory=list)
    kept: dict[str, Miss] = attrs.field(factory=dict)
    recorded: dict[str, str | None] = attrs.field(factory=dict)

    async def sync(
        self, lease: Any, wallets: Sequence[tuple[str, Lane]], *, after: str, at_end: bool, now_s: int
    ) -> None:
        await self._ask()
        wanted = dict(wallets)
        last = wallets[-1][0] if wallets else after
        for wallet in [one for one in self.wallets if one > after and (at_end or one <= last) and one not in wanted]:
            del self.wallets[wallet]
        for wallet, lane in wallets:
            self.wallets.setdefault(wallet, KnownWallet(lane, now_s)).lane = lane

    async def due(self, lane: Lane, *, until_s: int, wallets_max: int) -> list[DueWallet]:
        await self._ask()
        ready = [
            (known.tried_ms, wallet)
            for wallet, known in self.wallets.items()
            if known.lane is lane and known.audited_until_s <= until_s
        ]
        return [
            DueWallet(wallet=wallet, lane=lane, audited_until_s=self.wallets[wallet].audited_until_s)
            for _, wallet in sorted(ready)[:wallets_max]
        ]

    async def sources(self, trade_ids: Sequence[str]) -> Mapping[str, str | None]:
        await self._ask()
        return {trade_id: self.rows[trade_id][2] for trade_id in trade_ids if trade_id in self.rows}

    async def trade_ids(self, wallet: str, since_s: int, until_s: int, *, ids_max: int) -> list[str]:
        await self._ask()
        return [
            trade_id
            for trade_id, (owner, second, _) in self.rows.items()
            if owner == wallet and since_s <= second <= until_s
        ][:ids_max]

    async def keep_misses(self, lease: Any, misses: Sequence[Miss]) -> int:
        await self._ask()
        new = 0
        for miss in misses:
            old = self.kept.setdefault(miss.trade_id, miss)
            new += old is miss
            if old.source != miss.source:
                self.kept[miss.trade_id] = attrs.evolve(old, source=BOTH)
        return new

    async def close_window(self, lease: Any, window: AuditedWindow, *, now_ms: int) -> None:
        await self._ask()
        assert (window.wallet, window.since_s) not in {(one.wallet, one.since_s) for one in self.windows}
        self.windows.append(window)
        known = self.wallets[window.wallet]
        known.audited_until_s, known.tried_ms, known.failures = window.until_s, now_ms, 0

    async def failed(self, lease: Any, wallet: str, error: str, *, now_ms: int) -> None:
        await self._ask()
        self.wallets[wallet].tried_ms = now_ms
        self.wallets[wallet].failures += 1

    async def mark_recorded(self, lease: Any, *, rows_max: int) -> int:
        await self._ask()
        found = [one for one in self.kept if one not in self.recorded and one in self.rows]
        self.recorded.update({trade_id: self.rows[trade_id][2] for trade_id in found})
        return len(found)

    async def unrecorded(self, *, since_ms: int, rows_max: int) -> list[Miss]:
        await self._ask()
        return [miss for trade_id, miss in self.kept.items() if trade_id not in self.recorded][:rows_max]

    async def prune(self, lease: Any, *, before_ms: int, rows_max: int) -> int:
        await self._ask()
        return 0

    async def summary(self, *, since_ms: int) -> Mapping[Lane, CoverageSummary]:
        await self._ask()
        lanes = {window.lane for window in self.windows}
        return {lane: CoverageSummary(counts=self.total(lane), wallets=1, closed_ms=0) for lane in lanes}

    def total(self, *lanes: Lane) -> CoverageCounts:
        """The counts of all windows of some lanes, or of all."""
        names = [field.name for field in attrs.fields(CoverageCounts)]
        chosen = [window.counts for window in self.windows if not lanes or window.lane in lanes]
        return CoverageCounts(**{name: sum(getattr(one, name) for one in chosen) for name in names})

    async def _ask(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.fails():
            raise TransientError("database down")
