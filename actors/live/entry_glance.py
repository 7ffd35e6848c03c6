"""A first look at a claim: what no price can change, and whether book and terms are at hand."""

from collections.abc import Iterable
from decimal import Decimal

import attrs
import trio

from actors.live.book_reader import BookReader
from actors.live.breaker import Breaker
from actors.live.live_book import LiveBook
from actors.rules.live.risk import RiskReport, RiskState, early_failure
from protocols.clock import WallClock
from protocols.live.orders import LiveIntent, OrderOrigin
from protocols.live.settings import LiveStrategy


@attrs.frozen(eq=False, kw_only=True)
class EntryGlance:
    """Part of the entry desk, and all of it that others may have: it knows no account and signs nothing."""

    book: LiveBook
    reader: BookReader
    breaker: Breaker
    clock: WallClock

    def is_ready(self, intent: LiveIntent) -> bool:
        """Returns whether a claim can be judged without waiting; has its book and terms fetched if not."""
        if self.age_limit_passed(intent) is not None or self.fails_early(intent) is not None:
            return True
        if (
            self.reader.at_hand(intent.token_id) is not None
            and self.reader.terms_at_hand(intent.condition_id) is not None
        ):
            return True
        self.reader.warm(intent.token_id, intent.condition_id)
        return False

    def warm(self, intents: Iterable[LiveIntent]) -> None:
        """Has book and terms fetched for claims that are about to be committed; never waits.

        Many decisions claim more than the rules let through: only what could be bought now is worth a call.
        """
        for intent in intents:
            self.is_ready(intent)

    def fails_early(self, intent: LiveIntent) -> RiskReport | None:
        """What no price can change is judged before the venue is asked for a book."""
        strategy = self.book.strategies.get(intent.strategy_id)
        if intent.origin is not OrderOrigin.COPY or strategy is None:
            return None
        return early_failure(strategy.settings, self.state(intent, strategy))

    def state(self, intent: LiveIntent, strategy: LiveStrategy) -> RiskState:
        """The state without the order itself (D6)."""
        book, id_, now_ms = self.book, strategy.strategy_id, self.clock.now_ms()
        table = book.registry.table
        balance = book.balances.get(id_)
        return RiskState(
            halted=None if table.halt is None else f"by {table.halt.by}: {table.halt.reason}",
            paused=not strategy.enters,
            breaker=self.breaker.stops(id_, strategy.account, trio.current_time()),
            drift=Decimal(0) if balance is None else balance.drift,
            available=book.available(id_),
            locked=book.locked(id_),
            equity=Decimal(0) if balance is None else balance.equity,
            peak_equity=Decimal(0) if balance is None else balance.peak_equity,
            day=book.day(id_, now_ms),
            pending=book.pending(id_),
            account_spendable=book.spendable(strategy.account),
            market_exposure=book.exposure(id_, condition_id=intent.condition_id),
            event_exposure=book.exposure(id_, event_slug=intent.event_slug),
            entries_last_minute=book.entries_last_minute(id_, now_ms),
        )

    def age_limit_passed(self, intent: LiveIntent) -> str | None:
        """Returns how old an entry is that nobody would make any more, so that nothing is asked for it; else None."""
        strategy = self.book.strategies.get(intent.strategy_id)
        if intent.origin is not OrderOrigin.COPY or strategy is None:
            return None
        age_s, limit_s = (self.clock.now_ms() - intent.signal_ms) / 1000, strategy.settings.max_signal_age_s
        return f"{age_s:.3f}; allowed: {limit_s}" if age_s > limit_s else None
