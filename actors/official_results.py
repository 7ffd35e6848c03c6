"""Reads what the venue says that our own accounts realised, once a token (domain.md §7.6, D79)."""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from actors.account_reading import AccountReading, UnreadError
from actors.rules.wallet_results import FUTURE_MAX_MS, read_from_ms
from protocols.clock import WallClock
from protocols.jobs import JobLease
from protocols.trader_accounts import ClosedPosition, HeldPosition
from protocols.wallet_results import DueAccount, OfficialResult, OfficialResultStore

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class OfficialResults:
    """Accounts with a trade, a fill or a resolution since they were read → official results of their tokens.

    Every row is true by itself and replaces what was said of its token, so rows are written page by page. An account that
    cannot be read to its end keeps its mark, and is read again in the next run.
    """

    store: OfficialResultStore
    reading: AccountReading
    clock: WallClock

    async def sync(self, lease: JobLease, wallets: Mapping[str, str]) -> dict[str, int]:
        """Reads the accounts with news and returns figures. Raises `TransientError` with the database, and `FencedError`."""
        figures = {"accounts": len(wallets), "accounts_read": 0, "accounts_failed": 0, "official": 0}
        for account, wallet in sorted(wallets.items()):
            due = await self.store.due(account, wallet)
            if due is None:
                continue
            try:
                official = await self._read(lease, account, wallet, due)
                figures["official"] += official
                figures["accounts_read"] += 1
            except UnreadError as error:
                _log.warning("official results of an account not read", extra={"account": account, "error": str(error)})
                figures["accounts_failed"] += 1
                await self.store.fail(lease, account, wallet, str(error))
        return figures

    async def _read(self, lease: JobLease, account: str, wallet: str, due: DueAccount) -> int:
        read_ms, newest_ms, changed = self.clock.now_ms(), due.newest_close_ms, 0
        held_ms: dict[str, int] = {}

        async def take_held(rows: Sequence[HeldPosition]) -> None:
            nonlocal changed
            held_ms.update((row.token_id, row.last_event_ms) for row in rows if row.last_event_ms is not None)
            changed += await self.store.write(lease, wallet, [_of_held(row) for row in rows])

        async def take_closed(rows: Sequence[ClosedPosition]) -> None:
            nonlocal changed, newest_ms
            # What was bought again after its last close is still listed with it.
            ended = [row for row in rows if held_ms.get(row.token_id, 0) <= row.closed_ms]
            changed += await self.store.write(lease, wallet, [_of_closed(row) for row in ended])
            closes = [row.closed_ms for row in rows if row.closed_ms <= read_ms + FUTURE_MAX_MS]
            newest_ms = max([*closes, newest_ms or 0]) or None

        await self.reading.held(wallet, take_held)
        await self.reading.closed(wallet, read_from_ms(due.newest_close_ms, read_ms), take_closed)
        await self.store.done(lease, account, wallet, seen_at=due.seen_at, newest_close_ms=newest_ms)
        return changed


def _of_held(row: HeldPosition) -> OfficialResult:
    return OfficialResult(
        token_id=row.token_id,
        condition_id=row.condition_id,
        realized_usd=row.realized_usd or Decimal(0),
        average_price=row.average_price,
        bought_micro=None,
        is_held=True,
    )


def _of_closed(row: ClosedPosition) -> OfficialResult:
    return OfficialResult(
        token_id=row.token_id,
        condition_id=row.condition_id,
        realized_usd=row.realized_usd,
        average_price=row.average_price,
        bought_micro=row.bought_micro,
        is_held=False,
    )
