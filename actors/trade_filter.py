"""Identifies trades, drops what was seen before, and gives each its lane."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import attrs
import trio

from actors.rules.admission import IGNORED, Admission, Memory, admit
from actors.rules.log_limit import LogLimit
from actors.rules.recent_set import RecentSet
from config.schema import FilterConfig
from protocols.channels import Inbox, Outbox
from protocols.ingest import TargetView
from protocols.trades import Lane, LanedTrade, RawTrade

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class TradeFilter:
    """raw trades → lanes: lane 0 to those who decide about it, the others to the writer.

    One set look-up per trade of a wallet that nobody named; such trades are counted and forgotten.
    """

    trades: Inbox[RawTrade]
    copied: Outbox[LanedTrade]
    """Lane 0: trades of copy targets."""
    kept: Outbox[LanedTrade]
    """Lanes 1 and 2."""
    markets: Outbox[str]
    targets: TargetView
    config: FilterConfig
    own: Mapping[str, Callable[[Collection[str]], None]] = attrs.field(factory=dict)
    """By wallet of an account that live orders are sent with: who wants to hear that the feed shows a trade of it."""
    seen_by_lane: Counter[str] = attrs.field(init=False, factory=Counter)
    """Trades by lane ("0", "1", "2", "none"), repeats not counted."""
    repeated: int = attrs.field(init=False, default=0)
    malformed: Counter[str] = attrs.field(init=False, factory=Counter)
    _memory: Memory = attrs.field(init=False)
    _markets_asked: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(2_000))
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._memory = Memory(RecentSet(self.config.recent_max))

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Filters until the stream of raw trades ends."""
        task_status.started()
        while batch := await self.trades.batch(self.config.batch_max):
            targets = self.targets.current()
            self._tell_owners(batch)
            self._memory.begin()
            admission = admit(batch, targets.lanes, self._memory, everyone=targets.everyone)
            await self._pass_on([*admission.kept, *admission.again])
            self._ask_for_markets(admission)
            # From here on the batch counts: a crash before this line decides it again from the same memory. Nothing below
            # may fail, or the batch would be counted twice and its trades get the ordinals of fills that never were.
            self._memory.commit(admission)
            self._count(admission)

    async def _pass_on(self, kept: Sequence[LanedTrade]) -> None:
        """Targets first: who has to wait for room in the writer must not keep them waiting, too."""
        if targets := [laned for laned in kept if laned.lane is Lane.TARGET]:
            await self.copied.send_many(targets)
        if len(targets) < len(kept):
            await self.kept.send_many(laned for laned in kept if laned.lane is not Lane.TARGET)

    def forget(self, trade_ids: Sequence[str]) -> None:
        """Lets trades come again that were passed on and could not be kept."""
        self._memory.forget(trade_ids)

    def _tell_owners(self, batch: Sequence[RawTrade]) -> None:
        """What the feed shows of our own accounts, the venue has matched: it is asked, should its socket have been silent."""
        if self.own:
            shown = dict[str, set[str]]()
            for raw in batch:
                if (wallet := raw.row.proxy_wallet.lower()) in self.own:
                    shown.setdefault(wallet, set()).add(raw.row.transaction_hash.lower())
            for wallet, transaction_hashes in shown.items():
                self.own[wallet](transaction_hashes)

    def _count(self, admission: Admission) -> None:
        self.seen_by_lane[IGNORED] += admission.ignored
        for laned in admission.kept:
            self.seen_by_lane[str(laned.lane.value)] += 1
        self.repeated += admission.repeated
        for reason, count in admission.malformed.items():
            self.malformed[reason] += count
            held = self._log_limit.allows(reason, trio.current_time())
            if held is not None:
                _log.warning("trade not understood", extra={"reason": reason, "more_since_last": held + count - 1})

    def _ask_for_markets(self, admission: Admission) -> None:
        for laned in admission.kept:
            condition_id = laned.trade.condition_id
            if condition_id not in self._markets_asked and self.markets.send_nowait(condition_id):
                self._markets_asked.add(condition_id)
