"""Lists that winners fill: from complete days only, never emptied, each change a version."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import attrs
import pytest
from engine_postgres.results_world import wallet_of

from actors.jobs.winner_rotation import RotatePnlWinners
from config.strategy_settings import settings_from
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.rotation_store import PostgresRotationStore
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.errors import FencedError, TransientError
from protocols.jobs import JobLease, RunningJob

NOW = datetime(2026, 6, 10, 3, tzinfo=UTC)
TODAY = NOW.date()
JOB = "rotate-pnl-winners"
ADD_STATE = "INSERT INTO wallet_pnl_state (wallet_address) VALUES ($1) ON CONFLICT DO NOTHING"
ADD_DAY = """
INSERT INTO wallet_realized_pnl_daily (wallet_address, date, realized_pnl, pnl_to_date, closed_positions, won_positions,
    source) VALUES ($1, $2, $3, 0, 1, 1, 'test')
"""
RANKED = """
INSERT INTO wallet_rankings_state (anchor_date, wallets, wallets_failed, wallets_waiting, read_since)
VALUES ($1, 100, $2, 0, $3)
"""


@attrs.define(eq=False)
class World:
    connection: Connection

    def now_ms(self):
        return int(NOW.timestamp() * 1000)

    @property
    def strategies(self):
        return StrategyStore(self.connection)

    async def fetch(self, statement, *arguments):
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def earned(self, wallet, days_ago, usd):
        await self.fetch(ADD_STATE, wallet_of(wallet))
        await self.fetch(ADD_DAY, wallet_of(wallet), TODAY - timedelta(days=days_ago), Decimal(usd))

    async def ranked(self, *, failed=0, anchor=TODAY, read_since=NOW - timedelta(hours=1)):
        await self.fetch("TRUNCATE wallet_rankings_state")
        await self.fetch(RANKED, anchor, failed, read_since)

    async def strategy(self, name, **document):
        [[owner]] = await self.fetch("SELECT id::text FROM profiles")
        settings = settings_from({"target_mode": "list", **document})
        await self.strategies.create([(name, settings)], owner, "ann")

    async def lease(self):
        await self.fetch("TRUNCATE engine_leases, job_runs, job_requests")
        lease = await PostgresJobStore(self.connection).claim(JOB, slot_ms=0, owner="me", holder="test", ttl_s=600)
        assert isinstance(lease, JobLease)
        return lease

    async def run(self):
        running = RunningJob(lease=await self.lease())
        store = PostgresRotationStore(self.connection)
        await RotatePnlWinners(store=store, clock=self, incomplete_max_ratio=0.02).run(running)
        return running.figures["lists"], running.figures["changed"]

    async def targets(self, name):
        strategy = await self.strategies.get(name)
        return [int(wallet, 16) for wallet in strategy.settings.target_traders]


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = World(connection)
    await made.ranked()
    for wallet in range(1, 21):
        await made.earned(wallet, 1, wallet)
        await made.earned(wallet, 5, 100 - 4 * wallet)
    await made.earned(30, 0, 9_999)
    await made.earned(31, 8, 9_999)
    await made.earned(32, 1, -5)
    yield made
    await connection.aclose()


async def test_the_winners_of_yesterday_and_of_seven_days_are_written_as_versions(world):
    await world.strategy("DAILY", rotation="daily")
    await world.strategy("WEEKLY", rotation="weekly", rotation_size=3)
    assert await world.run() == (2, 2)
    assert await world.targets("DAILY") == list(range(20, 10, -1))
    # 97, 94, 91: today and what is older than a week do not count.
    assert await world.targets("WEEKLY") == [1, 2, 3]
    [now, before] = await world.strategies.versions("DAILY")
    assert (now.version, now.changed_by, len(now.settings["target_traders"])) == (2, JOB, 10)
    assert before.settings["target_traders"] == []


async def test_twice_and_another_order_of_the_same_makes_no_version(world):
    await world.strategy("DAILY", rotation="daily", rotation_size=2)
    await world.run()
    version = await world.fetch("SELECT version FROM strategy_version")
    assert await world.run() == (1, 0)
    await world.earned(19, 1 + 300, 0)
    await world.fetch("UPDATE wallet_realized_pnl_daily SET realized_pnl = 25 WHERE wallet_address = $1", wallet_of(19))
    assert await world.run() == (1, 0)
    assert await world.fetch("SELECT version FROM strategy_version") == version


async def test_only_active_lists_that_rotate_are_filled(world):
    listed = {"target_traders": [wallet_of(7)]}
    await world.strategy("NONE", **listed)
    await world.strategy("OFF", rotation="daily", is_active=False, **listed)
    await world.strategy("FOLLOWS", rotation="daily", target_mode="followed", **listed)
    await world.strategy("GONE", rotation="daily", **listed)
    await world.strategies.archive("GONE")
    assert await world.run() == (0, 0)
    for name in ("NONE", "OFF", "FOLLOWS"):
        assert await world.targets(name) == [7]


async def test_whom_a_strategy_never_copies_is_no_winner_of_its_list(world):
    await world.strategy("DAILY", rotation="daily", rotation_size=2, excluded_traders=[wallet_of(20)])
    await world.run()
    assert await world.targets("DAILY") == [19, 18]


async def test_what_its_owner_changes_while_winners_are_looked_up_holds(world):
    await world.strategy("DAILY", rotation="daily", target_traders=[wallet_of(7)])
    changed = settings_from(
        {
            "target_mode": "list",
            "rotation": "daily",
            "rotation_size": 2,
            "target_traders": [wallet_of(7)],
            "excluded_traders": [wallet_of(20)],
        }
    )
    await world.strategies.update("DAILY", changed, version=1, by="ann")
    store, lease = PostgresRotationStore(world.connection), await world.lease()
    assert not await store.write(lease, "DAILY", [wallet_of(20)], by=JOB)
    assert await world.targets("DAILY") == [7]
    assert await store.write(lease, "DAILY", [wallet_of(number) for number in (20, 19, 18, 17)], by=JOB)
    assert await world.targets("DAILY") == [19, 18]


async def test_nobody_earned_anything_leaves_the_list(world):
    await world.strategy("DAILY", rotation="daily", target_traders=[wallet_of(7)])
    await world.fetch("UPDATE wallet_realized_pnl_daily SET realized_pnl = -abs(realized_pnl)")
    assert await world.run() == (1, 0)
    await world.fetch("TRUNCATE wallet_realized_pnl_daily")
    assert await world.run() == (1, 0)
    assert await world.targets("DAILY") == [7]


@pytest.mark.parametrize(
    "state",
    [
        None,
        {"failed": 3},
        {"anchor": date(2026, 6, 8)},
        {"read_since": NOW - timedelta(hours=4)},
    ],
)
async def test_from_what_is_not_complete_nothing_is_taken(world, state):
    await world.strategy("DAILY", rotation="daily", target_traders=[wallet_of(7)])
    await world.fetch("TRUNCATE wallet_rankings_state")
    if state is not None:
        await world.ranked(**state)
    with pytest.raises(TransientError, match="lists stay as they are"):
        await world.run()
    assert await world.targets("DAILY") == [7]


async def test_who_is_wanted_no_more_does_not_win(world):
    await world.strategy("DAILY", rotation="daily", rotation_size=1)
    await world.fetch("UPDATE wallet_pnl_state SET is_wanted = false WHERE wallet_address = $1", wallet_of(20))
    await world.run()
    assert await world.targets("DAILY") == [19]


async def test_a_thousand_lists_are_filled_and_a_list_of_a_thousand(world):
    for number in range(1_001):
        await world.strategy(f"S{number:04d}", rotation="daily", rotation_size=1)
    for wallet in range(100, 1_101):
        await world.earned(wallet, 1, 5_000 + wallet)
    await world.strategy("T", rotation="daily", rotation_size=1_000)
    assert await world.run() == (1_002, 1_002)
    assert len(await world.targets("T")) == 1_000
    assert await world.targets("S1000") == [1_100]


async def test_under_a_lost_lease_nothing_is_written(world):
    await world.strategy("DAILY", rotation="daily")
    lease = await world.lease()
    lost = attrs.evolve(lease, epoch=lease.epoch + 1)
    with pytest.raises(FencedError):
        await PostgresRotationStore(world.connection).write(lost, "DAILY", [wallet_of(1)], by=JOB)
    assert await world.targets("DAILY") == []
