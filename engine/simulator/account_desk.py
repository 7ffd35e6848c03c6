"""Where accounts split, merge and redeem shares, and where they are paid."""

from collections.abc import Collection

from engine.simulator.account_events import PAYMENTS, AccountEvent, AccountEvents, EventKind
from engine.simulator.ledger import Ledger
from engine.simulator.market import Market
from engine.simulator.positions import Position, positions_of
from engine.simulator.profiles import profile_of
from engine.simulator.publisher import BLOCK_DELAY_MS
from engine.simulator.seeds import digest
from engine.simulator.wire_numbers import MICRO


class AccountDesk:
    """The only writer of `AccountEvents`. Times are milliseconds of the venue; `at_s` shows another block time instead.

    Who may do what is judged by all that has happened, not by what the Data API shows yet.
    """

    def __init__(self, ledger: Ledger, events: AccountEvents, *, seed: int, lag_scale: float) -> None:
        self._ledger = ledger
        self._events = events
        self._seed = seed
        self._block_delay_ms = round(BLOCK_DELAY_MS * lag_scale)

    def redeem(
        self, market: Market, wallets: Collection[str] | None, now_ms: int, *, at_s: int | None = None
    ) -> list[str]:
        """Pays wallets, or all who hold, for both tokens of a resolved market. Returns whom; the others held nothing.

        Raises `ValueError` while the market has no payouts.
        """
        if market.payouts is None:
            raise ValueError("the market is not resolved")
        paid_micro: dict[str, int] = {}
        for position in self._positions(market):
            if position.size_micro and (wallets is None or position.wallet in wallets):
                due = position.size_micro * market.payouts[position.outcome_index] // MICRO
                paid_micro[position.wallet] = paid_micro.get(position.wallet, 0) + due
        for wallet, due in paid_micro.items():
            self._book(wallet, EventKind.REDEEM, market, due, now_ms, at_s)
        return list(paid_micro)

    def merge(
        self, market: Market, wallet: str, size_micro: int | None, now_ms: int, *, at_s: int | None = None
    ) -> int:
        """Turns pairs of a wallet's shares back into money: so many, or all. Returns how many micro-pairs.

        Raises `ValueError` when it holds fewer of either outcome, or none.
        """
        held = [0, 0]
        for position in self._positions(market):
            if position.wallet == wallet:
                held[position.outcome_index] = position.size_micro
        wanted = min(held) if size_micro is None else size_micro
        if not 0 < wanted <= min(held):
            raise ValueError("it holds fewer pairs")
        self._book(wallet, EventKind.MERGE, market, wanted, now_ms, at_s)
        return wanted

    def split(self, market: Market, wallet: str, size_micro: int, now_ms: int, *, at_s: int | None = None) -> None:
        """Turns money into as many shares of both outcomes. Raises `ValueError` for none, and after the verdict."""
        if size_micro <= 0 or market.payouts is not None:
            raise ValueError("nothing can be split")
        self._book(wallet, EventKind.SPLIT, market, size_micro, now_ms, at_s)

    def pay(self, wallet: str, kind: EventKind, usd_micro: int, now_ms: int, *, at_s: int | None = None) -> None:
        """Books a payment that belongs to no market. Raises `ValueError` for a kind that is none."""
        if kind not in PAYMENTS:
            raise ValueError(f"{kind} moves shares")
        self._book(wallet, kind, None, usd_micro, now_ms, at_s)

    def _positions(self, market: Market) -> list[Position]:
        condition_id = market.condition_id
        fills = self._ledger.of_condition(condition_id).oldest_first()
        return positions_of(fills, self._events.of_condition(condition_id).oldest_first())

    def _book(
        self, wallet: str, kind: EventKind, market: Market | None, size_micro: int, now_ms: int, at_s: int | None
    ) -> None:
        sequence = self._ledger.next_sequence()
        self._events.add(
            AccountEvent(
                sequence=sequence,
                block_s=at_s if at_s is not None else (now_ms + self._block_delay_ms) // 1_000,
                published_ms=now_ms,
                transaction_hash="0x" + digest("event", self._seed, sequence).hex(),
                wallet=wallet,
                kind=kind,
                market=market,
                size_micro=size_micro,
                profile=profile_of(wallet, self._seed),
            )
        )
