"""What accounts do beside trading: they split, merge and redeem shares, and are paid rewards (venue.md §5.1)."""

import enum
from collections import deque

import attrs

from engine.simulator.market import Market
from engine.simulator.profiles import Profile
from engine.simulator.series import Series, key_at


class EventKind(enum.StrEnum):
    """Types of activity other than TRADE."""

    SPLIT = "SPLIT"
    MERGE = "MERGE"
    REDEEM = "REDEEM"
    REWARD = "REWARD"
    CONVERSION = "CONVERSION"
    MIGRATION = "MIGRATION"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    YIELD = "YIELD"
    MAKER_REBATE = "MAKER_REBATE"
    TAKER_REBATE = "TAKER_REBATE"
    REFERRAL_REWARD = "REFERRAL_REWARD"
    TIP = "TIP"


PAYMENTS = frozenset(EventKind) - {EventKind.SPLIT, EventKind.MERGE, EventKind.REDEEM, EventKind.CONVERSION}
"""Kinds that move money and no shares; their rows have no market."""


@attrs.frozen(kw_only=True, eq=False)
class AccountEvent:
    """One of them."""

    sequence: int
    """In one order with the fills."""
    block_s: int
    published_ms: int
    transaction_hash: str
    wallet: str
    """Lower case."""
    kind: EventKind
    market: Market | None = None
    """None for payments."""
    size_micro: int
    """Pairs of shares split or merged; what a redemption or a payment brought in micro-USD, as the venue writes it."""
    profile: Profile

    @property
    def key(self) -> int:
        """Sorts by time and then by appearance, fills among them."""
        return key_at(self.block_s, self.sequence)


class AccountEvents:
    """The newest `events_max` events, by wallet and by market."""

    def __init__(self, events_max: int = 200_000) -> None:
        self._events_max = events_max
        self._order: deque[AccountEvent] = deque()
        self._by_wallet: dict[str, Series[AccountEvent]] = {}
        self._by_condition: dict[str, Series[AccountEvent]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def add(self, event: AccountEvent) -> None:
        """Books an event; the oldest one is forgotten when there are too many."""
        self._order.append(event)
        for index, name in self._places(event):
            index.setdefault(name, Series()).add(event)
        if len(self._order) > self._events_max:
            self._forget(self._order.popleft())

    def of_wallet(self, wallet: str) -> Series[AccountEvent]:
        """Returns the events of a lower-case wallet."""
        return self._by_wallet.get(wallet) or Series()

    def of_condition(self, condition_id: str) -> Series[AccountEvent]:
        """Returns the events of a market."""
        return self._by_condition.get(condition_id) or Series()

    def wallets(self) -> list[str]:
        """Returns the wallets that have events."""
        return list(self._by_wallet)

    def _forget(self, event: AccountEvent) -> None:
        for index, name in self._places(event):
            series = index[name]
            series.discard(event)
            if not len(series):
                del index[name]

    def _places(self, event: AccountEvent) -> list[tuple[dict[str, Series[AccountEvent]], str]]:
        places = [(self._by_wallet, event.wallet)]
        if event.market is not None:
            places.append((self._by_condition, event.market.condition_id))
        return places
