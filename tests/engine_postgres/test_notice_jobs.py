"""The jobs of notifications: summaries, welcomes, the sweep, retention."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from engine_adapters.live_worlds import LATER, bought, resolved
from engine_postgres.notice_world import RESOLVE, notice_world, owned
from engine_postgres.test_retention_store import lease_of

from actors.jobs.check_notifications import CheckNotifications
from actors.jobs.retention import Retention
from actors.jobs.send_welcome_emails import SendWelcomeEmails
from config.jobs import RetentionConfig
from engine.adapters.postgres.notice_job_store import PostgresNoticeJobStore
from engine.adapters.postgres.retention_store import PostgresRetentionStore
from engine.adapters.system_clock import SystemClock
from protocols.errors import FencedError
from protocols.jobs import RunningJob

FORGET = "DELETE FROM notification_facts; DELETE FROM notifications"


@pytest.fixture
async def world(database, aio):
    async with notice_world(database) as one:
        yield one


@pytest.fixture
async def running(world):
    return RunningJob(lease=await lease_of(world.live.connection))


@pytest.fixture
def store(world):
    return PostgresNoticeJobStore(world.live.connection)


async def forget(world):
    """As after a restore of the tables alone: facts happened, nobody wrote them."""
    await world.live.connection.run(lambda raw: raw.execute(FORGET))


async def test_the_sweep_finds_what_no_trigger_has_written_and_tells_nothing_twice(world, store, running):
    await world.market()
    await owned(world, 1)
    await world.live.fetch("UPDATE lt_orders SET ended_at = now()")
    await world.closes()
    await world.live.fetch("UPDATE lt_strategies SET breaker_reason = 'r', breaker_at = now()")
    await world.live.fetch("INSERT INTO lt_halts (action, by_whom, reason) VALUES ('halt', 'carl', 'r')")
    await world.live.fetch("UPDATE lt_balances SET drift = 3, available = available + 3")
    kinds = sorted(await world.kinds())
    assert kinds == ["drift", "order_filled", "strategy_halted", "strategy_halted", "trader_closed"]
    await forget(world)
    assert await world.kinds() == []
    job = CheckNotifications(store=store, clock=SystemClock())
    for _ in range(2):
        await job.run(running)
        swept = [kind for kind in await world.kinds() if kind != "daily_summary"]
        assert sorted(swept) == kinds
    await world.live.fetch(RESOLVE)
    await forget(world)
    await job.run(running)
    assert "market_resolved" in await world.kinds()


async def test_the_sweep_finds_a_settlement_whose_market_nobody_stored(world, store, running):
    await bought(world.live, 1)
    await world.live.store.settle([resolved("1")], LATER)
    await forget(world)
    await CheckNotifications(store=store, clock=SystemClock()).run(running)
    assert "market_resolved" in await world.kinds()


async def test_yesterday_is_summed_up_once_for_whoever_something_happened(world, store, running):
    await owned(world, 1)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    await world.live.fetch("UPDATE lt_orders SET created_at = created_at - interval '1 day'")
    await world.live.fetch(
        "INSERT INTO lt_daily (strategy_id, day, spent_usd, pnl_usd) VALUES ('LT_A', $1, 10, -2.5)", yesterday
    )
    await world.user("idle")
    job = CheckNotifications(store=store, clock=SystemClock(), users_max=1)
    for _ in range(2):
        await job.run(running)
    [said] = await world.told("daily_summary")
    assert (said["day"], said["filled"], said["spent"], said["pnl"], said["open"]) == (
        str(yesterday),
        1,
        "10",
        "-2.5",
        1,
    )
    assert said["strategies"] == [{"strategy": "LT_A", "spent": "10", "pnl": "-2.5"}]


async def test_everybody_with_an_address_is_welcomed_once_when_his_account_is_old_enough(world, store, running):
    for number in range(1_001):
        await world.user(f"user{number}", f"user{number}@example.org")
    await world.live.fetch("UPDATE profiles SET created_at = now() - interval '121 minutes'")
    young = await world.user("young", "young@example.org")
    await world.user("silent")
    await world.live.fetch("UPDATE profiles SET disabled_at = now() WHERE user_name = 'user7'")
    off = SendWelcomeEmails(store=store, clock=SystemClock(), sends_mail=False)
    await off.run(running)
    assert await world.kinds() == []
    job = attrs.evolve(off, sends_mail=True)
    await job.run(running)
    assert running.figures["welcomed"] == 1_000
    await job.run(running)
    assert running.figures["welcomed"] == 0
    rows = await world.live.fetch("SELECT user_id::text AS id FROM notifications WHERE kind = 'welcome'")
    assert len({row["id"] for row in rows}) == 1_000
    assert young not in {row["id"] for row in rows}


async def test_old_notices_go_with_their_deliveries_and_welcomes_stay(world, store, running):
    ann = await world.user("ann", "ann@example.org")
    for number in range(250):
        await world.notice(ann, key=str(number))
    await world.notice(ann, "welcome")
    await world.live.fetch("UPDATE notifications SET created_at = now() - interval '91 days'")
    await world.notice(ann, key="young")
    job = Retention(
        store=PostgresRetentionStore(world.live.connection), notices=store, clock=SystemClock(),
        config=RetentionConfig(batch_rows=100, batch_pause_ms=0),
    )  # fmt: skip
    await job.run(running)
    assert running.figures["notices"] == 250
    assert sorted(await world.kinds()) == ["order_filled", "welcome"]


async def test_without_the_lease_nothing_is_written(world, store, running):
    await owned(world, 1)
    lost = attrs.evolve(running.lease, epoch=running.lease.epoch + 1)
    with pytest.raises(FencedError):
        await store.sweep(lost, since_ms=0)
    with pytest.raises(FencedError):
        await store.summarize(lost, day=datetime.now(UTC).date() - timedelta(days=1), users_max=10)
    with pytest.raises(FencedError):
        await store.welcome(lost, until_ms=0, users_max=10)
    with pytest.raises(FencedError):
        await store.delete_old(lost, now_ms=0, days=1, rows_max=1)
    assert await world.facts() == []
