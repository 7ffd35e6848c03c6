"""Leaderboards, results and winners of a simulated venue, over real sockets, in both versions of its Data API."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest
from engine_simulator.simulator_clients import SetClock, row, running

from config.discovery import DiscoveryConfig
from config.schema import EngineConfig, VenueConfig
from config.strategy_settings import settings_from
from engine.adapters.discovery_adapters import open_discovery_adapters
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.discovery_wiring import discovery_jobs
from engine.runtime.traffic import Traffic
from protocols.jobs import JobLease, JobOutcome, JobStatus, RunningJob

VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])
DAY_MS = 86_400_000
MICRO = 1_000_000
MARKETS = 24
WALLETS = [f"0x{number:040x}" for number in range(1, 9)]
DAYS = """
SELECT wallet_address, date::text AS date, sum(realized_pnl) AS usd FROM (
    SELECT wallet_address, (closed_at AT TIME ZONE 'UTC')::date AS date, realized_pnl FROM wallet_closed_positions
    WHERE NOT is_unredeemed_loss
) AS closed GROUP BY wallet_address, date
"""
TABLES = ("wallet_closed_positions", "wallet_realized_pnl_daily", "wallet_realized_pnl_rankings", "ft_wallets")


@attrs.define(eq=False)
class Jobs:
    """The three jobs, run one after the other as the scheduler would."""

    connection: Connection
    jobs: dict[str, object]
    runs: int = 0

    async def fetch(self, statement, *arguments):
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def run(self, name):
        self.runs += 1
        store = PostgresJobStore(self.connection)
        await store.request(name, "test")
        lease = await store.claim(name, slot_ms=None, owner=f"me {self.runs}", holder="test", ttl_s=600)
        assert isinstance(lease, JobLease)
        running_job = RunningJob(lease=lease)
        await self.jobs[name].run(running_job)
        await store.finish(lease, JobOutcome(status=JobStatus.SUCCEEDED))
        return running_job.figures

    async def run_all(self):
        names = ("sync-trader-leaderboard", "backfill-wallet-pnl", "rotate-pnl-winners")
        assert tuple(self.jobs) == names
        assert [tuple(job.after) for job in self.jobs.values()] == [(), names[:1], names[1:2]]
        return [await self.run(name) for name in names]

    async def everything(self):
        return [[tuple(one) for one in await self.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")] for table in TABLES]


async def lived(venue, clock):
    """Some days of buying, selling, losing and redeeming; losses of some markets are never redeemed."""
    known = (await venue.gamma(f"/markets?limit={MARKETS}")).json()
    for number, market in enumerate(known):
        tokens = json.loads(market["clobTokenIds"])
        clock.time_ms += 13 * 3_600_000
        for place, wallet in enumerate(WALLETS):
            if (number + place) % 3:
                side = (number * place) % 2
                price = round(0.3 + 0.05 * place, 2)
                await venue.emit(row(proxyWallet=wallet, asset=tokens[side], size=10 + number, price=price))
            if (number + place) % 5 == 1:
                await venue.emit(row(proxyWallet=wallet, asset=tokens[0], size=4, price=0.7, side="SELL"))
        if number % 2:
            payouts = [MICRO, 0] if number % 4 == 1 else [0, MICRO]
            await venue.control("/resolve", {"condition_id": market["conditionId"], "payouts": payouts})
            if number % 3:
                await venue.control("/redeem", {"condition_id": market["conditionId"]})


async def truth_of(venue):
    accounts = (await venue.control("/accounts-truth", {"wallets": WALLETS}))["accounts"]
    return {
        (account["wallet"], day["date"]): Decimal(day["realized_micro"]) / MICRO
        for account in accounts
        for day in account["days"]
    }


@VERSIONS
async def test_days_are_those_of_the_venue_and_winners_are_copied(version, database, aio):
    clock = SetClock()
    async with running(clock, markets=MARKETS, v2_absent=version == "v1") as venue:
        await lived(venue, clock)
        config = EngineConfig(
            venue=VenueConfig(data_url=venue.urls.data_url), discovery=DiscoveryConfig(rate_per_s=50, burst=100)
        )
        connection = Connection(database, "test")
        try:
            async with open_discovery_adapters(config, database, clock=clock, traffic=Traffic()) as io:
                jobs = Jobs(connection, {job.name: job for job in discovery_jobs(config, io, clock, lambda: None)})
                [[owner]] = await jobs.fetch("SELECT id::text FROM profiles")
                settings = settings_from({"target_mode": "list", "rotation": "weekly", "rotation_size": 3})
                await StrategyStore(connection).create([("WEEKLY", settings)], owner, "ann")
                clock.time_ms += DAY_MS - clock.time_ms % DAY_MS + 2 * 3_600_000
                board, backfill, rotation = await jobs.run_all()
                assert (board["boards"], backfill["failed"]) == (2, 0)
                assert (backfill["wallets"], rotation["changed"]) == (board["new"], 1)
                days = {(one["wallet_address"], one["date"]): one["usd"] for one in await jobs.fetch(DAYS)}
                truth = await truth_of(venue)
                assert len(truth) > 20
                assert days == truth
                losses = await jobs.fetch("SELECT * FROM wallet_closed_positions WHERE is_unredeemed_loss")
                assert losses
                assert all(one["realized_pnl"] < 0 for one in losses)
                today = datetime.fromtimestamp(clock.time_ms / 1000, UTC).date()
                winners = await jobs.fetch(
                    "SELECT wallet_address FROM wallet_realized_pnl_daily WHERE date BETWEEN $1::date - 7 AND $1::date - 1"
                    " GROUP BY 1 HAVING sum(realized_pnl) > 0 ORDER BY sum(realized_pnl) DESC, 1 LIMIT 3",
                    today,
                )
                strategy = await StrategyStore(connection).get("WEEKLY")
                assert strategy.settings.target_traders == tuple(one["wallet_address"] for one in winners) != ()
                before = await jobs.everything()
                clock.time_ms += 60_000
                _, again, rotated = await jobs.run_all()
                assert (again["positions"], rotated["changed"]) == (0, 0)
                assert await jobs.everything() == before
        finally:
            await connection.aclose()


@VERSIONS
async def test_a_venue_that_fails_costs_nothing_that_is_known(version, database, aio):
    clock = SetClock()
    async with running(clock, markets=MARKETS, v2_absent=version == "v1") as venue:
        await lived(venue, clock)
        config = EngineConfig(
            venue=VenueConfig(data_url=venue.urls.data_url), discovery=DiscoveryConfig(rate_per_s=50, burst=100)
        )
        connection = Connection(database, "test")
        try:
            async with open_discovery_adapters(config, database, clock=clock, traffic=Traffic()) as io:
                made = discovery_jobs(config, io, clock, lambda: None)
                made[1] = attrs.evolve(made[1], pauses_s=())
                jobs = Jobs(connection, {job.name: job for job in made})
                await jobs.run_all()
                known = await jobs.everything()
                for fault, parameters in (
                    ("http_5xx", {}), ("http_truncated", {}), ("http_429", {"retry_after_s": 0}), ("http_empty", {}),
                ):  # fmt: skip
                    clock.time_ms += 60_000
                    await venue.fault(fault, api="data", **parameters)
                    await jobs.run("backfill-wallet-pnl")
                    await venue.fault("clear")
                    assert await jobs.everything() == known
                clock.time_ms += 60_000
                assert (await jobs.run("backfill-wallet-pnl"))["positions"] == 0
                assert await jobs.everything() == known
        finally:
            await connection.aclose()
