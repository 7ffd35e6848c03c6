"""Trades that the database holds, played again: the same trades, each with what was known of its trader on its day."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from actors.rules.backtest.record_book import Bought, RecordBook, day_rows
from config.loader import load_config
from engine.adapters.memory.paper_stage import Position
from engine.adapters.postgres.backtest_store import PostgresBacktestStore
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, Leases
from engine.adapters.postgres.trade_store import PostgresTradeStore
from engine.replay.host import Replayed, ReplayOrder, ReplayView, replay
from engine.replay.stored import StoredTape, stored_tape
from engine.simulator.tape import TapeRow, row_from
from protocols.backtest import BacktestQuery
from protocols.decisions import Absent, Book, Inputs, Present, Score
from protocols.errors import RejectedError
from protocols.strategies import EntryModel, StrategySettings
from protocols.trade_identity import fill_key, trade_id_of
from protocols.trades import Lane, LanedTrade, Trade
from protocols.venue.trade_row import trade_row_from

DAY_S = 86_400
BEGAN_S = 1_780_272_000
"""Midnight, UTC."""
LEADER, OTHER = "0x" + "1" * 40, "0x" + "2" * 40
CONDITIONS = ("0x" + "a" * 64, "0x" + "b" * 64)
QUERY = BacktestQuery(since_ms=BEGAN_S * 1000, until_ms=(BEGAN_S + 10 * DAY_S) * 1000)
MIRROR = StrategySettings(
    min_edge=None, min_trader_resolved_count=0, bet_size=Decimal(4), entry_model=EntryModel.OBSERVED
)
ADD_MARKET = """
INSERT INTO markets (condition_id, title, market_slug, outcomes, outcome_prices, closed, resolution_status, close_time)
VALUES ($1, 'Rain?', 'rain', '["Yes", "No"]', $2::jsonb, $3, $4, $5)
"""
ADD_TOKEN = "INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) VALUES ($1, $2, $3, $4)"


def tape_row(number: int, at_s: int, side: str = "BUY", price: str = "0.4", **changes: Any) -> TapeRow:
    fields = {
        "proxyWallet": LEADER, "side": side, "asset": "10", "conditionId": CONDITIONS[0], "size": Decimal(100),
        "price": Decimal(price), "timestamp": BEGAN_S + at_s, "transactionHash": f"0x{number:064x}", "title": "Rain?",
        "slug": "rain", "outcome": "Yes", "outcomeIndex": 0,
    }  # fmt: skip
    row = row_from(fields | changes)
    assert row is not None
    return row


def trade_of(row: TapeRow, ordinal: int = 0) -> Trade:
    key = fill_key(trade_row_from(row.fields), row.wallet)
    return Trade(
        trade_id=trade_id_of(key, ordinal), wallet=row.wallet, transaction_hash=row.transaction_hash,
        token_id=row.token_id, condition_id=row.condition_id, side=row.side, size_micro=row.size_micro, price=row.price,
        trade_ms=row.timestamp_s * 1000, outcome=row.text("outcome"), outcome_index=0, market_slug="rain",
        event_slug=None, market_title="Rain?", trader_name=None, trader_image=None, market_image=None, raw="{}",
        seen_s=0.0,
    )  # fmt: skip


@attrs.define(eq=False)
class Stored:
    connection: Connection
    hold: LeaseHold

    async def trades(self, rows: Sequence[TapeRow]) -> None:
        store = PostgresTradeStore(self.connection, Leases((self.hold,)))
        await store.write([LanedTrade(trade_of(row), Lane.FOLLOWED) for row in rows])

    async def market(self, number: int, payouts: Sequence[str] = (), ended_s: int | None = None) -> None:
        ended = None if ended_s is None else datetime.fromtimestamp(BEGAN_S + ended_s, UTC)
        prices = json.dumps(list(payouts)) if payouts else None
        values = (CONDITIONS[number], prices, bool(payouts), "resolved" if payouts else None, ended)
        await self.run(ADD_MARKET, *values)
        for index, outcome in enumerate(("Yes", "No")):
            await self.run(ADD_TOKEN, f"{number + 1}{index}", CONDITIONS[number], outcome, index)

    async def run(self, statement: str, *values: Any) -> None:
        await self.connection.run(lambda raw: raw.execute(statement, *values))

    async def tape(self, **more: Any) -> StoredTape:
        return await stored_tape(PostgresBacktestStore(self.connection, page_rows=2), QUERY, **more)


@pytest.fixture
async def stored(database, aio):
    connection = Connection(database, "test")
    hold = await LeaseOffice(connection=connection, owner="me", holder="test", ttl_s=60).acquire("ingest")
    assert isinstance(hold, LeaseHold)
    yield Stored(connection, hold)
    await connection.aclose()


async def in_thread(order: ReplayOrder) -> Replayed:
    """A replay is a run of trio of its own."""
    return await trio.to_thread.run_sync(replay, load_config(environ={}), order)


def ends(done: Replayed) -> list[tuple[str, str, Decimal, int | None]]:
    def one(position: Position) -> tuple[str, str, Decimal, int | None]:
        return (position.order.source_trade_id, position.outcome, position.pnl, position.resolved_ms)

    return [one(position) for position in done.ledger.positions.values()]


async def test_what_is_stored_plays_like_the_tape_that_it_was(stored: Stored) -> None:
    rows = [
        tape_row(1, 0),
        tape_row(2, 60, price="0.3", asset="11", outcome="No"),
        tape_row(3, 60, "SELL", "0.6", size=Decimal(25)),
        tape_row(4, 90, conditionId=CONDITIONS[1], asset="20"),
    ]
    await stored.trades(rows)
    await stored.market(0, ("1", "0"), 300)
    tape = await stored.tape()
    assert [row.fields["transactionHash"] for row in tape.rows] == [row.transaction_hash for row in rows]
    assert (tape.markets_unknown, tape.markets_open) == (1, 0)
    done = await in_thread(tape.order([("BOT", MIRROR)]))
    # The ids are those under which the trades are stored, so that what is found can be told trade by trade.
    # 10 shares at 0.4 of which a quarter went at 0.6, then 1 USD each; 4 USD on the other side lost.
    end_ms = (BEGAN_S + 300) * 1000
    assert ends(done) == [
        (trade_of(rows[0]).trade_id, "WON", Decimal("5.0"), end_ms),
        (trade_of(rows[1]).trade_id, "LOST", Decimal(-4), end_ms),
        (trade_of(rows[3]).trade_id, "OPEN", Decimal(0), None),
    ]


async def test_what_came_out_later_is_not_known(stored: Stored) -> None:
    await stored.trades([tape_row(1, 0)])
    await stored.market(0, ("1", "0"), 2 * DAY_S)
    known = await stored.tape(known_until_ms=(BEGAN_S + 2 * DAY_S) * 1000)
    assert [one.payouts for one in known.resolutions] == [{"10": 1, "11": 0}]
    unknown = await stored.tape(known_until_ms=(BEGAN_S + 2 * DAY_S) * 1000 - 1)
    assert [(one.payouts, one.closed_ms) for one in unknown.resolutions] == [({}, None)]
    assert unknown.markets_open == 1
    assert ends(await in_thread(unknown.order([("BOT", MIRROR)])))[0][1] == "OPEN"


async def test_no_trades_and_too_many(stored: Stored) -> None:
    assert (await stored.tape()).rows == []
    await stored.trades([tape_row(number, number) for number in range(3)])
    assert len((await stored.tape(trades_max=3)).rows) == 3
    with pytest.raises(RejectedError, match="more than 2 stored trades"):
        await stored.tape(trades_max=2)


def won(day: int, count: int) -> list[Bought]:
    on = datetime.fromtimestamp(BEGAN_S + day * DAY_S, UTC).date()
    one = Bought(
        wallet=LEADER, day=on, price=Decimal("0.5"), shares=Decimal(2), niche="OTHER", structure="YES_NO", ended_on=on,
        payout=Decimal(1),
    )  # fmt: skip
    return [one] * count


def test_a_record_changes_at_midnight_and_not_with_the_days_results() -> None:
    seen: list[tuple[int, int]] = []

    class Watching:
        def at_hand(self, inputs: Inputs) -> Score:
            count = 0 if inputs.trader is None else inputs.trader.lifetime.resolved_count
            seen.append((inputs.trade_ms // 1000 - BEGAN_S, count))
            return Present(probability=Decimal("0.7")) if count else Absent(reason="unknown_trade")

        async def score(self, inputs: Inputs) -> Score:
            return self.at_hand(inputs)

    times = (0, DAY_S - 60, DAY_S + 60, 3 * DAY_S)
    order = ReplayOrder(
        rows=[tape_row(number, at_s) for number, at_s in enumerate(times)],
        bots=[("BOT", attrs.evolve(MIRROR, use_model=True, model_threshold=Decimal("0.5")))],
        record_book=RecordBook.of(day_rows([*won(0, 3), *won(1, 4), *won(3, 9)])),
        scorer=Watching(),
    )
    done = replay(load_config(environ={}), order)
    assert sorted(set(seen)) == [(0, 0), (DAY_S - 60, 0), (DAY_S + 60, 3), (3 * DAY_S, 7)]
    assert {reason: count for (_, reason), count in done.ledger.reasons.items()} == {"ml_unavailable": 2, "taken": 2}


def test_books_are_made_of_what_was_seen_by_then() -> None:
    @attrs.frozen
    class Books:
        view: ReplayView

        async def depth(self, token_id: str) -> Book | None:
            price = self.view.prices[token_id]
            market = self.view.markets[CONDITIONS[0]]
            assert not market.resolved
            return Book(
                bids=((price - Decimal("0.01"), Decimal(1_000)),), asks=((price + Decimal("0.01"), Decimal(1_000)),),
                observed_ms=self.view.clock.now_ms(),
            )  # fmt: skip

    rows = [tape_row(1, 0), tape_row(2, 1, "BUY", "0.401", proxyWallet=OTHER), tape_row(3, 600, "BUY", "0.9")]
    order = ReplayOrder(
        rows=rows,
        bots=[("BOT", attrs.evolve(MIRROR, entry_model=EntryModel.BOOK, fill_delay_ms=2_000))],
        wallets=[LEADER],
        books=Books,
    )
    done = replay(load_config(environ={}), order)
    # The other trader's price came within the two seconds of the first order; the last price stands for the second one.
    assert [one.order.entry_price for one in done.ledger.positions.values()] == [Decimal("0.411"), Decimal("0.91")]
