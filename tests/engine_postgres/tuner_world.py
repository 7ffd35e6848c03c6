"""Strategies under the tuner's care in a real database, a search that finds what it is told, and time that goes by."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs

from actors.jobs.alpha_agent import AlphaAgent
from config.strategy_settings import document_of, settings_from
from config.tuner import TunerConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.tuner_reports import PostgresTunerReports
from engine.adapters.postgres.tuner_store import PostgresTunerStore
from protocols.errors import TransientError
from protocols.jobs import JobLease, RunningJob
from protocols.tuner_search import Evidence, Finding, PartEvidence, PartFigures, SearchOrder

JOB = "alpha-agent"
# As an owner of the tables could, and nobody else: past the guards, to make days go by.
SHIFT = """
SET LOCAL session_replication_role = replica;
UPDATE tuner_proposals SET created_at = created_at - $1::interval, expires_at = expires_at - $1::interval,
    decided_at = decided_at - $1::interval,
    applied_at = applied_at - $1::interval, ended_at = ended_at - $1::interval;
UPDATE tuner_notes SET day = (day - $1::interval)::date,
    created_at = created_at - $1::interval, validated_until = validated_until - $1::interval,
    outcome_at = outcome_at - $1::interval;
UPDATE ft_orders SET order_time = order_time - $1::interval, resolved_time = resolved_time - $1::interval,
    decided_at = decided_at - $1::interval
"""
ORDERS = """
INSERT INTO ft_orders (order_id, wallet_id, config_version, condition_id, token_id, source_trade_id, trader_address,
    signal_price, entry_price, size, shares, fee_usd, entry_model, fill_inputs, trader_win_rate, trader_resolved_count,
    edge_pct, conviction, outcome, shares_open, cost_open, pnl, order_time, decided_at, resolved_time)
SELECT gen_random_uuid(), $1, $2, 'c', 't', $3 || n, '0x1', 0.5, 0.5, 1, 2, 0, 'slip', '{}', 0.5, 10, 0, 1,
    CASE WHEN n <= $5 THEN 'WON' ELSE 'LOST' END, 0, 0, CASE WHEN n <= $5 THEN 1 ELSE -1 END,
    now() - $6::interval, now(), now() - $6::interval + $7::interval
FROM generate_series(1, $4) AS n
"""
MIRROR = """
INSERT INTO lt_strategies SELECT * FROM jsonb_populate_record(NULL::lt_strategies, $1::text::jsonb)
"""
PART = PartFigures(
    orders=100, wins=50, days=9, unsettled=0, staked_usd=Decimal(100), pnl_usd=Decimal(1), roi=0.01, roi_low=-0.1,
    roi_high=0.1, win_rate=0.5, win_rate_low=0.4, win_rate_high=0.6,
)  # fmt: skip


def evidence(*, validated=True):
    now = datetime.now(UTC)
    part = PartEvidence(
        since=now - timedelta(days=30),
        until=now - timedelta(days=9),
        market_share=1,
        before=PART,
        after=PART,
        gain=None,
    )
    return Evidence(
        seed=1, code_version="1", searched=["price_min"], tries=90, luck=0.01, looks=1, level=0.02, train=part,
        validation=_until(part, now) if validated else None,
    )  # fmt: skip


def _until(part, now):
    return PartEvidence(since=part.until, until=now, market_share=1, before=PART, after=PART, gain=None)


@attrs.define(eq=False)
class ToldSearch:
    """`TunerSearch` of a test: what it finds by strategy, and whom it was asked about."""

    strategies: StrategyStore
    findings: dict[str, dict[str, object]] = attrs.field(factory=dict)
    asked: list[SearchOrder] = attrs.field(factory=list)
    there: bool = True
    fails_after: int | None = None
    """Searches that end well."""

    def installed(self):
        return self.there

    async def search(self, order):
        self.asked.append(order)
        if self.fails_after is not None and len(self.asked) > self.fails_after:
            raise TransientError("the search failed")
        found = []
        for subject in order.subjects:
            now = document_of((await self.strategies.get(subject.wallet_id)).settings)
            after = {k: v for k, v in self.findings.get(subject.wallet_id, {}).items() if now[k] != v}
            found.append(
                Finding(
                    wallet_id=subject.wallet_id, version=subject.version, text="looked", evidence=evidence(),
                    before={name: now[name] for name in after}, after=after,
                )
            )  # fmt: skip
        return found


@attrs.define(eq=False)
class TunerWorld:
    connection: Connection
    search: ToldSearch = attrs.field(
        default=attrs.Factory(lambda self: ToldSearch(StrategyStore(self.connection)), takes_self=True)
    )
    config: TunerConfig = attrs.field(factory=lambda: TunerConfig(evaluation_orders_min=20, evaluation_errors_min=0))
    runs: itertools.count = attrs.field(factory=itertools.count)

    @property
    def store(self):
        return PostgresTunerStore(self.connection, self.config)

    @property
    def reports(self):
        return PostgresTunerReports(self.connection)

    @property
    def strategies(self):
        return StrategyStore(self.connection)

    async def fetch(self, statement, *arguments):
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def owner(self):
        return await self.strategies.user_id("admin")

    async def strategy(self, name, **document):
        settings = settings_from({"agent_managed": True, "price_min": "0.1", **document})
        [made] = await self.strategies.create([(name, settings)], await self.owner(), "ann")
        return made

    async def change(self, name, **document):
        known = await self.strategies.get(name)
        wanted = settings_from(document, known.settings)
        return await self.strategies.update(name, wanted, version=known.version, by="ann")

    async def settings(self, name):
        return document_of((await self.strategies.get(name)).settings)

    async def lease(self):
        await self.fetch("TRUNCATE engine_leases, job_runs, job_requests")
        owner = f"run {next(self.runs)}"
        lease = await PostgresJobStore(self.connection).claim(JOB, slot_ms=0, owner=owner, holder="test", ttl_s=600)
        assert isinstance(lease, JobLease)
        return lease

    async def run(self, store=None, **options):
        running = RunningJob(lease=await self.lease())
        await AlphaAgent(store=store or self.store, search=self.search, **options).run(running)
        return running.figures

    async def proposals(self, **query):
        return await self.reports.proposals(rows_max=1_000, **query)

    async def passes(self, **time):
        """Lets time go by for everything that is kept."""
        by = timedelta(**time)

        async def work(raw):
            async with raw.transaction():
                for statement in SHIFT.split(";"):
                    await raw.execute(statement, *([by] if "$1" in statement else []))

        await self.connection.run(work)

    async def orders(self, name, count, won, *, ago, version, took=timedelta(hours=1)):
        await self.fetch(ORDERS, name, version, f"{next(self.runs)}.", count, won, ago, took)

    async def mirror(self, name):
        """A live strategy that copies with the settings of this one."""
        import json

        from config.live_settings import live_document_of
        from protocols.live.settings import LiveSettings

        row = {
            **live_document_of(LiveSettings()), "strategy_id": f"LT_{name}", "user_id": await self.owner(),
            "ft_wallet_id": name, "account": "main", "is_active": True, "is_paused": True, "version": 1,
            "consecutive_losses": 0, "created_at": "2026-01-01", "updated_at": "2026-01-01",
        }  # fmt: skip
        await self.fetch(MIRROR, json.dumps(row))
