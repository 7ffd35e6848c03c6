"""The same store of live orders twice, in memory and in PostgreSQL, and what is claimed, signed and told in tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
from actors_live.live_cases import T0, intent, signed
from engine_adapters.paper_worlds import postgres_world

from actors.rules.live.booking import commitment
from actors.rules.live.signals import exit_id_of, order_id_of
from engine.adapters.memory.live_ledger import MemoryLiveLedger
from engine.adapters.memory.live_state import MemoryStrategy
from engine.adapters.memory.paper_ledger import MemoryPaperLedger
from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.live_order_rows import BALANCE_COLUMNS, ORDER_COLUMNS, balance_of, order_of
from engine.adapters.postgres.live_order_store import PostgresLiveOrderStore
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from protocols.live.events import Filled, Seen
from protocols.live.exits import ExitKind, LiveExit
from protocols.live.money import LiveBalance
from protocols.live.orders import LiveIntent, LiveOrder, OrderOrigin, Side, SignedOrder
from protocols.live.settings import LiveSettings
from protocols.paper import Payouts

D = Decimal
INTERVAL_MS = 20_000
OTHER = "A-other"
LEDGER = """
SELECT strategy_id, cause, kind, initial, available, locked, cooldown, realized, drift FROM lt_ledger ORDER BY 1, 2
"""
OUTCOMES = "SELECT lt_order_id::text AS id, outcome FROM lt_orders"

LATER = T0 + 7_200_000
"""When no fill can be undone any more."""


class Today:
    """The day of the orders is not the day of the server, so figures of today are looked up, not told."""

    def now_ms(self) -> int:
        return T0


@attrs.define
class LiveWorld:
    store: Any
    memory: MemoryLiveLedger | None = None
    connection: Connection | None = None
    database: DatabaseOptions | None = None
    leases: Leases | None = None
    user_id: str | None = None
    trades: Any = None

    async def strategy(
        self,
        strategy_id: str = "LT_A",
        capital: str = "100",
        cooldown_hours: str = "0",
        account: str = "main",
        **options: Any,
    ):
        if self.memory is not None:
            wallet_id = strategy_id.removeprefix("LT_")
            strategy = MemoryStrategy(
                account=account, ft_wallet_id=wallet_id, cooldown_hours=D(cooldown_hours), **options
            )
            self.memory.add_strategy(strategy_id, strategy, D(capital))
            return
        wallet_id = strategy_id.removeprefix("LT_")
        await LiveStrategyStore(self.connection).create(
            strategy_id, user_id=self.user_id, ft_wallet_id=wallet_id, account=account, capital_usd=D(capital), by="test",
            settings=LiveSettings(cooldown_hours=D(cooldown_hours), **options),
        )  # fmt: skip

    async def archive(self) -> None:
        if self.memory is None:
            await self.fetch("UPDATE lt_strategies SET is_active = false")
        else:
            for one in self.memory.state.strategies.values():
                one.is_active = False

    async def stop_copying_sales(self) -> None:
        if self.memory is None:
            await self.fetch("UPDATE lt_strategies SET copy_sells = false")
        else:
            for one in self.memory.state.strategies.values():
                one.copy_sells = False

    async def balance(self, strategy_id: str = "LT_A") -> LiveBalance:
        balances = {one.strategy_id: one for one in (await self.store.snapshot(T0)).balances}
        return balances[strategy_id]

    async def orders(self) -> dict[str, LiveOrder]:
        if self.memory is not None:
            return {id_: one.order for id_, one in self.memory.state.orders.items()}
        rows = await self.fetch(f"SELECT {ORDER_COLUMNS} FROM lt_orders")
        return {row["order_id"]: order_of(row) for row in rows}

    async def outcomes(self) -> dict[str, str]:
        if self.memory is not None:
            return {id_: one.outcome for id_, one in self.memory.state.orders.items()}
        return {row["id"]: row["outcome"] for row in await self.fetch(OUTCOMES)}

    async def ledger(self) -> list[tuple[Any, ...]]:
        if self.memory is not None:
            return sorted(
                (
                    *key, line.posting.kind.value, line.posting.initial, line.available, line.posting.locked,
                    line.posting.cooldown, line.posting.realized, line.drift,
                )
                for key, line in self.memory.state.ledger.items()
            )  # fmt: skip
        return sorted(tuple(row) for row in await self.fetch(LEDGER))

    async def balances(self) -> dict[str, LiveBalance]:
        if self.memory is not None:
            return dict(self.memory.state.balances)
        rows = await self.fetch(f"SELECT {', '.join(BALANCE_COLUMNS)} FROM lt_balances")
        return {row["strategy_id"]: balance_of(row) for row in rows}

    async def fetch(self, statement: str, *values: Any) -> Any:
        return await self.connection.run(lambda raw: raw.fetch(statement, *values))

    async def check(self) -> None:
        """I1 and I2, and the balance is the sum of its ledger."""
        orders, lines = (await self.orders()).values(), await self.ledger()
        for strategy_id, one in (await self.balances()).items():
            assert one.available + one.locked + one.cooldown == one.initial + one.realized_pnl + one.drift
            assert min(one.available, one.locked, one.cooldown, one.drift) >= 0
            committed = sum(commitment(order) for order in orders if order.strategy_id == strategy_id)
            assert one.locked == committed, "locked is not what orders commit"
            sums = [sum(line[n] for line in lines if line[0] == strategy_id) for n in range(3, 9)]
            assert sums == [one.initial, one.available, one.locked, one.cooldown, one.realized_pnl, one.drift]


def memory_live() -> LiveWorld:
    ledger = MemoryLiveLedger(clock=Today(), not_found_interval_ms=INTERVAL_MS)
    return LiveWorld(ledger, memory=ledger, trades=MemoryPaperLedger(clock=Today(), live=ledger))


@asynccontextmanager
async def postgres_live(database: DatabaseOptions) -> AsyncIterator[LiveWorld]:
    async with postgres_world(database) as paper:
        connection = paper.connection
        office = LeaseOffice(connection=connection, owner="me", holder="test", ttl_s=600)
        lease = await office.acquire("live:main")
        assert isinstance(lease, LeaseHold)
        user_id = await connection.run(lambda raw: raw.fetchval("SELECT id::text FROM profiles LIMIT 1"))
        for wallet_id in ("A", OTHER):
            if not await paper.paper.accounts([wallet_id]):
                await paper.strategy(wallet_id, 1_000)
        store = PostgresLiveOrderStore(
            connection=connection, leases=Leases((lease,)), accounts=("main",), not_found_interval_ms=INTERVAL_MS
        )
        yield LiveWorld(
            store,
            connection=connection,
            database=database,
            leases=Leases((lease,)),
            user_id=user_id,
            trades=paper.trades,
        )


@asynccontextmanager
async def either_live(database: DatabaseOptions | None) -> AsyncIterator[LiveWorld]:
    """A world in a database or in memory, with one strategy; at the end its money adds up."""
    if database is None:
        world = memory_live()
        await world.strategy()
        yield world
        await world.check()
        return
    async with postgres_live(database) as world:
        await world.strategy()
        yield world
        await world.check()


def hash_of(number: int) -> str:
    return f"0x{number:064x}"


def buy(number: int, strategy_id: str = "LT_A", attempt: int = 1, **changes: Any) -> LiveIntent:
    """A claim to copy the trade of that number."""
    cause = changes.pop("cause", f"trade-{number}")
    values = {"token_id": "77", "condition_id": "0xc0", "signal_ms": T0 + number, **changes}
    return intent(
        strategy_id=strategy_id,
        cause=cause,
        attempt=attempt,
        order_id=order_id_of(strategy_id, cause, attempt),
        **values,
    )


def sell(number: int, one: LiveExit, shares: str) -> LiveIntent:
    """An attempt of an obligation."""
    return intent(
        Side.SELL, strategy_id=one.strategy_id, cause=one.exit_id, attempt=number, origin=OrderOrigin.EXIT,
        order_id=order_id_of(one.strategy_id, one.exit_id, number), token_id=one.token_id, condition_id=one.condition_id,
        wanted_shares=D(shares), limit_price=D("0.4"), trader=one.trader, signal_ms=one.signal_ms,
    )  # fmt: skip


def bytes_for(claim: LiveIntent, number: int, **changes: Any) -> SignedOrder:
    """20 shares at 0.50 for at most 10.50 USD, or a sale of them."""
    if claim.side is Side.SELL:
        changes = {"spend_usd": None, "lock_usd": D(0), "size_shares": claim.wanted_shares, **changes}
    return signed(order_hash=hash_of(number), body=f"{number}".encode(), **changes)


def told(number: int, trade_id: str, shares: str, price: str = "0.50", **changes: Any) -> Filled:
    values: dict[str, Any] = {
        "order_hash": hash_of(number), "trade_id": trade_id, "shares": D(shares), "price": D(price), "role": "TAKER",
        "status": "MATCHED", "transaction_hash": None, "match_ms": T0 + 30, "at_ms": T0 + 40,
    }  # fmt: skip
    return Filled(**{**values, **changes})


def owed(number: int, strategy_id: str = "LT_A", **changes: Any) -> LiveExit:
    """An obligation to sell half of what was copied from the trader up to the trade of that number."""
    values: dict[str, Any] = {
        "strategy_id": strategy_id, "cause": f"sale-{number}", "kind": ExitKind.TRADER_SELL, "condition_id": "0xc0",
        "token_id": "77", "trader": intent().trader, "share": D("0.5"), "signal_price": D("0.6"),
        "signal_ms": T0 + number, "created_ms": T0 + 50, "deadline_ms": T0 + 300_000, "next_try_ms": T0 + 50, **changes,
    }  # fmt: skip
    return LiveExit(exit_id=exit_id_of(values["strategy_id"], values["cause"], values["token_id"]), **values)


def resolved(payout: str, token_id: str = "77", condition_id: str = "0xc0") -> Payouts:
    return Payouts(condition_id=condition_id, by_token={token_id: D(payout)}, source="gamma")


async def journaled(world, number, *, claim=None, **changes):
    """Claims and journals an order; `claim` changes what is claimed."""
    claim = buy(number, **(claim or {}))
    await world.store.claim([claim])
    result = await world.store.journal([(claim, bytes_for(claim, number, **changes))])
    assert not result.refused
    return claim


async def bought(world, number, shares="20", **changes):
    """An order of 20 shares that has ended with so many of them at 0.50 and a fee of 1.25 %."""
    claim = await journaled(world, number, **changes)
    over = Seen(order_hash=hash_of(number), venue_status="MATCHED", matched_shares=D(shares), at_ms=T0 + 60)
    await world.store.apply([told(number, f"t{number}", shares), over])
    return claim


async def sold(world, number, one, shares, price="0.6", attempt=1):
    """Sells for an obligation, with one fill."""
    claim = sell(attempt, one, shares)
    assert await world.store.claim([claim])
    assert not (await world.store.journal([(claim, bytes_for(claim, number))])).refused
    return await world.store.apply([told(number, f"s{number}", shares, price, role="MAKER")])
