"""The audit, its two histories and an ingest that records what it is handed, on virtual time."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import trio
from property.fake_coverage import FakeCoverageStore
from property.fake_history import FakeHistory, FixedTargets, Past
from property.supervised import run_jumping

from actors.coverage_board import CoverageBoard
from actors.jobs.coverage_audit import CoverageAudit
from actors.late_trades import LateTrades
from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from config.coverage import CoverageConfig
from engine.runtime.channel import Channel
from protocols.errors import TransientError
from protocols.jobs import JobLease, RunningJob
from protocols.trade_identity import fill_key, trade_id_of
from protocols.trader_accounts import ActivityPage
from protocols.trades import Lane, RawTrade

START_S = 1_780_000_000
LEASE = JobLease(job="coverage-audit", owner="me", epoch=1, run_id=1, slot_ms=None, attempt=1)


@attrs.define(eq=False)
class FakeAccounts:
    """`TraderAccounts` as far as the audit asks: activity over a history of its own."""

    history: FakeHistory

    async def activity_page(
        self, wallet: str, *, since_s: int, until_s: int, cursor: str | None = None
    ) -> ActivityPage:
        page = await self.history.page(since_s=since_s, until_s=until_s, wallet=wallet, cursor=cursor)
        # Rewards stand between the trades: they are no fault of the history.
        malformed = page.malformed + Counter(not_a_trade=2)
        return ActivityPage(
            trades=page.rows, others=(), malformed=malformed, rows_sent=page.rows_sent + 2, next_cursor=page.next_cursor
        )


class Clock:
    def now_ms(self) -> int:
        return START_S * 1000 + round(trio.current_time() * 1000)


@attrs.define(eq=False)
class CoverageWorld:
    lanes: dict[str, Lane]
    trades: FakeHistory
    activity: FakeHistory
    config: CoverageConfig
    ingests: bool = True
    """False: what is handed over is lost."""
    store: FakeCoverageStore = attrs.field(factory=lambda: FakeCoverageStore({}))
    channel: Channel[RawTrade] = attrs.field(factory=lambda: Channel[RawTrade]("raw_trades", 16))
    board: CoverageBoard = attrs.field(factory=CoverageBoard)
    handed: int = 0
    late: LateTrades = attrs.field(init=False)
    job: CoverageAudit = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.late = LateTrades(trades=self.channel.outbox(), targets=FixedTargets(self.lanes))
        self.job = CoverageAudit(
            history=self.trades,
            accounts=FakeAccounts(self.activity),
            store=self.store,
            late=lambda: self.late,
            config=self.config,
            clock=Clock(),
            board=self.board,
        )

    async def audit(self) -> dict[str, Any]:
        """One run; raises what it raises."""
        running = RunningJob(lease=LEASE)
        await self.job.run(running)
        return running.figures

    async def ingest(self) -> None:
        """Identity, de-duplication and the primary key, as the engine has them."""
        memory = Memory(RecentSet(10_000))
        while batch := await self.channel.inbox.batch(16):
            self.handed += len(batch)
            admission = admit(batch, self.lanes, memory)
            for laned in admission.kept if self.ingests else ():
                trade = laned.trade
                self.store.rows.setdefault(trade.trade_id, (trade.wallet, trade.trade_ms // 1000, trade.source))
            memory.commit(admission)
            if not self.ingests:
                memory = Memory(RecentSet(10_000))

    def play(self, story: Callable[["CoverageWorld"], Any]) -> "CoverageWorld":
        async def main() -> None:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.late.run)
                nursery.start_soon(self.ingest)
                await story(self)
                nursery.cancel_scope.cancel()

        run_jumping(main)
        return self


def world_of(lanes: dict[str, Lane], *, page_rows: int = 1_000, **settings: Any) -> CoverageWorld:
    """Nothing has happened yet."""
    config = CoverageConfig(**{"settle_s": 60.0, "window_min_s": 60.0, **settings})
    histories = [FakeHistory(page_rows=page_rows) for _ in range(2)]
    return CoverageWorld(lanes, *histories, config)


def ids_of(rows: Iterable[Past]) -> set[str]:
    """The independent count: the n-th equal fill of a transaction is fill n."""
    counts: Counter[str] = Counter()
    for row in rows:
        key = fill_key(row.page_row().row, row.fill[1])
        counts[key] += 1
    return {trade_id_of(key, n) for key, count in counts.items() for n in range(count)}


def weather(world: CoverageWorld, calls: Sequence[str], database: Sequence[bool]) -> None:
    """How the next calls of the histories go, and the next questions to the database."""
    world.trades.script = deque(calls[::2])
    world.activity.script = deque(calls[1::2])
    failing = deque(database)
    world.store.fails = lambda: bool(failing) and failing.popleft()


async def audit_in_weather(world: CoverageWorld, cancel_at: float | None = None) -> None:
    """One run that may fail, or be cut off after some of its steps."""
    try:
        with trio.move_on_after(float("inf") if cancel_at is None else cancel_at):
            await world.audit()
    except TransientError:
        pass
