"""What the database must say after a day, compared with the tape."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

import asyncpg
import attrs
from simulation.day_sim.day_tape import Doing, Tape, TokenAccount, days, endings

from engine.adapters.postgres.database import DatabaseOptions, once

LATE_S = 40
"""What the venue shows may be this old."""
CURRENT = "SELECT wallet_address, token_id, round(size * 1000000)::bigint AS micro FROM positions_current"
CLOSED = """
SELECT wallet_address, token_id, closed_reason, extract(epoch FROM opened_at)::float8 AS opened_s,
    extract(epoch FROM last_seen_at)::float8 AS seen_s, extract(epoch FROM closed_at)::float8 AS closed_s,
    extract(epoch FROM booked.at)::float8 AS booked_s
FROM positions_closed JOIN day.booked USING (id) ORDER BY wallet_address, token_id, id
"""
OPENED = """
SELECT wallet, token, opened_at FROM day.opened
EXCEPT ALL (
    SELECT wallet_address, token_id, opened_at FROM positions_closed
    UNION ALL SELECT wallet_address, token_id, opened_at FROM positions_current
)
"""
TRADES = """
SELECT transaction_hash, trader_wallet, asset, side, round(size * 1000000)::bigint AS micro, count(*) AS times
FROM trades_public GROUP BY 1, 2, 3, 4, 5
"""
DAYS = "SELECT wallet_address, date, realized_pnl, closed_positions FROM wallet_realized_pnl_daily"
RANKS = "SELECT window_key, wallet_address, window_start, window_end, pnl_sum, rank FROM wallet_realized_pnl_rankings"
REASONS = {Doing.SELL: "manual_close", Doing.MERGE: "manual_close", Doing.REDEEM: "redeemed"}
Accounts = Mapping[tuple[str, str], TokenAccount]


@attrs.define(eq=False)
class DayChecks:
    """Problems found, as sentences."""

    options: DatabaseOptions
    tape: Tape
    wallets: Collection[str]
    problems: list[str] = attrs.field(factory=list)
    figures: Counter[str] = attrs.field(factory=Counter)

    async def check(self) -> None:
        accounts = self.tape.accounts()
        self._positions(accounts, await self._fetch(CURRENT))
        self._closed(accounts, await self._fetch(CLOSED))
        self._same(
            "opened, and neither open nor closed once", Counter(), Counter(map(tuple, await self._fetch(OPENED)))
        )
        self._trades(await self._fetch(TRADES))
        known = await self._fetch(DAYS)
        self._days(accounts, known)
        self._ranks(known, await self._fetch(RANKS))

    def _positions(self, accounts: Accounts, rows: list[Any]) -> None:
        expected = {key: account.held_micro for key, account in accounts.items() if account.held_micro}
        stored = {(row["wallet_address"], row["token_id"]): row["micro"] for row in rows}
        self.figures["positions held"] += len(expected)
        self._same("held", expected, stored)

    def _closed(self, accounts: Accounts, rows: list[Any]) -> None:
        """Each row is an end that there was, after all those before it, with the reason of an end in its time."""
        before_s: dict[tuple[str, str], float] = defaultdict(float)
        count: Counter[tuple[str, str]] = Counter()
        for row in rows:
            key = (row["wallet_address"], row["token_id"])
            count[key] += 1
            account = accounts.get(key)
            since_s = max(before_s[key], row["seen_s"] - LATE_S)
            reasons = [] if account is None else [
                # An empty list may have hidden it before it was gone: then `closed_at` is earlier than the end.
                REASONS[how] for how in endings(account, int(since_s) - LATE_S, int(row["booked_s"]) + 1)
            ]  # fmt: skip
            self.figures[f"closed {row['closed_reason']}"] += 1
            if row["closed_reason"] not in reasons:
                self._say(
                    f"closed as {row['closed_reason']}, really {reasons}: {dict(row)} {account and account.episodes}"
                )
            before_s[key] = row["booked_s"] - LATE_S
        for key, times in count.items():
            ends = sum(1 for one in accounts[key].episodes if one.ended_s is not None) if key in accounts else 0
            if times > ends:
                self._say(f"closed {times} times, really {ends}: {key}")

    def _trades(self, rows: list[Any]) -> None:
        stored = Counter({tuple(row)[:5]: row["times"] for row in rows if row["trader_wallet"] in self.wallets})
        expected = self.tape.fills(self.wallets)
        self.figures["fills"] += expected.total()
        self.figures["twins"] += sum(times > 1 for times in expected.values())
        self._same("fills", dict(expected), dict(stored))

    def _days(self, accounts: Accounts, rows: list[Any]) -> None:
        expected = days(dict(accounts))
        stored = {(row["wallet_address"], row["date"]): row for row in rows}
        self.figures["days"] += len(expected)
        for key in expected.keys() | stored.keys():
            want, have = expected.get(key), stored.get(key)
            if want is None or have is None:
                self._say(f"day {key}: expected {want}, stored {None if have is None else dict(have)}")
            elif (
                abs(want.realized - Fraction(have["realized_pnl"])) > Fraction(want.doubtful + 1, 500_000)
                or want.positions != have["closed_positions"]
            ):
                self._say(f"day {key}: expected {float(want.realized)} {want}, stored {dict(have)}")

    def _ranks(self, known: list[Any], rows: list[Any]) -> None:
        """Of the days that are stored, which are right by now; all of them lie within a week."""
        sums: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        anchor = max((row["date"] for row in known), default=date.min)
        for row in known:
            age = (anchor - row["date"]).days
            for key, days_in in (("1D", 1), ("7D", 7), ("30D", 30), ("3M", 90), ("6M", 180), ("ALL", 10_000)):
                for window, low in ((key, 0), (f"{key}_PREV", days_in)):
                    if low <= age < low + days_in and window != "ALL_PREV":
                        sums[window][row["wallet_address"]] += Fraction(row["realized_pnl"])
        expected = {
            (window, wallet): place
            for window, earned in sums.items()
            for place, wallet in enumerate(sorted(earned, key=lambda one: (-earned[one], one)), 1)
        }
        self.figures["ranks"] += len(expected)
        self._same("rank", expected, {(row["window_key"], row["wallet_address"]): row["rank"] for row in rows})

    def _same(self, what: str, expected: Mapping[Any, Any], stored: Mapping[Any, Any]) -> None:
        for key in sorted(expected.keys() | stored.keys(), key=str):
            if expected.get(key) != stored.get(key):
                self._say(f"{what} {key}: expected {expected.get(key)}, stored {stored.get(key)}")

    def _say(self, problem: str) -> None:
        self.problems.append(problem)

    async def _fetch(self, sql: str) -> list[Any]:
        async def work(raw: asyncpg.Connection) -> list[Any]:
            return await raw.fetch(sql)

        return await once(self.options, "checks", work)
