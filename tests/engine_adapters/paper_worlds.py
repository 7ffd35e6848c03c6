"""The same store of virtual money twice, in memory and in PostgreSQL, and what is decided in tests."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import msgspec
from property.made_trades import laned as made

from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.paper_store import PostgresPaperStore
from engine.adapters.postgres.settlement_store import PostgresSettlementStore
from engine.adapters.postgres.trade_store import PostgresTradeStore
from protocols.decisions import DecidedTrade, Decision, PaperClose, PaperOrder
from protocols.paper import Balance, Payouts
from protocols.trades import Lane, LanedTrade

NOON_MS = 1_780_000_000_000
MADE_WALLET = """
INSERT INTO ft_wallets (
    wallet_id, owner_id, display_name, description, hypothesis, thesis_tier, strategy_name, is_active, target_mode,
    target_traders, excluded_traders, copy_sells, max_trade_age_s, trade_live_only, price_min, price_max,
    min_trader_resolved_count, market_categories, bet_structures, exclude_market_keywords, wr_source, use_model,
    absent_score, starting_balance, bet_size, bet_allocation_weight, allocation_method, kelly_fraction, min_bet, max_bet,
    proportional_pct, proportional_basis, aggregate, aggregate_window_s, entry_model, fill_delay_ms,
    fill_slippage_max_pct, dead_market_guard, dead_market_floor, dead_market_max_drift_pct, agent_managed
) SELECT $1, id, '', '', '', '', '', true, 'list', '{}', '{}', true, 300, false, 0, 1, 0, '{}', '{}', '{}', 'GLOBAL',
    false, 'reject', $2, 1, 1, 'FIXED', 0.25, 0.5, 10, 1, 'notional', 'none', 5, 'slip', 500, 3, true, 0.04, 80, false
FROM profiles LIMIT 1
"""
MADE_BALANCE = "INSERT INTO ft_balances (wallet_id, starting, cash, peak_equity) VALUES ($1, $2, $2, $2)"


class StillClock:
    def now_ms(self) -> int:
        return NOON_MS


class NoMarkets:
    async def find(self, condition_ids):
        return {}


@attrs.define
class PaperWorld:
    trades: Any
    paper: Any
    settlement: Any
    connection: Connection | None = None
    memory: MemoryPaperLedger | None = None
    database: DatabaseOptions | None = None
    leases: Leases | None = None

    async def strategy(self, wallet_id: str, starting: int = 100) -> None:
        if self.memory is not None:
            self.memory.add_account(wallet_id, Decimal(starting))
            return
        money = Decimal(starting)

        async def work(raw):
            await raw.execute(MADE_WALLET, wallet_id, money)
            await raw.execute(MADE_BALANCE, wallet_id, money)

        await self.connection.run(work)

    async def account(self, wallet_id: str = "A"):
        [account] = await self.paper.accounts([wallet_id])
        return account

    async def orders(self) -> dict[str, tuple[str, Decimal, Decimal | None]]:
        """By id: outcome, pnl, exit price."""
        if self.memory is not None:
            return {id_: (one.outcome, one.pnl, one.exit_price) for id_, one in self.memory.positions.items()}
        rows = await self.fetch("SELECT order_id::text AS id, outcome, pnl, exit_price FROM ft_orders")
        return {row["id"]: (row["outcome"], row["pnl"], row["exit_price"]) for row in rows}

    async def days(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        if self.memory is not None:
            return {
                (id_, str(day)): (one.won, one.lost, one.sold, one.void, one.pnl)
                for (id_, day), one in self.memory.days.items()
            }
        rows = await self.fetch("SELECT * FROM ft_daily_stats")
        return {
            (row["wallet_id"], str(row["day"])): tuple(row[name] for name in ("won", "lost", "sold", "void", "pnl"))
            for row in rows
        }

    async def fetch(self, statement):
        return await self.connection.run(lambda raw: raw.fetch(statement))


def memory_world() -> PaperWorld:
    ledger = MemoryPaperLedger(clock=StillClock())
    return PaperWorld(ledger, ledger, ledger, memory=ledger)


@asynccontextmanager
async def postgres_world(database: DatabaseOptions) -> AsyncIterator[PaperWorld]:
    connection = Connection(database, "test")
    office = LeaseOffice(connection=connection, owner="me", holder="test", ttl_s=600)
    lease = await office.acquire("ingest")
    assert isinstance(lease, LeaseHold)
    leases = Leases((lease,))
    settlement = PostgresSettlementStore(connection=connection, leases=leases, markets=NoMarkets())
    yield PaperWorld(
        PostgresTradeStore(connection, leases), PostgresPaperStore(connection), settlement, connection,
        database=database, leases=leases,
    )  # fmt: skip
    await connection.aclose()


def traded(number: int, **changes: Any) -> LanedTrade:
    one = made(number, Lane.TARGET, trade_ms=changes.pop("trade_ms", NOON_MS + number))
    return LanedTrade(msgspec.structs.replace(one.trade, **changes), one.lane)


def id_of(wallet_id: str, trade_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{wallet_id} {trade_id}"))


def order(trade: LanedTrade, wallet_id: str = "A", **changes: Any) -> PaperOrder:
    one = trade.trade
    made_order = PaperOrder(
        order_id=id_of(wallet_id, one.trade_id), wallet_id=wallet_id, version=1, source_trade_id=one.trade_id, members=(),
        trader=one.wallet, condition_id=one.condition_id, token_id=one.token_id, outcome="Yes", market_slug=None,
        market_title=None, market_end_ms=None, signal_price=Decimal("0.5"), entry_price=Decimal("0.5"),
        stake=Decimal(10), shares=Decimal(20), fee=Decimal("0.1"), entry_model="slip", fill_inputs="{}",
        win_rate=Decimal("0.6"), resolved_count=40, roi=None, model_probability=None, edge=Decimal("0.1"),
        conviction=Decimal(1), trade_ms=one.trade_ms, decided_ms=one.trade_ms + 5,
    )  # fmt: skip
    return msgspec.structs.replace(made_order, **changes)


def close(bought: PaperOrder, source: LanedTrade, shares: str, price: str = "0.6") -> PaperClose:
    return PaperClose(
        wallet_id=bought.wallet_id, order_id=bought.order_id, source_trade_id=source.trade.trade_id,
        shares=Decimal(shares), share=Decimal("0.5"), price=Decimal(price), fee_rate=None, fee_exponent=1,
        trade_ms=source.trade.trade_ms,
    )  # fmt: skip


def decided(
    trade: LanedTrade, *orders: PaperOrder, part: str = "now", closes=(), members=(), stands=()
) -> DecidedTrade:
    decision = Decision(
        part=part, trade_id=members[0] if members else trade.trade.trade_id, trade_ms=trade.trade.trade_ms,
        decided_ms=trade.trade.trade_ms + 5, members=tuple(members), snapshot='{"now_ms": 1}', strategies=(1, 2),
        versions=(1, 1), reasons=("taken", "not_buy"), bankrolls=(Decimal("99.5"), None), orders=orders,
        closes=tuple(closes), stands=tuple(stands),
    )  # fmt: skip
    return DecidedTrade(trade.trade, trade.lane, (decision,))


def paying(trade: LanedTrade, payout: str, **changes: Any) -> Payouts:
    token = trade.trade.token_id
    by_token = {token: Decimal(payout), f"{token}-other": 1 - Decimal(payout)}
    return Payouts(
        condition_id=trade.trade.condition_id, by_token=by_token, source="gamma", resolved_ms=NOON_MS, **changes
    )


def check_identity(balance: Balance) -> None:
    assert balance.cash + balance.open_cost == balance.starting + balance.realized_pnl
    assert balance.orders == balance.open_orders + balance.won + balance.lost + balance.sold + balance.void
    assert balance.cash >= 0
