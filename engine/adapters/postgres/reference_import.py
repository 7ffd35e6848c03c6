"""Copies a database of the reference's shape into ours: in batches, resumable, and every row accounted for."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from actors.rules.reference_markets import map_market
from actors.rules.reference_orders import map_order
from actors.rules.reference_rows import Mapped, Row, TradeMapper, map_follow, map_profile, map_trader
from engine.adapters.postgres.reference_source import IMPORTED_TABLES, ReferenceSource, SourceError
from engine.adapters.postgres.reference_target import ImportTarget, trade_values
from protocols.errors import MalformedError, RejectedError
from protocols.trades import Lane
from protocols.venue.strict_json import read_object

OnRows = Callable[[str, int], None]
UNKNOWN_WALLET = "nobody follows or knows the wallet"
_NAMES = ("id", "order_id", "trade_id", "condition_id", "wallet_address", "trader_wallet")


@attrs.define(eq=False, kw_only=True)
class TableReport:
    """What became of the rows of one table: `read` = `inserted` + `repeated` + skipped + refused.

    In a dry run nothing is inserted, and what would be is counted as `understood` only.
    """

    table: str
    read: int = 0
    understood: int = 0
    inserted: int = 0
    repeated: int = 0
    """Already there, or the same row twice in the source."""
    skipped: Counter[str] = attrs.field(factory=Counter)
    refused: Counter[str] = attrs.field(factory=Counter)
    """Rows that cannot be understood, by reason."""
    examples: dict[str, str] = attrs.field(factory=dict)
    """The first refused row of each reason, and what was wrong with it."""
    notes: Counter[str] = attrs.field(factory=Counter)
    """Values that were left out of rows that are there."""


@attrs.define(eq=False, kw_only=True)
class ImportReport:
    """What an import did."""

    dry_run: bool
    tables: list[TableReport] = attrs.field(factory=list)
    absent: list[str] = attrs.field(factory=list)
    """Tables that the source should have and does not."""
    skipped_tables: dict[str, int] = attrs.field(factory=dict)
    """Tables of the source that this version has no place for, with about how many rows they have."""


@attrs.define(eq=False, kw_only=True)
class ReferenceImport:
    """One import. `target` is None for a dry run without a database of ours."""

    source: ReferenceSource
    target: ImportTarget | None
    dry_run: bool
    on_rows: OnRows = lambda _table, _read: None
    _users: set[str] = attrs.field(init=False, factory=set)
    _trades: TradeMapper = attrs.field(init=False, factory=lambda: TradeMapper({}))

    async def run(self) -> ImportReport:
        """Copies table by table. Raises `SourceError`, and `TransientError` of our own database."""
        there = await self.source.tables()
        if "engine_meta" in there:
            raise SourceError(
                "the database to import from is one of Polycopy: use `polycopy db backup` and `db restore`"
            )
        report = ImportReport(dry_run=self.dry_run)
        report.absent = [table for table in IMPORTED_TABLES if table not in there]
        if len(report.absent) == len(IMPORTED_TABLES):
            raise SourceError(f"the database to import from has none of the tables {', '.join(IMPORTED_TABLES)}")
        report.skipped_tables = {name: about for name, about in there.items() if name not in IMPORTED_TABLES}
        if self.target is not None:
            self._users = await self.target.users()
            self._trades.lanes.update(await self.target.lanes())
        for table in IMPORTED_TABLES:
            if table in there:
                report.tables.append(await self._table(table))
        return report

    async def _table(self, table: str) -> TableReport:
        report = TableReport(table=table)
        async for texts in self.source.batches(table):
            rows = [row for text in texts if (row := self._understood(table, text, report)) is not None]
            report.read += len(texts)
            report.understood += len(rows)
            if rows and not self.dry_run and self.target is not None:
                await self._insert(self.target, table, rows, report)
            self.on_rows(table, report.read)
        return report

    def _understood(self, table: str, text: str, report: TableReport) -> dict[str, Any] | None:
        """Returns the columns of our row, or None for a row that was counted as skipped or refused."""
        row: Row = {}
        try:
            row = read_object(text)
            mapped = self._mapped(table, row)
        except MalformedError as error:
            _refuse(report, error.reason, row, error.detail)
            return None
        if mapped is None:
            report.skipped[UNKNOWN_WALLET] += 1
            return None
        report.notes.update(mapped.notes)
        return mapped.values

    def _mapped(self, table: str, row: Row) -> Mapped | None:
        if table == "profiles":
            mapped = map_profile(row)
            self._users.add(mapped.values["id"])
            return mapped
        if table == "traders":
            mapped = map_trader(row)
            self._trades.watch(mapped.values["wallet_address"], Lane.KNOWN)
            return mapped
        if table == "follows":
            mapped = map_follow(row)
            if mapped.values["user_id"] not in self._users:
                raise MalformedError("user_unknown", mapped.values["user_id"])
            if mapped.values["active"]:
                self._trades.watch(mapped.values["trader_wallet"], Lane.FOLLOWED)
            return mapped
        if table == "markets":
            return map_market(row)
        if table == "orders":
            mapped = map_order(row)
            if mapped.values["copy_user_id"] not in self._users:
                raise MalformedError("user_unknown", mapped.values["copy_user_id"])
            return mapped
        laned = self._trades.map(row)
        return None if laned is None else Mapped(trade_values(laned))

    async def _insert(
        self, target: ImportTarget, table: str, rows: Sequence[dict[str, Any]], report: TableReport
    ) -> None:
        try:
            inserted = await target.insert(table, rows)
        except RejectedError as error:
            if len(rows) == 1:
                _refuse(report, "database", rows[0], str(error))
                return
            # One value that the database refuses costs its row, not the batch.
            for row in rows:
                await self._insert(target, table, [row], report)
            return
        report.inserted += inserted
        report.repeated += len(rows) - inserted


def _refuse(report: TableReport, reason: str, row: Row, detail: str) -> None:
    report.refused[reason] += 1
    if reason not in report.examples:
        named = [f"{name} {str(row[name])[:80]}" for name in _NAMES if row.get(name) is not None]
        report.examples[reason] = ": ".join([*named[:1], detail[:120]]) or reason
