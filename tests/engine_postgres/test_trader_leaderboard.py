"""Leaderboards: written whole or not at all, and nobody is deleted."""

from collections import Counter
from decimal import Decimal

import attrs
import pytest
from engine_postgres.results_world import wallet_of

from actors.jobs import trader_leaderboard
from actors.jobs.trader_leaderboard import SyncTraderLeaderboard
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.leaderboard_store import PostgresLeaderboardStore
from protocols.errors import FencedError, RejectedError, TransientError
from protocols.jobs import JobLease, RunningJob
from protocols.trader_accounts import Board, LeaderboardPage, Period, Standing

TRADERS = "SELECT * FROM traders ORDER BY wallet_address"
JOB = "sync-trader-leaderboard"


@attrs.define(eq=False, kw_only=True)
class Boards:
    """Boards of wallets in order; one may fail at a page."""

    wallets: list[int]
    is_usd: bool = True
    rows_max: int = 50
    fault: tuple[Board, int, str] | None = None
    refuses_from: int | None = None
    pages: int = 0

    async def leaderboard_page(self, board: Board, period: Period, *, cursor: str | None = None) -> LeaderboardPage:
        assert period is Period.ALL
        self.pages += 1
        start = int(cursor or 0)
        if self.refuses_from is not None and start >= self.refuses_from:
            raise RejectedError("the list goes on beyond, and cannot be read there")
        order = self.wallets if board is Board.PNL else self.wallets[::-1]
        shown = order[start : start + self.rows_max]
        rows = [self._standing(wallet, start + place) for place, wallet in enumerate(shown, start=1)]
        malformed: Counter[str] = Counter()
        if self.fault is not None and self.fault[:2] == (board, start // self.rows_max):
            if self.fault[2] == "weather":
                raise TransientError("upstream is down")
            malformed["rank"] += 1
        more = start + self.rows_max < len(order)
        return LeaderboardPage(
            rows=tuple(rows), malformed=malformed, rows_sent=len(rows),
            next_cursor=str(start + self.rows_max) if more else None,
        )  # fmt: skip

    def _standing(self, wallet: int, rank: int) -> Standing:
        return Standing(
            wallet=wallet_of(wallet), rank=rank, pnl_usd=Decimal(1_000 - wallet), volume=Decimal(2_000),
            volume_is_usd=self.is_usd, name=f"trader {wallet}", image=None,
        )  # fmt: skip


@attrs.define(eq=False)
class World:
    connection: Connection

    async def fetch(self, statement, *arguments):
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def lease(self):
        await self.fetch("TRUNCATE engine_leases, job_runs, job_requests")
        store = PostgresJobStore(self.connection)
        lease = await store.claim(JOB, slot_ms=0, owner="me", holder="test", ttl_s=600)
        assert isinstance(lease, JobLease)
        return lease

    async def run(self, boards, rows=1_000):
        running = RunningJob(lease=await self.lease())
        store = PostgresLeaderboardStore(self.connection)
        await SyncTraderLeaderboard(store=store, accounts=boards, rows=rows).run(running)
        return running.figures

    async def traders(self):
        return {int(row["wallet_address"], 16): row for row in await self.fetch(TRADERS)}

    async def version(self):
        [row] = await self.fetch("SELECT version FROM target_version")
        return row["version"]


@pytest.fixture
async def world(database, aio, monkeypatch):
    monkeypatch.setattr(trader_leaderboard, "PAUSES_S", (0.0, 0.0))
    connection = Connection(database, "test")
    yield World(connection)
    await connection.aclose()


async def test_ten_thousand_places_of_both_boards_are_written(world):
    figures = await world.run(Boards(wallets=list(range(1, 10_501))), rows=10_000)
    assert (figures["boards"], figures["traders"], figures["new"], figures["pages"]) == (2, 20_000, 10_500, 400)
    traders = await world.traders()
    assert (traders[1]["rank"], traders[1]["rank_volume"]) == (1, None)
    assert (traders[10_500]["rank"], traders[10_500]["rank_volume"]) == (None, 1)
    assert (traders[500]["rank"], traders[501]["rank"], traders[501]["rank_volume"]) == (500, 501, 10_000)
    assert (traders[500]["pnl"], traders[500]["volume"], traders[500]["roi"]) == (500, 2_000, Decimal("0.25"))
    assert traders[500]["display_name"] == "trader 500"


async def test_twice_changes_nothing_and_wakes_nobody(world):
    boards = Boards(wallets=list(range(1, 121)))
    before = await world.version()
    await world.run(boards)
    first, version = await world.traders(), await world.version()
    # One statement a board that has somebody new.
    assert version == before + 1
    await world.run(boards)
    again = await world.traders()
    assert await world.version() == version
    for wallet, row in first.items():
        assert {**again[wallet], "leaderboard_at": 0} == {**row, "leaderboard_at": 0}


async def test_who_falls_off_the_board_keeps_all_but_his_place(world):
    await world.run(Boards(wallets=[1, 2, 3]))
    await world.run(Boards(wallets=[3, 2]))
    traders = await world.traders()
    assert [traders[n]["rank"] for n in (1, 2, 3)] == [None, 2, 1]
    assert [traders[n]["rank_volume"] for n in (1, 2, 3)] == [None, 1, 2]
    assert (traders[1]["pnl"], traders[1]["is_active"]) == (999, True)


async def test_a_volume_in_shares_is_no_volume_in_usd(world):
    await world.run(Boards(wallets=[1, 2], is_usd=False))
    traders = await world.traders()
    assert [traders[n]["volume"] for n in (1, 2)] == [traders[n]["roi"] for n in (1, 2)] == [None, None]
    await world.run(Boards(wallets=[1, 2]))
    await world.run(Boards(wallets=[1, 2], is_usd=False))
    assert (await world.traders())[1]["volume"] == 2_000


@pytest.mark.parametrize("fault", ["weather", "malformed"])
@pytest.mark.parametrize("page", [0, 2])
async def test_a_board_that_is_incomplete_changes_nothing(world, fault, page):
    await world.run(Boards(wallets=list(range(1, 150))))
    boards = Boards(wallets=list(range(149, 0, -1)), fault=(Board.PNL, page, fault))
    figures = await world.run(boards)
    assert figures["boards"] == 1
    assert figures["pnl_failed"]
    traders = await world.traders()
    assert (traders[1]["rank"], traders[1]["rank_volume"]) == (1, 1)


async def test_without_any_board_the_job_fails(world):
    with pytest.raises(TransientError, match="no leaderboard"):
        await world.run(Boards(wallets=[]))
    assert await world.traders() == {}


async def test_a_board_that_is_cut_off_where_v1_ends_is_whole_and_earlier_is_not(world):
    whole = Boards(wallets=list(range(1, 1_500)), refuses_from=1_000)
    assert (await world.run(whole, rows=2_000))["traders"] == 2_000
    with pytest.raises(TransientError):
        await world.run(Boards(wallets=list(range(1, 1_500)), refuses_from=500), rows=2_000)


async def test_followers_are_counted(world):
    await world.run(Boards(wallets=[1, 2]))
    follow = "INSERT INTO follows (user_id, trader_wallet, active) SELECT id, $1, $2 FROM profiles"
    await world.fetch(follow, wallet_of(1), True)
    await world.fetch(follow, wallet_of(2), False)
    assert (await world.run(Boards(wallets=[1, 2])))["followers_changed"] == 1
    traders = await world.traders()
    assert [traders[n]["follower_count"] for n in (1, 2)] == [1, 0]


async def test_under_a_lost_lease_nothing_is_written(world):
    lease = await world.lease()
    lost = attrs.evolve(lease, epoch=lease.epoch + 1)
    store = PostgresLeaderboardStore(world.connection)
    standing = Standing(
        wallet=wallet_of(1), rank=1, pnl_usd=None, volume=None, volume_is_usd=False, name=None, image=None
    )
    for work in (store.write(lost, Board.PNL, [standing]), store.count_followers(lost)):
        with pytest.raises(FencedError):
            await work
    assert await world.traders() == {}
