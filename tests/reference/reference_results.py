"""What wallets earned by day, and how they rank, as naive Python over everything that a venue tells of them.

Nothing of the program is used: no paging, no "since", no SQL. `observe` is told when a wallet was read to its end.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

Day = tuple[Decimal, Decimal, int, int]
"""Realised, to date, positions, positions that won."""


@attrs.define(kw_only=True)
class Token:
    """One token in the hands of one wallet, as the venue knows it. Times are seconds since the epoch."""

    name: str
    held: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    bought: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    closed_s: int | None = None
    listed_s: int = 0
    """When the list of what is closed begins to have it: it is late."""
    event_s: int = 0
    end_day: str | None = None
    payout: Decimal | None = None

    @property
    def market(self) -> str:
        return f"0x{int(self.name) // 2:064x}"

    def buy(self, shares: Decimal, price: Decimal, at_s: int) -> None:
        if self.payout is None:
            self.held, self.cost, self.bought = self.held + shares, self.cost + shares * price, self.bought + shares
            self.event_s = at_s

    def sell_all(self, price: Decimal, late_s: int, at_s: int) -> None:
        """Sells or redeems."""
        if self.held:
            self.listed_s = at_s + late_s
            self.realized += self.held * price - self.cost
            self.held = self.cost = Decimal(0)
            self.closed_s = self.event_s = at_s

    def sell_part(self, price: Decimal, at_s: int) -> None:
        """Sells half; it stays open."""
        if self.payout is None and self.held:
            sold, released = self.held / 2, self.cost / 2
            self.realized += sold * price - released
            self.held, self.cost, self.event_s = self.held - sold, self.cost - released, at_s

    @property
    def is_lost(self) -> bool:
        return bool(self.held) and self.payout == 0


@attrs.define
class Venue:
    """The accounts of all wallets."""

    wallets: dict[str, dict[str, Token]] = attrs.field(factory=lambda: defaultdict(dict))
    now_s: int = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp())

    def token(self, wallet: str, name: str) -> Token:
        return self.wallets[wallet].setdefault(name, Token(name=name))

    def resolve(self, name: str, payout: Decimal, end_day: str | None) -> None:
        for tokens in self.wallets.values():
            if name in tokens and tokens[name].payout is None:
                tokens[name].payout, tokens[name].end_day = payout, end_day


@attrs.define
class ReferenceResults:
    """What is known of each wallet after the readings that went through."""

    venue: Venue
    known: dict[str, dict[str, tuple[date, Decimal, bool]]] = attrs.field(factory=lambda: defaultdict(dict))
    """By wallet and token: day, result, and whether it is a loss that was not redeemed."""

    def observe(self, wallet: str) -> None:
        for name, token in self.venue.wallets[wallet].items():
            before = self.known[wallet].get(name)
            if token.is_lost:
                day = before[0] if before is not None and before[2] else self._lost_on(token)
                self.known[wallet][name] = (day, token.realized - token.cost, True)
            elif token.held:
                # Open again: what was earned before stays where it was, until it is closed again.
                continue
            elif token.closed_s is not None and token.listed_s <= self.venue.now_s:
                self.known[wallet][name] = (_day(token.closed_s), token.realized, False)

    def days(self) -> dict[str, dict[date, Day]]:
        found: dict[str, dict[date, Day]] = {}
        for wallet, results in self.known.items():
            total, days = Decimal(0), {}
            for day in sorted({one[0] for one in results.values()}):
                amounts = [amount for at, amount, _ in results.values() if at == day]
                total += sum(amounts)
                days[day] = (sum(amounts, Decimal(0)), total, len(amounts), sum(amount > 0 for amount in amounts))
            if days:
                found[wallet] = days
        return found

    def rankings(self) -> dict[str, list[tuple[str, Decimal]]]:
        """By window: (wallet, sum), best first."""
        days = self.days()
        if not days:
            return {}
        anchor = max(day for ones in days.values() for day in ones)
        windows: dict[str, Any] = {"ALL": lambda age: True}
        for key, length in (("1D", 1), ("7D", 7), ("30D", 30), ("3M", 90), ("6M", 180)):
            windows[key] = lambda age, length=length: age < length
            windows[f"{key}_PREV"] = lambda age, length=length: length <= age < 2 * length
        found: dict[str, list[tuple[str, Decimal]]] = {}
        for key, inside in windows.items():
            sums = {
                wallet: [one[0] for day, one in ones.items() if inside((anchor - day).days)]
                for wallet, ones in days.items()
            }
            ranked = [(wallet, sum(amounts, Decimal(0))) for wallet, amounts in sums.items() if amounts]
            if ranked:
                found[key] = sorted(ranked, key=lambda one: (-one[1], one[0]))
        return found

    def _lost_on(self, token: Token) -> date:
        day = _day(token.event_s)
        if token.end_day not in (None, "soon"):
            day = max(day, date.fromisoformat(token.end_day))
        return min(day, _day(self.venue.now_s))


def _day(seconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).date()
