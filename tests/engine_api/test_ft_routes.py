from decimal import Decimal

import attrs
import pytest
from engine_adapters.paper_worlds import NOON_MS
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_api.said_prices import Prices
from engine_postgres.ft_world import ft_world

from actors.jobs.ft_snapshot import HOUR_MS, FtSnapshot
from engine.adapters.postgres.ft_report_store import PostgresFtReports
from engine.adapters.postgres.ft_snapshot_store import PostgresSnapshotStore
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.api.bots_read_routes import bots_read_routes
from engine.api.ft_order_routes import ft_order_routes
from engine.api.ft_wallet_routes import ft_wallet_routes
from engine.api.openapi import openapi_document
from protocols.jobs import RunningJob
from protocols.strategies import StrategySettings
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BEARERS = {
    TOKEN: principal(Scope.READ),
    "bob": attrs.evolve(principal(Scope.READ, token_id="t2"), user_id=OTHER_ID, user_name="bob"),
    "admin": attrs.evolve(principal(*Scope, token_id="t3"), user_id=OTHER_ID, user_name="bob"),
}
# Every row that a GET might touch by mistake.
EVERYTHING = """
SELECT (SELECT json_agg(t ORDER BY wallet_id) FROM ft_wallets t)::text,
    (SELECT json_agg(t ORDER BY wallet_id) FROM ft_balances t)::text,
    (SELECT count(*) FROM ft_performance_snapshots), (SELECT count(*) FROM ft_orders), (SELECT version FROM strategy_version)
"""


@attrs.define
class Clock:
    ms: int = NOON_MS

    def now_ms(self):
        return self.ms


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        await made.run(USERS, USER_ID, OTHER_ID)
        yield made


@pytest.fixture
def prices():
    return Prices()


def routes_of(world, prices):
    reports = PostgresFtReports(connection=world.connection, clock=Clock())
    snapshots = PostgresSnapshotStore(world.connection)
    return [
        *ft_wallet_routes(reports, Clock()),
        *ft_order_routes(reports, snapshots, prices, Clock()),
        *bots_read_routes(reports, snapshots, Clock()),
    ]


@pytest.fixture
async def api(world, prices):
    async with serving_routes(*routes_of(world, prices), gate=gate_of(BEARERS)) as client:
        yield client


async def read(api, path, token=TOKEN):
    answer = await api.get(path, token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def walk(api, path, key, token=TOKEN):
    """Every row of a list, over all its pages."""
    rows, cursor = [], ""
    while cursor is not None:
        page = await read(api, f"{path}{cursor}", token)
        rows += page[key]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        assert len(rows) < 5_000, "it never ends"
    return rows


async def snapshots_at(world, *hours):
    lease = await PostgresJobStore(world.connection).claim("ft-snapshot", slot_ms=0, owner="me", holder="t", ttl_s=600)
    for hour in hours:
        store = PostgresSnapshotStore(world.connection)
        await FtSnapshot(store=store, clock=Clock(NOON_MS + hour * HOUR_MS)).run(RunningJob(lease=lease))


async def test_the_list_shows_my_strategies_and_to_administrators_everybodys(api, world):
    await world.strategy("MINE", USER_ID, end_date=NOON_MS + 5_400_000)
    await world.strategy("THEIRS", OTHER_ID, is_active=False)
    trade, _ = await world.buy("MINE")
    await world.market(trade, '["0.9", "0.1"]')
    won, _ = await world.buy("MINE")
    await world.settle(won, "1")
    [mine] = (await read(api, "/api/ft/wallets"))["wallets"]
    assert (mine["walletId"], mine["owner"], mine["status"], mine["hoursRemaining"]) == ("MINE", "ann", "ACTIVE", 1.5)
    assert (mine["realizedPnl"], mine["unrealizedPnl"], mine["totalPnl"], mine["returnPct"]) == (9.9, 7.9, 17.8, 1.78)
    assert (mine["winRate"], mine["orders"], mine["openOrders"], mine["exposure"]) == (1, 2, 1, 10.1)
    assert (mine["tradesSeen"], mine["madePct"]) == (0, None)
    listed = await walk(api, "/api/ft/wallets?limit=1", "wallets", "admin")
    assert [(one["walletId"], one["status"]) for one in listed] == [("MINE", "ACTIVE"), ("THEIRS", "PAUSED")]


async def test_the_detail_has_settings_positions_trades_days_and_niches(api, world):
    await world.strategy("MINE", USER_ID, min_edge=Decimal("0.05"))
    open_trade, _ = await world.buy("MINE")
    won, _ = await world.buy("MINE")
    await world.market(open_trade, '["0.9", "0.1"]')
    await world.market(won, '["1", "0"]')
    await world.settle(won, "1")
    detail = await read(api, "/api/ft/wallets/MINE")
    assert detail["settings"]["min_edge"] == "0.05"
    assert [(one["outcome"], one["currentPrice"], one["unrealizedPnl"]) for one in detail["openPositions"]] == [
        ("OPEN", 0.9, 7.9)
    ]
    assert [(one["outcome"], one["pnl"]) for one in detail["recentTrades"]] == [("WON", 9.9)]
    assert [(one["won"], one["cumulativePnl"]) for one in detail["daily"]] == [(1, 9.9)]
    assert [(one["niche"], one["trades"], one["winRate"]) for one in detail["byNiche"]] == [("SPORTS", 1, 1)]
    assert (await read(api, "/api/ft/wallets/MINE", "admin"))["wallet"]["walletId"] == "MINE"


@pytest.mark.parametrize(
    "path",
    [
        "/api/ft/wallets/{}", "/api/ft/orders?walletId={}", "/api/ft/daily-stats?walletId={}", "/api/ft/snapshots?walletId={}",
        "/api/v2/bots/{}",
    ],
)  # fmt: skip
async def test_what_belongs_to_others_is_not_found(path, api, world):
    await world.strategy("MINE", USER_ID)
    for name, token in (("MINE", "bob"), ("NOBODY", TOKEN), ("NOBODY", "admin")):
        assert error_of(await api.get(path.format(name), token=token))[:2] == (404, "unknown_strategy")
    assert (await api.get(path.format("MINE"), token="admin")).status_code == 200
    assert error_of(await api.get(path.format("a%00b")))[::2] == (400, "walletId")


async def test_a_thousand_and_one_strategies_are_listed_everywhere(api, world):
    names = [(f"S{number:04}", StrategySettings()) for number in range(1_001)]
    await StrategyStore(world.connection).create(names, USER_ID, "test")
    expected = [name for name, _ in names]
    for path, key in (
        ("/api/ft/wallets?limit=200", "wallets"),
        ("/api/ft/wallets/public?limit=400", "wallets"),
        ("/api/ft/leaderboard?by=pnl&limit=200", "ranks"),
        ("/api/v2/bots?limit=200", "bots"),
    ):
        assert [one["walletId"] for one in await walk(api, path, key)] == expected, path


async def test_orders_are_walked_by_pages(api, world):
    await world.strategy("MINE", USER_ID)
    bought = [await world.buy("MINE") for _ in range(5)]
    await world.settle(bought[2][0], "0")
    rows = await walk(api, "/api/ft/orders?walletId=MINE&limit=2", "orders")
    assert [one["orderId"] for one in rows] == [order.order_id for _, order in reversed(bought)]
    lost = await walk(api, "/api/ft/orders?walletId=MINE&outcome=LOST&limit=1", "orders")
    assert [one["orderId"] for one in lost] == [bought[2][1].order_id]
    for cursor in ("x", "WzEsMSwiYSJd", ""):
        assert error_of(await api.get(f"/api/ft/orders?walletId=MINE&cursor={cursor}"))[::2] == (400, "cursor")


async def test_days_are_walked_by_pages_and_keep_their_sum(api, world):
    await world.strategy("MINE", USER_ID)
    await world.run(
        "INSERT INTO ft_daily_stats (wallet_id, day, won, pnl)"
        " SELECT 'MINE', date '2026-05-01' + n, 1, 1 FROM generate_series(0, 4) n"
    )
    rows = await walk(api, "/api/ft/daily-stats?walletId=MINE&from=2026-05-02&limit=2", "days")
    assert [(one["day"], one["cumulativePnl"]) for one in rows] == [(f"2026-05-0{n}", n) for n in range(2, 6)]
    for name in ("from", "cursor"):
        for text in ("2026-13-01", "20260501", "yesterday"):
            assert error_of(await api.get(f"/api/ft/daily-stats?walletId=MINE&{name}={text}"))[::2] == (400, name)


async def test_snapshots_are_read_between_two_times(api, world):
    await world.strategy("MINE", USER_ID)
    await snapshots_at(world, 0, 1, 2, 3)
    path = f"/api/ft/snapshots?walletId=MINE&limit=1&from={NOON_MS // 1000}&to={NOON_MS // 1000 + 2 * 3600}"
    rows = await walk(api, path, "snapshots")
    assert [one["snapshotAt"][11:16] for one in rows] == ["21:00", "22:00"]
    assert rows[0]["cash"] == 1000
    assert error_of(await api.get("/api/ft/snapshots?walletId=MINE&from=noon"))[::2] == (400, "from")


async def refresh(api, name="MINE", token=TOKEN):
    return await api.ask("POST", "/api/ft/snapshot-refresh", json={"walletId": name}, token=token)


async def test_a_snapshot_on_demand_has_fresh_prices_by_token(api, world, prices):
    await world.strategy("MINE", USER_ID)
    fresh, stale, unnamed, unknown = [(await world.buy("MINE"))[0] for _ in range(4)]
    for trade in (fresh, stale, unnamed, unknown):
        await world.market(trade, '["0.5", "0.5"]')
    prices.say(fresh, "0.2", "0.8")
    prices.say(stale, "0.2", "0.8", stale=True)
    prices.say(unnamed, "0.6", "0.4", tokens=False)
    made = (await refresh(api)).json()
    # 20 shares at 0.8 and at 0.6, for 10.1 each; the others have no price that is fresh.
    assert (made["unrealizedPnl"], made["openPositions"], made["unmarkedPositions"]) == (7.8, 4, 2)
    assert prices.asked == [(sorted(one.trade.condition_id for one in (fresh, stale, unnamed, unknown)), 0)]
    [kept] = (await read(api, "/api/ft/snapshots?walletId=MINE"))["snapshots"]
    assert kept == made


async def test_without_an_upstream_there_is_no_snapshot_unless_nothing_is_open(api, world, prices):
    prices.down = True
    await world.strategy("MINE", USER_ID)
    assert (await refresh(api)).json()["totalPnl"] == 0
    await world.buy("MINE")
    assert (await refresh(api)).status_code == 503
    assert error_of(await refresh(api, token="bob"))[:2] == (404, "unknown_strategy")
    assert error_of(await refresh(api, "NOBODY"))[:2] == (404, "unknown_strategy")
    assert error_of(await refresh(api, "a b"))[0] == 400


async def test_bots_are_filtered_by_risk_and_category(api, world):
    careful = {"max_bet": Decimal(5), "price_min": Decimal("0.6")}
    bold = {"max_bet": Decimal(200)}
    await world.strategy("CAREFUL", USER_ID, **careful)
    await world.strategy("BOLD", USER_ID, **bold, market_categories=("bitcoin",))
    await world.strategy("LIVE", OTHER_ID, trade_live_only=True, market_categories=("NBA",))
    expected = {
        "": ["BOLD", "CAREFUL", "LIVE"], "&risk=CONSERVATIVE": ["CAREFUL"], "&risk=AGGRESSIVE": ["BOLD"],
        "&risk=MODERATE": ["LIVE"], "&category=CRYPTO": ["BOLD"], "&category=SPORTS": ["LIVE"], "&category=LIVE": ["LIVE"],
        "&category=POLITICS": [], "&category=FINANCE": [], "&risk=AGGRESSIVE&category=CRYPTO": ["BOLD"],
        "&risk=MODERATE&category=CRYPTO": [],
    }  # fmt: skip
    for query, bots in expected.items():
        listed = await walk(api, f"/api/v2/bots?limit=1{query}", "bots", "admin")
        assert [one["walletId"] for one in listed] == bots, query
        mine = await walk(api, f"/api/v2/bots?limit=1{query}", "bots")
        assert [one["walletId"] for one in mine] == [name for name in bots if name != "LIVE"], query
        if query.startswith("&risk="):
            assert {one["riskLevel"] for one in listed} <= {query.split("&")[1].removeprefix("risk=")}
    for query, field in (("risk=RISKY", "risk"), ("category=ALL", "category"), ("filter=ALL", "filter")):
        assert error_of(await api.get(f"/api/v2/bots?{query}"))[::2] == (400, field)


async def test_a_bot_shows_curve_trades_and_signals_but_no_settings(api, world):
    strategy = await world.strategy("MINE", USER_ID)
    await world.buy("MINE")
    await world.run("""UPDATE decisions SET strategies = ARRAY[$1::integer, -1],
        snapshot = '{"side": "BUY", "price": "0.5", "wallet": "0x1"}'""", strategy.number)  # fmt: skip
    await snapshots_at(world, 0, 1)
    answer = await read(api, "/api/v2/bots/MINE")
    assert set(answer) == {"bot", "equity", "trades", "signals"}
    assert (len(answer["equity"]), len(answer["trades"]), answer["bot"]["trades"]) == (2, 1, 1)
    assert [one["reason"] for one in answer["signals"]] == ["taken"]
    later = await read(api, f"/api/v2/bots/MINE?since={NOON_MS // 1000 + 1}")
    assert len(later["equity"]) == 1
    assert error_of(await api.get("/api/v2/bots/NOBODY"))[:2] == (404, "unknown_strategy")


async def test_looking_changes_nothing(api, world):
    await world.strategy("MINE", USER_ID, starting_balance=Decimal("10.1"))
    await world.buy("MINE")
    before = await world.run(EVERYTHING)
    for path in (
        "/api/ft/wallets", "/api/ft/wallets/MINE", "/api/ft/wallets/public", "/api/ft/orders?walletId=MINE",
        "/api/ft/leaderboard",
        "/api/ft/daily-stats?walletId=MINE", "/api/ft/snapshots?walletId=MINE", "/api/v2/bots", "/api/v2/bots/MINE",
    ):  # fmt: skip
        await read(api, path)
    assert await world.run(EVERYTHING) == before


async def test_every_answer_is_described(world, prices):
    document = openapi_document(routes_of(world, prices))
    assert "/api/ft/wallets/{walletId}" in str(document)


async def test_a_bad_place_of_the_leaderboard_is_refused(api):
    for cursor in ("x", "1~", "~A", "NaN~A", "1e5~A", "1~A%0A"):
        assert error_of(await api.get(f"/api/ft/leaderboard?cursor={cursor}"))[::2] == (400, "cursor")
