"""What traders earned, position by position and day by day, how they rank, and where that is kept.

Money is USD, shares are micro-shares, times are milliseconds since the epoch, days are UTC days.
"""

import enum
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.jobs import JobLease
from protocols.trader_accounts import Board, Standing, TokenText


class ResultKind(enum.StrEnum):
    """How a position came to a result."""

    CLOSED = "closed"
    """Sold, merged or redeemed: the venue lists it as closed."""
    LOST = "lost"
    """Resolved against its holder, who has not redeemed it: the venue lists it as held."""
    PAID = "paid"
    """Resolved, held and worth something: no result yet, and no loss, whatever was said before."""


@attrs.frozen(kw_only=True)
class PositionResult:
    """What a wallet earned with one token."""

    token_id: str
    condition_id: str
    kind: ResultKind
    bought_micro: int
    average_price: Decimal | None
    realized_usd: Decimal
    closed_ms: int
    """When that was: of a loss, as far as the venue says it."""
    last_event_ms: int | None
    """When something last happened to what is held; None where nobody says it."""
    text: TokenText


@attrs.frozen(kw_only=True)
class DueWallet:
    """A wallet whose results are to be read."""

    wallet: str
    newest_close_ms: int | None
    """Of what was closed, as far as it is known."""
    read_ms: int | None
    """When all of it had been read last; None: never."""


@attrs.frozen(kw_only=True)
class DuePage:
    """Wallets whose turn it is, those first that waited longest."""

    wallets: Sequence[DueWallet]
    after: tuple[datetime, str] | None
    """Where the next page goes on; None at the end. Only the store knows what it means."""


@attrs.frozen(kw_only=True)
class RankingsState:
    """What the rankings were computed from."""

    anchor: date
    """The newest day of the data."""
    wallets: int
    wallets_failed: int
    """Whose last reading failed: what is known of them is older."""
    wallets_waiting: int
    """Whose turn did not come in the last run."""
    read_since_ms: int
    """All others were read after this."""


class WalletResultStore(Protocol):
    """Results of traders. All methods raise `TransientError`, and `FencedError` without writing when the lease is lost."""

    async def enlist(self, lease: JobLease) -> int:
        """Finds whose results are wanted, forgets what other runs left half-read, and returns how many wallets there are."""
        ...

    async def due(self, *, begun_ms: int, after: tuple[datetime, str] | None, wallets_max: int) -> DuePage:
        """Returns wanted wallets that were not tried since a moment."""
        ...

    async def stage(self, lease: JobLease, wallet: str, results: Sequence[PositionResult]) -> None:
        """Puts aside a part of what a wallet has, unseen by readers. A token twice: the newest close is kept."""
        ...

    async def forget(self, lease: JobLease, wallet: str) -> None:
        """Throws away what was put aside of a wallet."""
        ...

    async def commit(self, lease: JobLease, wallet: str, results: Sequence[PositionResult], *, read_ms: int) -> int:
        """Writes the rest and what was put aside, the days that follow from all of it, and that the wallet has been read.

        All of it in one transaction. Returns how many positions changed.
        """
        ...

    async def fail(self, lease: JobLease, wallet: str, error: str, *, at_ms: int) -> None:
        """Says that a wallet could not be read; what was put aside of it is forgotten, what is known of it stays."""
        ...

    async def rank(self, lease: JobLease, *, begun_ms: int) -> RankingsState | None:
        """Ranks the wanted wallets anew and returns what was ranked; None without a single day of anybody.

        A wallet that was neither read since `begun_ms` nor failed counts as waiting.
        """
        ...


@attrs.frozen(kw_only=True)
class OfficialResult:
    """What the venue says that one of our own accounts realised with one token, once for all orders of it (D79)."""

    token_id: str
    condition_id: str
    realized_usd: Decimal
    average_price: Decimal | None
    bought_micro: int | None
    """None while it is held."""
    is_held: bool


@attrs.frozen(kw_only=True)
class DueAccount:
    """An account with news."""

    newest_close_ms: int | None
    seen_at: datetime
    """What happened before this is seen by a reading that begins now. Only the store knows what it means."""


class OfficialResultStore(Protocol):
    """Official results of our own accounts. Raises as `WalletResultStore`."""

    async def due(self, account: str, wallet: str) -> DueAccount | None:
        """Returns an account that traded or settled something since it was read, or was never read; else None."""
        ...

    async def write(self, lease: JobLease, wallet: str, results: Sequence[OfficialResult]) -> int:
        """Writes some of an account's results and returns how many are new or different."""
        ...

    async def done(
        self, lease: JobLease, account: str, wallet: str, *, seen_at: datetime, newest_close_ms: int | None
    ) -> None:
        """Says that an account has been read."""
        ...

    async def fail(self, lease: JobLease, account: str, wallet: str, error: str) -> None:
        """Says that an account could not be read."""
        ...


class LeaderboardStore(Protocol):
    """The traders that leaderboards name. Raises as `WalletResultStore`."""

    async def write(self, lease: JobLease, board: Board, standings: Sequence[Standing]) -> int:
        """Writes a whole board and returns how many traders are new. Whoever is not on it any more keeps all but his rank."""
        ...

    async def count_followers(self, lease: JobLease) -> int:
        """Counts who follows each trader, and returns for how many that changed."""
        ...


@attrs.frozen(kw_only=True)
class RotatingList:
    """A strategy whose targets are filled with winners."""

    wallet_id: str
    days: int
    """Of the window: 1 or 7."""
    size: int
    targets: Sequence[str]
    excluded: Sequence[str]


class RotationStore(Protocol):
    """Lists that winners fill. Raises as `WalletResultStore`."""

    async def rankings(self) -> RankingsState | None:
        """Returns what the rankings were computed from, or None before the first time."""
        ...

    async def lists(self, *, after: str, lists_max: int) -> list[RotatingList]:
        """Returns the next active strategies with target_mode list and a rotation, in the order of their names."""
        ...

    async def winners(self, first: date, last: date, *, without: Sequence[str], wallets_max: int) -> list[str]:
        """Returns who earned most in some days, and something at all; ties in the order of wallets."""
        ...

    async def write(self, lease: JobLease, wallet_id: str, targets: Sequence[str], *, by: str) -> bool:
        """Makes these the targets in a new version of a strategy; False when it does not rotate any more, or has them."""
        ...
