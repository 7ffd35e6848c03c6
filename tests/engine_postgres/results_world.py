"""The jobs of wallet results over a real database and a venue that fails on command."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import trio
from reference.reference_results import Day, ReferenceResults, Token, Venue

from actors.jobs.wallet_pnl import BackfillWalletPnl
from config.discovery import DiscoveryConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.official_result_store import PostgresOfficialResultStore
from engine.adapters.postgres.wallet_result_store import PostgresWalletResultStore
from protocols.errors import RejectedError, TransientError
from protocols.jobs import JobLease, RunningJob
from protocols.trader_accounts import ClosedPage, ClosedPosition, HeldPage, HeldPosition, TokenText

CLEAR = """
TRUNCATE traders, follows, wallet_pnl_state, wallet_closed_positions, wallet_results_staged, wallet_realized_pnl_daily,
    wallet_realized_pnl_rankings, wallet_rankings_state, official_position_results, official_sync_state, engine_leases,
    job_runs, job_requests
"""
DAYS = "SELECT * FROM wallet_realized_pnl_daily ORDER BY wallet_address, date"
RANKINGS = "SELECT * FROM wallet_realized_pnl_rankings ORDER BY window_key, rank"
POSITIONS = "SELECT * FROM wallet_closed_positions ORDER BY wallet_address, token_id"
STATE = "SELECT * FROM wallet_pnl_state WHERE wallet_address = $1"
ADD_TRADER = "INSERT INTO traders (wallet_address) VALUES ($1) ON CONFLICT DO NOTHING"
NO_RETRY: Sequence[float] = ()


class Stopped(Exception):
    """The engine died."""


def wallet_of(number: int) -> str:
    return f"0x{number:040x}"


@attrs.define(eq=False, kw_only=True)
class ScriptedAccounts:
    """`TraderAccounts` of a venue that is known, in small pages; calls with a fault fail."""

    venue: Venue
    page_rows: int = 2
    faults: dict[int, str] = attrs.field(factory=dict)
    """By number of the call: weather, refused, malformed, or circle."""
    bad_wallets: dict[str, str] = attrs.field(factory=dict)
    hanging: Collection[str] = ()
    """Wallets that are never answered for."""
    calls: list[tuple[str, str, int | None]] = attrs.field(factory=list)
    """(list, wallet, since in ms)"""
    lists_reopened: bool = False
    """Whether what is held again is still listed with its last close."""
    says_events: bool = True
    """Whether it says of what is held when something happened to it last; version 1 does not."""
    shift: int = 0
    """How many rows of the page before come again: the list grew at its front."""

    async def held_page(
        self, wallet: str, *, condition_ids: tuple[str, ...] = (), cursor: str | None = None
    ) -> HeldPage:
        self.calls.append(("held", wallet, None))
        rows = [_held(wallet, token) for token in self._tokens(wallet) if token.held]
        if not self.says_events:
            rows = [attrs.evolve(row, last_event_ms=None) for row in rows]
        return HeldPage(**self._page(wallet, rows, cursor))

    async def closed_page(self, wallet: str, *, since_ms: int | None = None, cursor: str | None = None) -> ClosedPage:
        self.calls.append(("closed", wallet, since_ms))
        if wallet in self.hanging:
            await trio.sleep_forever()
        tokens = [token for token in self._tokens(wallet) if token.closed_s is not None]
        tokens = [token for token in tokens if self.lists_reopened or not token.held]
        closed = [token for token in tokens if token.listed_s <= self.venue.now_s]
        rows = [_closed(wallet, token) for token in sorted(closed, key=lambda one: -(one.closed_s or 0))]
        rows = [row for row in rows if since_ms is None or row.closed_ms >= since_ms]
        return ClosedPage(**self._page(wallet, rows, cursor))

    async def leaderboard_page(self, board: Any, period: Any, *, cursor: str | None = None) -> Any:
        raise NotImplementedError

    async def activity_page(self, wallet: str, **_: Any) -> Any:
        raise NotImplementedError

    def _tokens(self, wallet: str) -> list[Token]:
        return list(self.venue.wallets.get(wallet, {}).values())

    def _page(self, wallet: str, rows: list[Any], cursor: str | None) -> dict[str, Any]:
        fault = self.faults.get(len(self.calls) - 1) or self.bad_wallets.get(wallet)
        if fault == "weather":
            raise TransientError("upstream is down")
        if fault == "refused":
            raise RejectedError("answered 400")
        start = int(cursor or 0)
        shown = rows[max(0, start - self.shift) : start + self.page_rows]
        onward = str(start + self.page_rows) if start + self.page_rows < len(rows) else None
        return {
            "rows": tuple(shown),
            "malformed": Counter(price=1) if fault == "malformed" else Counter(),
            "rows_sent": len(shown),
            "next_cursor": (cursor or "0") if fault == "circle" else onward,
        }


@attrs.define(eq=False)
class DyingStore:
    """The real store; the engine dies before a chosen call, or after it was done. Tells the reference what went through."""

    store: Any
    reference: ReferenceResults
    dies_at: Collection[int] = ()
    dies_after: bool = False
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            dies = self.calls in self.dies_at
            if dies and not self.dies_after:
                raise Stopped
            result = await method(*args, **kwargs)
            if name == "commit":
                self.reference.observe(args[1])
            if dies:
                raise Stopped
            return result

        return call


@attrs.define(eq=False)
class ResultsWorld:
    connection: Connection
    venue: Venue = attrs.field(factory=Venue)
    config: DiscoveryConfig = attrs.field(factory=lambda: DiscoveryConfig(wallets_at_once=2))
    own_wallets: dict[str, str] = attrs.field(factory=dict)
    reference: ReferenceResults = attrs.field(init=False)
    accounts: ScriptedAccounts = attrs.field(init=False)
    leases: int = 0

    def __attrs_post_init__(self) -> None:
        self.reference = ReferenceResults(self.venue)
        self.accounts = ScriptedAccounts(venue=self.venue)

    def now_ms(self) -> int:
        return self.venue.now_s * 1000

    async def fetch(self, statement: str, *arguments: Any) -> Any:
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def begin(self, wallets: int) -> None:
        await self.fetch(CLEAR)
        for number in range(wallets):
            await self.fetch(ADD_TRADER, wallet_of(number))

    async def lease(self, job: str = "backfill-wallet-pnl", slot_ms: int | None = None) -> JobLease:
        self.leases += 1
        await self.fetch("UPDATE engine_leases SET expires_at = now() - interval '1 s'")
        await self.fetch("UPDATE job_runs SET status = 'abandoned', ended_at = now() WHERE status = 'running'")
        store = PostgresJobStore(self.connection)
        if slot_ms is None:
            await store.request(job, "test")
        claimed = await store.claim(job, slot_ms=slot_ms, owner=f"me {self.leases}", holder="test", ttl_s=600)
        assert isinstance(claimed, JobLease), claimed
        return claimed

    def job(self, *, dies_at: Collection[int] = (), dies_after: bool = False, pauses_s=NO_RETRY) -> BackfillWalletPnl:
        real = PostgresWalletResultStore(self.connection)
        store: Any = DyingStore(real, self.reference, dies_at, dies_after)
        return BackfillWalletPnl(
            store=store,
            official=PostgresOfficialResultStore(self.connection, under_way_s=0),
            accounts=self.accounts,
            own_wallets=lambda: self.own_wallets,
            config=self.config,
            clock=self,
            pauses_s=pauses_s,
        )

    async def run(self, job: BackfillWalletPnl | None = None, *, slot_ms: int | None = None) -> dict[str, Any]:
        """Runs it to its end, or until it dies; returns its figures. A second passes before."""
        self.venue.now_s += 1
        running = RunningJob(lease=await self.lease(slot_ms=slot_ms))
        try:
            await (job or self.job()).run(running)
        except* Stopped:
            pass
        return running.figures

    async def positions(self) -> dict[str, dict[str, tuple[date, Decimal, bool]]]:
        """As the reference has them."""
        found: dict[str, dict[str, tuple[date, Decimal, bool]]] = {}
        for row in await self.fetch(POSITIONS):
            day = row["closed_at"].date()
            token = (day, row["realized_pnl"], row["is_unredeemed_loss"])
            found.setdefault(row["wallet_address"], {})[row["token_id"]] = token
        return found

    async def days(self) -> dict[str, dict[date, Day]]:
        found: dict[str, dict[date, Day]] = {}
        for row in await self.fetch(DAYS):
            values = (row["realized_pnl"], row["pnl_to_date"], row["closed_positions"], row["won_positions"])
            found.setdefault(row["wallet_address"], {})[row["date"]] = values
        return found

    async def rankings(self) -> dict[str, list[tuple[str, Decimal]]]:
        found: dict[str, list[tuple[str, Decimal]]] = {}
        for row in await self.fetch(RANKINGS):
            ranked = found.setdefault(row["window_key"], [])
            ranked.append((row["wallet_address"], row["pnl_sum"]))
            assert row["rank"] == len(ranked)
        return found

    async def everything(self) -> list[tuple[Any, ...]]:
        """All that readers see of results."""
        return [tuple(row) for statement in (POSITIONS, DAYS, RANKINGS) for row in await self.fetch(statement)]


def _held(wallet: str, token: Token) -> HeldPosition:
    price = Decimal("0.5") if token.payout is None else token.payout
    return HeldPosition(
        wallet=wallet,
        token_id=token.name,
        condition_id=token.market,
        shares_micro=int(token.held * 10**6),
        average_price=token.cost / token.held,
        cost_usd=token.cost,
        value_usd=token.held * price,
        price=price,
        realized_usd=token.realized,
        redeemable=token.payout is not None,
        mergeable=False,
        negative_risk=False,
        last_event_ms=token.event_s * 1000,
        text=TokenText(outcome="Yes", title=f"market {token.market}", end_date=token.end_day),
        raw="{}",
    )


def _closed(wallet: str, token: Token) -> ClosedPosition:
    assert token.closed_s is not None
    return ClosedPosition(
        wallet=wallet,
        token_id=token.name,
        condition_id=token.market,
        bought_micro=int(token.bought * 10**6),
        average_price=Decimal("0.5"),
        realized_usd=token.realized,
        closed_ms=token.closed_s * 1000,
        text=TokenText(outcome="Yes", end_date=token.end_day),
    )
