"""What who decides knows of live strategies that another process trades."""

import logging
from collections.abc import Collection, Iterable, Sequence

import attrs
import trio

from actors.live.live_registry import LiveRegistry
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.live.elsewhere import HeldCopy, HeldCopyStore
from protocols.live.holdings import LiveCopy
from protocols.live.orders import LiveIntent
from protocols.receipts import Receipt

_log = logging.getLogger(__name__)
READ_S = 2.0


@attrs.define(eq=False, kw_only=True)
class MirrorView:
    """lt_strategies, lt_orders → who mirrors whom, and what is held of whom: `LiveHoldings`.

    A claim counts as held from its commit on, until a reading that began after it has been made: a sale of the copied trader
    that comes a moment later is not missed.
    """

    registry: LiveRegistry
    store: HeldCopyStore
    rng: Random
    failures: int = attrs.field(init=False, default=0)
    _read: dict[tuple[str, str], set[str]] = attrs.field(init=False, factory=dict)
    """Paper strategies by trader and token."""
    _held: frozenset[HeldCopy] = attrs.field(init=False, factory=frozenset)
    _claimed: list[tuple[float, HeldCopy]] = attrs.field(init=False, factory=list)
    _loaded: trio.Event = attrs.field(init=False, factory=trio.Event)
    _rung: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def wait_loaded(self) -> None:
        """Returns when positions have been read."""
        await self._loaded.wait()

    def holders(self, trader: str, token_id: str) -> Collection[str]:
        """Returns wallet_ids of paper strategies whose mirrors hold or buy what a trader was copied in."""
        fresh = {one.ft_wallet_id for _, one in self._claimed if (one.trader, one.token_id) == (trader, token_id)}
        return fresh | self._read.get((trader, token_id), set())

    def copies(self) -> Iterable[LiveCopy]:
        """Returns what live mirrors hold, or are buying, because of a trader."""
        fresh = {one for _, one in self._claimed}
        return [LiveCopy(one.ft_wallet_id, one.trader, one.condition_id, one.token_id) for one in fresh | self._held]

    def pairs(self) -> Iterable[tuple[str, str, str]]:
        """Returns (trader, condition_id, token_id) of everything held or being bought."""
        return {(one.trader, one.condition_id, one.token_id) for one in self.copies()}

    def committed(self, receipts: Sequence[Receipt]) -> None:
        """Takes what commit 1 claimed, and has those told who trade it; never waits."""
        now_s = trio.current_time()
        claims = [claim for receipt in receipts for claim in receipt.claims]
        self._claimed += [(now_s, copy) for claim in claims if (copy := self._copy_of(claim)) is not None]
        if claims or any(receipt.exits or not receipt.applied for receipt in receipts):
            self._rung.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keeps what is held, and rings, until cancelled."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._ring_forever)
            await self._read_forever()

    async def _read_forever(self) -> None:
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            began_s = trio.current_time()
            try:
                held = await self.store.held()
            except TransientError as error:
                self._failed("live positions not read, the last ones stay", error)
                await trio.sleep(backoff.next_s())
                continue
            backoff.reset()
            self._take(held, began_s)
            await trio.sleep(READ_S)

    def _take(self, held: Sequence[HeldCopy], began_s: float) -> None:
        self._claimed = [(at_s, one) for at_s, one in self._claimed if at_s >= began_s]
        self._read, self._held = {}, frozenset(held)
        for one in held:
            self._read.setdefault((one.trader, one.token_id), set()).add(one.ft_wallet_id)
        self._loaded.set()

    async def _ring_forever(self) -> None:
        while True:
            await self._rung.wait()
            self._rung = trio.Event()
            try:
                await self.store.ring()
            except TransientError as error:
                # Who trades also looks by himself.
                self._failed("traders of accounts not told of claims", error)

    def _copy_of(self, claim: LiveIntent) -> HeldCopy | None:
        wallet_id = self.registry.mirrored(claim.strategy_id)
        if claim.trader is None or wallet_id is None:
            return None
        return HeldCopy(claim.trader, claim.condition_id, claim.token_id, wallet_id)

    def _failed(self, message: str, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows(message, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error)})
