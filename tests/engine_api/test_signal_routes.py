"""PolySignal over HTTP: of one trade, and of a page of the feed."""

import json
from decimal import Decimal

import msgspec
import pytest
from engine_adapters.paper_worlds import NOON_MS, traded
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.ft_world import ft_world

from actors.rules.polysignal import SignalInputs, polysignal
from config.jobs import RetentionConfig
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.feed_fact_store import PostgresFeedFacts
from engine.adapters.postgres.feed_store import PostgresFeedStore
from engine.adapters.postgres.signal_store import INPUTS, PostgresSignalStore
from engine.api.answer import encode
from engine.api.feed_routes import feed_routes
from engine.api.feed_search import FeedSearch
from engine.api.signal_routes import signal_routes
from protocols.feed import FeedRow
from protocols.users import Scope

USER = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann')"
FOLLOW = "INSERT INTO follows (user_id, trader_wallet) VALUES ($1::text::uuid, $2)"
RECORD = """
INSERT INTO trader_global_stats (wallet_address, l_win_rate, l_count, l_resolved_count, l_avg_trade_size_usd,
    d30_win_rate, d30_count, d30_resolved_count, d30_avg_trade_size_usd, d7_count, d7_resolved_count)
VALUES ($1, 0.6, 100, 80, 0.1, $2, $3, $3, $4, 0, 0)
"""
PATH = "/api/v2/feed/trades"


class Clock:
    def now_ms(self):
        return NOON_MS + 60_000


class Counting:
    """The store, and how often it was asked."""

    def __init__(self, store):
        self.store, self.asked = store, []

    async def inputs(self, trade_ids):
        self.asked.append(list(trade_ids))
        return await self.store.inputs(trade_ids)


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        await made.run(USER, USER_ID)
        yield made


@pytest.fixture
def store(world):
    return Counting(PostgresSignalStore(world.connection))


@pytest.fixture
async def api(world, store):
    raw = world.connection
    search = FeedSearch(
        store=PostgresFeedStore(raw), facts=PostgresFeedFacts(raw), markets=PostgresDecisionMarkets(raw), signals=store,
        clock=Clock(),
    )  # fmt: skip
    feed = feed_routes(search, None, RetentionConfig())
    routes = [*feed[:1], *signal_routes(store)]
    async with serving_routes(*routes, gate=gate_of({TOKEN: principal(Scope.READ)})) as client:
        yield client


async def followed(world, *numbers):
    """Stored trades of somebody that the user follows."""
    made = [traded(number) for number in numbers]
    await world.paper.trades.write(made)
    for wallet in {one.trade.wallet for one in made}:
        await world.run(FOLLOW, USER_ID, wallet)
    return made


def values_of(signal):
    return {one["name"]: one["value"] for one in signal["indicators"]}


async def test_what_nobody_knows_is_absent(api, world):
    [trade] = await followed(world, 1)
    answer = (await api.get(f"/api/polysignal?tradeId={trade.trade.trade_id}")).json()
    absent = [one for one in answer["signal"]["indicators"] if one["label"] == "absent"]
    assert {one["name"]: (one["value"], one["points"]) for one in absent} == {
        "conviction": (None, 0), "traderWr": (None, 0), "edge": (None, 0), "experience": (None, 0),
    }  # fmt: skip
    assert values_of(answer["signal"])["entryBand"] == float(trade.trade.price)


@pytest.mark.parametrize(
    ("win_rate", "count", "average", "expected"),
    [
        # Thirty days go before the lifetime, each figure by itself.
        (Decimal("0.7"), 12, Decimal(2), (0.7, 12, 2)),
        (None, 0, None, (0.6, 80, Decimal("0.1"))),
        (Decimal(0), 0, None, (0, 80, Decimal("0.1"))),
    ],
)
async def test_the_record_is_that_of_thirty_days_then_that_of_the_lifetime(
    api, world, win_rate, count, average, expected
):
    [trade] = await followed(world, 1)
    await world.run(RECORD, trade.trade.wallet, win_rate, count, average)
    values = values_of((await api.get(f"/api/polysignal?tradeId={trade.trade.trade_id}")).json()["signal"])
    usd = trade.trade.price * trade.trade.size_micro / 1_000_000
    assert (values["traderWr"], values["experience"]) == expected[:2]
    assert values["conviction"] == pytest.approx(float(usd / expected[2]), abs=1e-6)
    assert values["edge"] is None


async def test_a_trade_that_is_not_stored_is_unknown(api):
    assert error_of(await api.get("/api/polysignal?tradeId=nothing-0"))[:2] == (404, "unknown_trade")
    for query in ("", "?tradeId=", "?tradeId=a%00b", "?tradeId=a%0A", "?tradeId=" + "x" * 301):
        refused = error_of(await api.get("/api/polysignal" + query))
        assert (refused[0], refused[2]) == (400, "tradeId")


async def test_a_page_without_signals_is_byte_for_byte_what_it_was_and_asks_for_none(api, world, store):
    await followed(world, 1, 2, 3)
    plain = await api.get(PATH)
    rows = msgspec.json.decode(plain.content, type=_Page).trades
    assert plain.content == encode({"trades": rows, "nextCursor": None})
    assert [list(row) for row in plain.json()["trades"]] == [_names()] * 3
    assert store.asked == []


class _Page(msgspec.Struct):
    trades: list[FeedRow]


def _names():
    return [field.encode_name for field in msgspec.structs.fields(FeedRow)]


async def test_a_page_with_signals_has_one_in_each_row_by_one_query(api, world, store):
    trades = await followed(world, 1, 2, 3)
    await world.run(RECORD, trades[0].trade.wallet, Decimal("0.6"), 30, Decimal(1))
    plain, with_signal = await api.get(PATH), await api.get(PATH + "?signal=1")
    rows = with_signal.json()["trades"]
    assert [list(row) for row in rows] == [[*_names(), "signal", "copiedBy"]] * 3
    assert [{name: row[name] for name in _names()} for row in rows] == plain.json()["trades"]
    assert with_signal.json()["nextCursor"] is None
    assert len(store.asked) == 1
    for row in rows:
        assert row["signal"] == (await api.get(f"/api/polysignal?tradeId={row['tradeId']}")).json()["signal"]
    inputs = (await store.inputs([rows[0]["tradeId"]]))[rows[0]["tradeId"]]
    assert json.loads(encode(polysignal(inputs))) == rows[0]["signal"]
    assert isinstance(inputs, SignalInputs)


async def test_pages_with_signals_go_on_where_they_ended(api, world, store):
    await followed(world, *range(1, 8))
    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"{PATH}?signal=1&limit=3{cursor}")).json()
        seen += [row["tradeId"] for row in page["trades"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert seen == [row["tradeId"] for row in (await api.get(PATH)).json()["trades"]]
    assert len(store.asked) == 3


async def test_an_empty_page_asks_for_no_signals(api, store):
    assert (await api.get(PATH + "?signal=1")).json() == {"trades": [], "nextCursor": None}
    assert store.asked == []
    refused = error_of(await api.get(PATH + "?signal=yes"))
    assert (refused[0], refused[2]) == (400, "signal")


async def test_two_hundred_rows_look_up_rows_and_read_no_table(world, store):
    await world.paper.trades.write([traded(number) for number in range(1, 401)])
    await world.run("ANALYZE trades_public")
    ids = [row["trade_id"] for row in await world.run("SELECT trade_id FROM trades_public LIMIT 200")]
    plan = await world.run("EXPLAIN " + INPUTS, ids)
    assert not [row for row in plan if "Seq Scan" in row[0]]
    assert set(await store.inputs(ids)) == set(ids)
