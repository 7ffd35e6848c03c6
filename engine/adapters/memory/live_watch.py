"""What those who follow live orders read beside them, in memory: with the rules of the database, for simulation and tests."""

from collections.abc import Collection, Sequence
from decimal import Decimal

import attrs

from engine.adapters.memory.live_state import LiveState
from protocols.errors import RejectedError
from protocols.live.exits import ExitStatus, LiveExit
from protocols.live.operating import IntentConflictError
from protocols.live.orders import LiveIntent, LiveOrder
from protocols.live.ports import LogLine
from protocols.live.settings import Halt, LiveStrategy, LiveTable
from protocols.live.watching import AwaitedRedemption, ReconciliationReport, UnsettledFill

LINES_KEPT = 10_000
_FINAL = ("CONFIRMED", "FAILED")


@attrs.define(eq=False)
class MemoryLiveWatch:
    """`ReconciliationStore`, `RedemptionStore` and `ExitRows` over the tables of live trading."""

    state: LiveState
    accounts: Collection[str] | None = None
    """Whose obligations and proceeds are told. None: of everybody."""
    reports: dict[str, ReconciliationReport] = attrs.field(factory=dict)
    """By account, the last one."""

    async def last_ms(self, account: str) -> int | None:
        """Returns when an account was last compared, or None."""
        report = self.reports.get(account)
        return None if report is None else report.at_ms

    async def unsettled(self, account: str, fills_max: int) -> list[UnsettledFill]:
        """Returns booked fills that are not final, oldest first."""
        found = []
        for order_hash, fills in self.state.fills.items():
            kept = self.state.orders[self.state.by_hash[order_hash]]
            found += [
                UnsettledFill(
                    trade_id=fill.trade_id,
                    order_hash=order_hash,
                    token_id=kept.order.intent.token_id,
                    match_ms=fill.match_ms,
                )
                for fill in fills.values()
                if fill.status not in _FINAL and kept.account == account
            ]
        return sorted(found, key=lambda one: (one.match_ms, one.order_hash, one.trade_id))[:fills_max]

    async def ours(self, order_hashes: Sequence[str]) -> frozenset[str]:
        """Returns those of the hashes that are orders of ours, ended ones too."""
        return frozenset(one for one in order_hashes if one in self.state.by_hash)

    async def save(self, account: str, report: ReconciliationReport) -> None:
        """Keeps a report in the place of the one before."""
        self.reports[account] = report

    async def awaited(self, tokens_max: int, after: str) -> list[AwaitedRedemption]:
        """Returns all that waits of the next tokens after one, in the order of their ids."""
        waiting = {
            (one.entry.token_id, one.entry.strategy_id, one.entry.condition_id)
            for one in self.state.cooldowns.values()
            if not one.is_released
            and one.entry.available_ms is None
            and one.entry.condition_id is not None
            and self.state.is_of(one.entry.strategy_id, self.accounts)
        }
        rows = sorted((token, owner, market) for token, owner, market in waiting if token and market and token > after)
        tokens = list(dict.fromkeys(token for token, _, _ in rows))[:tokens_max]
        return [
            AwaitedRedemption(strategy_id=owner, condition_id=market, token_id=token)
            for token, owner, market in rows
            if token in tokens
        ]

    async def open_rows(self) -> list[LiveExit]:
        """Returns all obligations that are open, whoever made them."""
        rows = [
            one
            for one in self.state.exits.values()
            if one.status is ExitStatus.OPEN and self.state.is_of(one.strategy_id, self.accounts)
        ]
        return sorted(rows, key=lambda one: (one.created_ms, one.exit_id))


@attrs.define(eq=False)
class MemoryLiveTable:
    """`LiveTableStore`: strategies as their owners set them, the halt, and the breakers as they are latched."""

    state: LiveState
    strategies: dict[str, LiveStrategy] = attrs.field(init=False, factory=dict)
    halt: Halt | None = attrs.field(init=False, default=None)
    _version: int = attrs.field(init=False, default=0)
    _last: object = attrs.field(init=False, default=None)

    async def version(self) -> int:
        """Returns a number that changes whenever something of the table has changed."""
        now = (tuple(self.strategies.values()), self.halt, self._breakers())
        if now != self._last:
            self._last = now
            self._version += 1
        return self._version

    async def table(self) -> LiveTable:
        """Returns everything as of one moment."""
        version = await self.version()
        strategies = [self.strategies[strategy_id] for strategy_id in sorted(self.strategies)]
        return LiveTable(version=version, strategies=strategies, halt=self.halt, breakers=self._breakers())

    def put(self, strategy: LiveStrategy) -> None:
        """Makes or changes a strategy, here and where orders look at it."""
        self.strategies[strategy.strategy_id] = strategy
        kept, settings = self.state.strategies[strategy.strategy_id], strategy.settings
        kept.is_active, kept.copy_sells = strategy.is_active, settings.copy_sells
        kept.cooldown_hours, kept.exit_deadline_s = settings.cooldown_hours, settings.exit_deadline_s

    def _breakers(self) -> dict[str, str]:
        return {id_: one.breaker for id_, one in sorted(self.state.strategies.items()) if one.breaker is not None}


@attrs.define(eq=False)
class MemoryManualStore:
    """`ManualStore`: keys of orders by hand, each for one request."""

    state: LiveState
    _keys: dict[tuple[str, str], tuple[str, str]] = attrs.field(init=False, factory=dict)

    async def claim_keyed(
        self, user_id: str, key: str, request_hash: str, intent: LiveIntent, *, auto_close_pct: Decimal | None = None
    ) -> tuple[str, bool]:
        """Takes the key and claims the order. Raises `IntentConflictError` when the key belongs to another request."""
        known = self._keys.get((user_id, key))
        if known is None:
            self._keys[user_id, key] = (request_hash, intent.order_id)
            self.state.claim(intent)
            return intent.order_id, True
        if known[0] != request_hash:
            raise IntentConflictError(f"the key {key} was used for another order")
        return known[1], False

    async def find(self, order_id: str) -> LiveOrder | None:
        """Returns an order by its id."""
        kept = self.state.orders.get(order_id)
        return None if kept is None else kept.order


@attrs.define(eq=False)
class MemoryLiveLogs:
    """`LogStore`: the last ten thousand lines."""

    lines: list[LogLine] = attrs.field(init=False, factory=list)

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keeps lines. Raises `RejectedError` for one that no text column holds."""
        if any("\0" in line.message for line in lines):
            raise RejectedError("a text holds a NUL")
        self.lines = [*self.lines, *lines][-LINES_KEPT:]
