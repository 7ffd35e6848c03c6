"""Keeps the last good table of live strategies."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

import attrs
import trio

from actors.following import keep_current
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from config.schema import FilterConfig
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.live.orders import MANUAL
from protocols.live.settings import LiveSettings, LiveStrategy, LiveTable, LiveTableStore

_log = logging.getLogger(__name__)
_BY_HAND = LiveSettings()
_NOTHING = LiveTable(version=-1, strategies=())


@attrs.define(eq=False, kw_only=True)
class LiveRegistry:
    """lt_strategies, lt_control → a table by id and by paper strategy. A failure keeps the last good one."""

    store: LiveTableStore
    config: FilterConfig
    rng: Random
    accounts: Collection[str] | None = None
    """Whose strategies are followed here; None: all."""
    read: Callable[[LiveTable], None] = lambda _table: None
    """Told another table as soon as it is there; never waits."""
    failures: int = attrs.field(init=False, default=0)
    changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set, and replaced by a new one, when there is another table."""
    table: LiveTable = attrs.field(init=False, default=_NOTHING)
    strategies: Mapping[str, LiveStrategy] = attrs.field(init=False, factory=dict)
    """Those of `accounts` by strategy_id, archived ones too."""
    _by_wallet: Mapping[str, Sequence[LiveStrategy]] = attrs.field(init=False, factory=dict)
    _mirrored: Mapping[str, str] = attrs.field(init=False, factory=dict)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def mirrors(self, ft_wallet_id: str) -> Sequence[LiveStrategy]:
        """Returns the live strategies that mirror a paper strategy, of whatever account; never waits."""
        return self._by_wallet.get(ft_wallet_id, ())

    def mirrored(self, strategy_id: str) -> str | None:
        """Returns the paper strategy that a live one mirrors, of whatever account; never waits."""
        return self._mirrored.get(strategy_id)

    def exit_settings(self, strategy_id: str) -> LiveSettings | None:
        """Returns how something is sold; orders by hand have the defaults. None for a strategy that is not known."""
        if strategy_id.startswith(f"{MANUAL}:"):
            return _BY_HAND
        strategy = self.strategies.get(strategy_id)
        return None if strategy is None else strategy.settings

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads the table, says that it started, and follows its version until cancelled."""
        await keep_current(
            self._refresh_if_changed,
            pause=self._pause,
            backoff=Backoff(first_s=self.config.targets_poll_s / 2, max_s=30.0, rng=self.rng),
            failed=self._failed,
            task_status=task_status,
        )

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows("refresh", trio.current_time()) is not None:
            _log.warning("live strategies not refreshed, the last good ones stay", extra={"error": str(error)})

    async def _pause(self) -> None:
        await trio.sleep(self.config.targets_poll_s)

    async def _refresh_if_changed(self) -> None:
        if await self.store.version() == self.table.version:
            return
        table = await self.store.table()
        by_wallet: dict[str, list[LiveStrategy]] = {}
        for strategy in table.strategies:
            by_wallet.setdefault(strategy.ft_wallet_id, []).append(strategy)
        self.table, self._by_wallet = table, by_wallet
        self._mirrored = {strategy.strategy_id: strategy.ft_wallet_id for strategy in table.strategies}
        self.strategies = {
            strategy.strategy_id: strategy
            for strategy in table.strategies
            if self.accounts is None or strategy.account in self.accounts
        }
        self.read(table)
        self.changed.set()
        self.changed = trio.Event()
        halted = None if table.halt is None else table.halt.by
        fields = {"version": table.version, "live_strategies": len(table.strategies), "halted_by": halted}
        _log.info("live strategies read", extra=fields)
