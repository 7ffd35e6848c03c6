"""Orders that people place by hand: the same claims, journal, executor and watchers as those that copy."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import attrs
import trio

from actors.live.entry_desk import EntryDesk
from actors.live.live_book import LiveBook
from actors.rules.live.signals import order_id_of
from protocols.clock import WallClock
from protocols.errors import RejectedError, TransientError
from protocols.live.operating import ManualOrder, ManualStore, OrderView
from protocols.live.orders import MANUAL, LiveIntent, LiveOrder, OrderOrigin, OrderStatus, SignedOrder
from protocols.live.ports import ClobAccount, Declined

WAIT_S = 5.0
"""How long placing waits for the fate of its order; then it is said to be unknown."""
LOOK_S = 0.05


@attrs.define(eq=False, kw_only=True)
class ManualDesk:
    """`ManualOrders` of a running engine. Fails closed: what cannot be claimed is not placed."""

    store: ManualStore
    book: LiveBook
    desk: EntryDesk
    """One of its own: the executor's is in use."""
    accounts: Mapping[str, ClobAccount]
    clock: WallClock
    offer: Callable[[Iterable[LiveIntent]], None]
    doubt: Callable[[str], None]
    """Told an order that has to be asked about; never waits."""

    async def place(self, order: ManualOrder, user_id: str) -> OrderView:
        """Places an order once for its key, and waits a little for its fate.

        Raises `IntentConflictError`, `RejectedError` for what will never do, `TransientError`.
        """
        intent = self._intent(order, f"{user_id}:{order.intent_id}")
        order_id, is_new = await self.store.claim_keyed(
            user_id, order.intent_id, _hash_of(order), intent, auto_close_pct=order.auto_close_pct
        )
        if not is_new:
            # Perhaps it was claimed with nobody told; who has it already does not take it twice.
            claimed = await self.store.find(order_id)
            is_new = claimed is not None and claimed.signed is None and not claimed.ended
        if is_new:
            self.offer([intent])
        found = await self._fate(order_id)
        return _view(found)

    async def dry_run(self, order: ManualOrder) -> OrderView:
        """Prices, rounds and signs an order, and sends nothing. Raises `RejectedError` with the reason, `TransientError`."""
        intent = self._intent(order, f"dry:{order.intent_id}")
        await self.desk.fetch(intent)
        result = self.desk.prepare(intent)
        # What it would lock is not held: nobody will journal it.
        self.book.declined([intent.order_id])
        if isinstance(result, SignedOrder):
            return _view(LiveOrder(intent=intent, signed=result))
        if isinstance(result, Declined):
            raise RejectedError(f"{result.reason}: {result.detail}")
        raise TransientError("there is no order book to price by just now")

    async def get(self, order_id: str) -> tuple[str, OrderView] | None:
        """Returns the account of an order and how it stands; None when there is none of that id."""
        found = await self.store.find(order_id)
        if found is None:
            return None
        return self.book.account_of(found.strategy_id) or "", _view(found)

    async def cancel(self, order_ids: Sequence[str]) -> Mapping[str, str]:
        """Cancels orders; returns by id why one was not. Whether a cancelled one was filled before is asked (D27)."""
        refused: dict[str, str] = {}
        by_account: dict[str, dict[str, str]] = {}
        for order_id in order_ids:
            found = await self.store.find(order_id)
            if found is None or found.signed is None or found.ended:
                refused[order_id] = "it is not working"
                continue
            by_account.setdefault(found.signed.account, {})[found.signed.order_hash] = order_id
        for account, hashes in by_account.items():
            answer = await self.accounts[account].cancel(list(hashes))
            for order_hash, order_id in hashes.items():
                if order_hash not in answer.canceled:
                    refused[order_id] = answer.not_canceled.get(order_hash, "the venue does not say why")
                self.doubt(order_hash)
        return refused

    async def working(self, account: str) -> Sequence[OrderView]:
        """Returns orders by hand of an account that have not ended."""
        mine = f"{MANUAL}:{account}"
        claims = [LiveOrder(intent=one) for one in self.book.claims() if one.strategy_id == mine]
        return [_view(one) for one in [*claims, *self.book.working_orders(account)] if one.strategy_id == mine]

    def spendable(self, account: str) -> Decimal | None:
        """Returns what an account can still pay for new buys, USD; None while the venue has not said."""
        return self.book.spendable(account)

    async def _fate(self, order_id: str) -> LiveOrder:
        found: LiveOrder | None = None
        with trio.move_on_after(WAIT_S):
            while True:
                found = await self.store.find(order_id)
                if found is not None and found.status is not OrderStatus.PLACED:
                    return found
                await trio.sleep(LOOK_S)
        if found is None:
            raise TransientError("the order was claimed and is not found")
        return found

    def _intent(self, order: ManualOrder, cause: str) -> LiveIntent:
        if order.account not in self.accounts:
            raise RejectedError(f"the engine has no account {order.account}")
        strategy_id, now_ms = f"{MANUAL}:{order.account}", self.clock.now_ms()
        return LiveIntent(
            order_id=order_id_of(strategy_id, cause, 1),
            strategy_id=strategy_id,
            cause=cause,
            origin=OrderOrigin.MANUAL,
            part=MANUAL,
            side=order.side,
            condition_id=order.condition_id,
            token_id=order.token_id,
            outcome=order.outcome,
            trader=order.trader,
            signal_price=order.limit_price,
            signal_ms=now_ms,
            decided_ms=now_ms,
            wanted_shares=order.shares,
            wanted_usd=order.usd,
            order_type=order.order_type,
            limit_price=order.limit_price,
            expires_ms=None if order.expires_in_s is None else now_ms + order.expires_in_s * 1000,
        )


def _hash_of(order: ManualOrder) -> str:
    """What makes two requests the same: everything but the time at which they came."""
    parts = [
        order.account, order.side, order.condition_id, order.token_id, _plain(order.limit_price), order.order_type,
        _plain(order.shares), _plain(order.usd), order.trader or "",
    ]  # fmt: skip
    if order.expires_in_s is not None:
        parts.append(str(order.expires_in_s))
    if order.auto_close_pct is not None:
        parts.append(f"auto-close {_plain(order.auto_close_pct)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _plain(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize(), "f")


def _view(order: LiveOrder) -> OrderView:
    signed = order.signed
    return OrderView(
        order_id=order.order_id,
        status=order.status.value,
        ended=order.ended,
        is_known=order.status is not OrderStatus.PLACED,
        order_hash=None if signed is None else signed.order_hash,
        limit_price=order.intent.limit_price if signed is None else signed.limit_price,
        size_shares=order.intent.wanted_shares if signed is None else signed.size_shares,
        lock_usd=None if signed is None else signed.lock_usd,
        filled_shares=order.filled_shares,
        filled_usd=order.filled_usd,
        reason=order.reason,
        detail=order.detail,
    )
