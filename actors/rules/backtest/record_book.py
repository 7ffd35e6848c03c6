"""Records of traders as they stood on a day of the past: only what had happened, and had been resolved, before that day.

What the job trader-stats counts is kept by UTC day (`trader_stats_daily`): trades by the day of the trade, results by the day
on which the market closed. Adding up the days before a day gives what was known when it began; later rows change nothing.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter

import attrs

from actors.rules.exact import EXACT, MICRO_USD, ZERO, half_up
from actors.rules.strategy.traits import bracket_of
from protocols.backtest import DayRow
from protocols.decisions import ProfileRecord, TraderRecord, WindowRecord

D30, D7 = timedelta(days=30), timedelta(days=7)
_Profile = tuple[str, str, str]
"""Niche, structure, bracket."""


@attrs.frozen
class _Sums:
    trades: int = 0
    usd: Decimal = ZERO
    resolved: int = 0
    wins: Decimal = ZERO
    resolved_usd: Decimal = ZERO
    payout_usd: Decimal = ZERO

    def plus(self, row: DayRow) -> "_Sums":
        return _Sums(
            self.trades + row.trades,
            EXACT.add(self.usd, row.usd),
            self.resolved + row.resolved_trades,
            EXACT.add(self.wins, row.wins),
            EXACT.add(self.resolved_usd, row.resolved_usd),
            EXACT.add(self.payout_usd, row.payout_usd),
        )

    def since(self, older: "_Sums") -> "_Sums":
        return _Sums(
            self.trades - older.trades,
            EXACT.subtract(self.usd, older.usd),
            self.resolved - older.resolved,
            EXACT.subtract(self.wins, older.wins),
            EXACT.subtract(self.resolved_usd, older.resolved_usd),
            EXACT.subtract(self.payout_usd, older.payout_usd),
        )

    def record(self) -> WindowRecord:
        gain = EXACT.subtract(self.payout_usd, self.resolved_usd)
        roi_pct = _rate(EXACT.multiply(Decimal(100), gain), self.resolved_usd)
        return WindowRecord(
            resolved_count=self.resolved,
            win_rate=_rate(self.wins, Decimal(self.resolved)),
            trade_count=self.trades,
            avg_trade_usd=_rate(self.usd, Decimal(self.trades)),
            roi=None if roi_pct is None else roi_pct / 100,
        )


@attrs.define(eq=False)
class _Trader:
    """One trader's days, added up from the first on."""

    rows: Sequence[DayRow]
    """In the order of days."""
    days: list[date] = attrs.field(init=False, factory=list)
    sums: list[_Sums] = attrs.field(init=False, factory=lambda: [_Sums()])
    """`sums[n]` of the first n days."""
    profiles: dict[_Profile, tuple[int, Decimal]] = attrs.field(init=False, factory=dict)
    """Resolved trades and wins of the first `counted` rows."""
    counted: int = attrs.field(init=False, default=0)
    known: tuple[date, TraderRecord | None] | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        for row in self.rows:
            if not self.days or self.days[-1] != row.day:
                self.days.append(row.day)
                self.sums.append(self.sums[-1])
            self.sums[-1] = self.sums[-1].plus(row)

    def as_of(self, day: date) -> TraderRecord | None:
        if self.known is None or self.known[0] != day:
            self.known = (day, self._computed(day))
        return self.known[1]

    def _computed(self, day: date) -> TraderRecord | None:
        before = self._before(day)
        if not before.trades and not before.resolved:
            return None
        return TraderRecord(
            lifetime=before.record(),
            d30=before.since(self._before(day - D30 + timedelta(days=1))).record(),
            d7=before.since(self._before(day - D7 + timedelta(days=1))).record(),
            profiles=self._profiles(day),
        )

    def _before(self, day: date) -> _Sums:
        return self.sums[bisect_left(self.days, day)]

    def _profiles(self, day: date) -> tuple[ProfileRecord, ...]:
        if self.counted and self.rows[self.counted - 1].day >= day:
            self.profiles, self.counted = {}, 0
        while self.counted < len(self.rows) and self.rows[self.counted].day < day:
            row = self.rows[self.counted]
            self.counted += 1
            if row.resolved_trades:
                key = (row.niche, row.structure, row.bracket)
                count, wins = self.profiles.get(key, (0, ZERO))
                self.profiles[key] = (count + row.resolved_trades, EXACT.add(wins, row.wins))
        return tuple(
            ProfileRecord(
                niche=niche,
                structure=structure,
                bracket=bracket,
                resolved_count=count,
                win_rate=half_up(EXACT.divide(wins, Decimal(count)), MICRO_USD),
            )
            for (niche, structure, bracket), (count, wins) in sorted(self.profiles.items())
        )


@attrs.define(eq=False)
class RecordBook:
    """Days of many traders. Cheapest when asked in the order of time."""

    _traders: Mapping[str, _Trader]

    @classmethod
    def of(cls, rows: Iterable[DayRow]) -> "RecordBook":
        """Returns the book of rows in any order, at most one for a wallet, day, niche, structure and bracket."""
        found: dict[str, list[DayRow]] = {}
        for row in rows:
            found.setdefault(row.wallet, []).append(row)
        return cls({wallet: _Trader(sorted(days, key=attrgetter("day"))) for wallet, days in found.items()})

    def as_of(self, wallet: str, day: date) -> TraderRecord | None:
        """Returns what was known of a trader when a UTC day began; None when that was nothing.

        The windows are those of the job: the 30 and the 7 days that end with `day`, of which `day` itself holds nothing yet.
        """
        trader = self._traders.get(wallet)
        return None if trader is None else trader.as_of(day)


@attrs.frozen(kw_only=True)
class Bought:
    """A BUY of a tape, and how its market ended there; `ended_on` None: it did not, or nobody knows what it paid."""

    wallet: str
    day: date
    price: Decimal
    shares: Decimal
    niche: str
    structure: str
    ended_on: date | None = None
    payout: Decimal = ZERO
    """USD a share, when it ended."""


def day_rows(bought: Iterable[Bought]) -> list[DayRow]:
    """Returns what the job trader-stats would have counted, for tapes that no database has seen."""
    found: dict[tuple[str, date, str, str, str], DayRow] = {}

    def add(key: tuple[str, date, str, str, str], **more: Decimal | int) -> None:
        old = found.get(key)
        if old is None:
            wallet, day, niche, structure, bracket = key
            old = DayRow(wallet=wallet, day=day, niche=niche, structure=structure, bracket=bracket)
        found[key] = attrs.evolve(old, **{name: getattr(old, name) + value for name, value in more.items()})

    for one in bought:
        bracket, usd = bracket_of(one.price), half_up(EXACT.multiply(one.price, one.shares), MICRO_USD)
        add((one.wallet, one.day, "", "", bracket), trades=1, usd=usd)
        if one.ended_on is not None:
            paid = EXACT.multiply(one.shares, one.payout)
            key = (one.wallet, one.ended_on, one.niche, one.structure, bracket)
            add(key, resolved_trades=1, wins=one.payout, resolved_usd=usd, payout_usd=paid)
    return list(found.values())


def _rate(amount: Decimal, of: Decimal) -> Decimal | None:
    return half_up(EXACT.divide(amount, of), MICRO_USD) if of else None
