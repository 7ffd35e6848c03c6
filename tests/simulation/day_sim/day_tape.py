"""What wallets did in a day, as the test wrote it down when it made them do it, and the independent count of what follows.

Everything is exact fractions over one list in the order of time: no paging, no rounding, no "since".
"""

import enum
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from fractions import Fraction

import attrs

from engine.simulator.market import Market


class Doing(enum.StrEnum):
    BUY = "BUY"
    SELL = "SELL"
    MERGE = "MERGE"
    REDEEM = "REDEEM"


@attrs.frozen(kw_only=True)
class Deed:
    """One thing that one wallet did. `token` is empty for what changes both tokens of a market."""

    second: int
    doing: Doing
    wallet: str
    market: Market
    token: str = ""
    micro: int = 0
    price: Fraction = Fraction(0)
    """USD a share."""
    transaction: str = ""


Fill = tuple[str, str, str, str, int]
"""(transaction, wallet, token, side, micro-shares): identical fills share it."""


@attrs.define(kw_only=True)
class Episode:
    """From the first share to the last."""

    began_s: int
    ended_s: int | None = None
    ended_by: Doing | None = None


@attrs.define(eq=False)
class Account:
    """One token of one wallet."""

    market: Market
    held_micro: int = 0
    cost: Fraction = Fraction(0)
    realized: Fraction = Fraction(0)
    deeds: int = 0
    last_s: int = 0
    episodes: list[Episode] = attrs.field(factory=list)

    def buy(self, deed: Deed) -> None:
        if not self.held_micro:
            self.episodes.append(Episode(began_s=deed.second))
        self.held_micro += deed.micro
        self.cost += deed.price * deed.micro / 1_000_000
        self._note(deed)

    def give(self, deed: Deed, micro: int, price: Fraction) -> None:
        """Sells, merges or redeems; costs are averages."""
        released = self.cost * micro / self.held_micro
        self.realized += price * micro / 1_000_000 - released
        self.held_micro, self.cost = self.held_micro - micro, self.cost - released
        self._note(deed)
        if not self.held_micro:
            self.episodes[-1].ended_s, self.episodes[-1].ended_by = deed.second, deed.doing

    def _note(self, deed: Deed) -> None:
        self.deeds += 1
        self.last_s = deed.second

    @property
    def is_lost(self) -> bool:
        """Whether it is held and will never be worth anything again."""
        return bool(self.held_micro) and self.payout == 0

    @property
    def payout(self) -> Fraction | None:
        """USD a share."""
        return None

    def lost_s(self) -> int:
        return max(self.last_s, self.market.end_ms // 1000)


@attrs.define(eq=False)
class TokenAccount(Account):
    index: int = 0

    @property
    def payout(self) -> Fraction | None:
        payouts = self.market.payouts
        return None if payouts is None else Fraction(payouts[self.index], 1_000_000)


@attrs.define(eq=False)
class Tape:
    """The deeds in the order in which they were done."""

    deeds: list[Deed] = attrs.field(factory=list)

    def accounts(self) -> dict[tuple[str, str], TokenAccount]:
        """By (wallet, token)."""
        found: dict[tuple[str, str], TokenAccount] = {}
        for deed in self.deeds:
            for index, token in enumerate(deed.market.token_ids):
                key = (deed.wallet, token)
                if deed.token not in ("", token) or (deed.doing is not Doing.BUY and key not in found):
                    continue
                account = found.setdefault(key, TokenAccount(deed.market, index=index))
                if deed.doing is Doing.BUY:
                    account.buy(deed)
                elif deed.doing is Doing.SELL:
                    account.give(deed, deed.micro, deed.price)
                elif deed.doing is Doing.MERGE:
                    account.give(deed, deed.micro, Fraction(1, 2))
                elif account.held_micro:
                    assert account.payout is not None
                    account.give(deed, account.held_micro, account.payout)
        return found

    def fills(self, wallets: Collection[str]) -> Counter[Fill]:
        """Every fill of some wallets, counted."""
        return Counter(
            (deed.transaction, deed.wallet, deed.token, deed.doing.value, deed.micro)
            for deed in self.deeds
            if deed.doing in (Doing.BUY, Doing.SELL) and deed.wallet in wallets
        )


@attrs.define
class Day:
    """What a wallet realised on a UTC day."""

    realized: Fraction = Fraction(0)
    positions: int = 0
    doubtful: int = 0
    """Deeds behind it: the venue rounds each of them down to a millionth of a USD."""


def days(accounts: dict[tuple[str, str], TokenAccount]) -> dict[tuple[str, date], Day]:
    """By (wallet, day): positions whose last share went on it, with all that was ever realised of them, and losses."""
    found: dict[tuple[str, date], Day] = defaultdict(Day)
    for (wallet, _), account in accounts.items():
        if account.is_lost:
            at_s, amount = account.lost_s(), account.realized - account.cost
        elif not account.held_micro:
            at_s, amount = account.last_s, account.realized
        else:
            continue
        day = found[wallet, utc_day(at_s)]
        day.realized += amount
        day.positions += 1
        day.doubtful += account.deeds
    return dict(found)


def endings(account: Account, since_s: int, until_s: int) -> Iterator[Doing]:
    """How a position ended within a time, both included."""
    for episode in account.episodes:
        if episode.ended_s is not None and episode.ended_by is not None and since_s <= episode.ended_s <= until_s:
            yield episode.ended_by


def utc_day(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()
