"""Pages of a trader's lists, put together, are one sort of everything: equal times and missing figures included."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
import trio
from engine_api.api_server import USER_ID, serving_routes
from engine_api.route_walk import walked
from engine_postgres.profile_world import (
    NOW,
    TODAY,
    ProfileWorld,
    StillClock,
    condition,
    day_pnl,
    held,
    seen_closed,
    told_closed,
    trade,
    wallet,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.trader_profile_store import PostgresTraderReports
from engine.api.trader_routes import trader_routes

ANN, EVE = wallet(0xA), wallet(0xE)
PATH = "/api/traders/{wallet}"
CLEAR = """
TRUNCATE trades_public, positions_current, positions_closed, wallet_closed_positions, wallet_realized_pnl_daily,
    trader_stats_daily, trader_open_buys
"""
# So that he is known, whatever else is.
FOLLOW = "INSERT INTO follows (user_id, trader_wallet) SELECT id, $1 FROM profiles ON CONFLICT DO NOTHING"
LOW = Decimal("-Infinity")
hours = st.integers(0, 5)
tokens = st.integers(10, 24).map(str)
figures = st.sampled_from([None, "-1.5", "0", "2", "2.000001"])
worlds = st.fixed_dictionaries(
    {
        "told": st.dictionaries(tokens, st.tuples(hours, figures, st.integers(1, 4), st.booleans()), max_size=9),
        "seen": st.dictionaries(st.tuples(tokens, hours), st.tuples(hours, st.integers(1, 4)), max_size=9),
        "held": st.dictionaries(tokens, st.tuples(hours, figures, st.integers(1, 4)), max_size=9),
        "trades": st.lists(hours, max_size=9),
        "days": st.dictionaries(st.integers(0, 9), figures.filter(bool), max_size=7),
        "counted": st.sets(st.integers(5, 14), max_size=5),
        "pending": st.dictionaries(tokens, st.integers(3, 6), max_size=4),
    }
)


def at(hour):
    return NOW - timedelta(hours=hour * 10)


async def fill(world, of, made):
    await world.put("wallet_closed_positions", [
        told_closed(of, token, closed_at=at(hour), realized_pnl=pnl or "0", avg_price=None if pnl is None else "0.5",
                    condition_id=condition(market), is_unredeemed_loss=lost)
        for token, (hour, pnl, market, lost) in made["told"].items()
    ])  # fmt: skip
    await world.put("positions_closed", [
        seen_closed(of, token, opened_at=at(20 + opened), closed_at=at(hour), condition_id=condition(market))
        for (token, opened), (hour, market) in made["seen"].items()
    ])  # fmt: skip
    await world.put("positions_current", [
        held(of, token, opened_at=at(hour), value_usd=value, cost_usd="1", condition_id=condition(market))
        for token, (hour, value, market) in made["held"].items()
    ])  # fmt: skip
    await world.put(
        "trades_public", [trade(f"{of[-1]}{n}", of, age_s=hour * 36_000) for n, hour in enumerate(made["trades"])]
    )
    await world.put(
        "wallet_realized_pnl_daily",
        [day_pnl(of, TODAY - timedelta(days=ago), pnl) for ago, pnl in made["days"].items()],
    )
    await world.put("trader_stats_daily", [
        {"wallet_address": of, "day": TODAY - timedelta(days=ago), "niche": "n", "structure": "s",
         "bracket": "LOW", "trades": 1}
        for ago in made["counted"]
    ])  # fmt: skip
    await world.put("trader_open_buys", [
        {"wallet_address": of, "token_id": token, "bracket": "LOW", "condition_id": condition(market), "trades": 2, "shares": 1,
         "usd": 1} for token, market in made["pending"].items()
    ])  # fmt: skip


class Reference:
    """The lists as sorting everything computes them."""

    def __init__(self, made):
        self.made = made
        lost = {token for token, (*_, is_lost) in made["told"].items() if is_lost}
        self.kept = {token: row for token, row in made["held"].items() if token not in lost}
        self.observed = {}
        for (token, _), (hour, market) in sorted(made["seen"].items(), key=lambda one: -one[0][1]):
            if token not in made["told"]:
                self.observed[token] = (hour, market)

    def open(self, sort):
        def key(token):
            hour, value, _ = self.kept[token]
            return (LOW if value is None else Decimal(value)) if sort == "value" else -hour, token

        return sorted(self.kept, key=key, reverse=True)

    def closed(self):
        rows = [(hour, token) for token, (hour, *_) in self.made["told"].items()]
        return [token for _, token in sorted(rows + [(hour, token) for token, (hour, _) in self.observed.items()])]

    def trades(self):
        return [n for hour, n in sorted(((-hour, n) for n, hour in enumerate(self.made["trades"])), reverse=True)]

    def activity(self):
        traded = {at(hour).date() for hour in self.made["trades"]}
        ago = set(self.made["days"]) | self.made["counted"]
        return sorted(traded | {TODAY - timedelta(days=days) for days in ago}, reverse=True)

    def markets(self, sort):
        last, bought, realized, unknown = {}, defaultdict(Decimal), {}, set()
        for hour, pnl, market, _ in self.made["told"].values():
            last[market] = max(last.get(market, at(99)), at(hour))
            realized[market] = realized.get(market, Decimal(0)) + Decimal(pnl or 0)
            bought[market] += 5
            unknown |= {market} if pnl is None else set()
        for hour, market in self.observed.values():
            last[market] = max(last.get(market, at(99)), at(hour))
            unknown.add(market)
        for hour, _, market in self.kept.values():
            last[market] = max(last.get(market, at(99)), at(hour))
        known = {market: sum_ for market, sum_ in bought.items() if market not in unknown}
        figure = {"recent": last, "realized": realized, "bought": known}[sort]
        lowest = at(999) if sort == "recent" else LOW
        everything = set(last) | set(self.made["pending"].values())
        return [condition(n) for n in sorted(everything, key=lambda n: (figure.get(n, lowest), n), reverse=True)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=worlds, others=worlds, limit=st.integers(1, 6), since=st.integers(0, 9))
def test_every_walk_through_the_pages_is_the_sorted_list(made, others, limit, since, database):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                world = ProfileWorld(connection)
                await world.run(CLEAR)
                await world.run(
                    "INSERT INTO follows (user_id, trader_wallet) SELECT id, $1 FROM profiles ON CONFLICT DO NOTHING",
                    ANN,
                )
                await fill(world, ANN, made)
                await fill(world, EVE, others)
                await compared(PostgresTraderReports(connection=connection, clock=StillClock()))
            finally:
                await connection.aclose()

    async def compared(reports):
        routes, expected = trader_routes(reports), Reference(made)

        async def ids(path, name, **given_):
            rows = await walked(routes, PATH + path, name, wallet=ANN, limit=limit, **given_)
            keys = {"closed": "token_id", "open": "token_id", "trades": "trade_id", "markets": "condition_id"}
            return [getattr(row, keys.get(name) or ("date" if path == "/pnl" else "day")) for row in rows]

        for sort in ("value", "opened"):
            assert await ids("/positions", "open", sort=sort) == expected.open(sort)
        assert await ids("/positions", "closed", state="closed") == expected.closed()
        assert await ids("/trades", "trades") == [f"a{n}" for n in expected.trades()]
        for sort in ("recent", "realized", "bought"):
            assert await ids("/markets", "markets", sort=sort) == expected.markets(sort)
        assert await ids("/activity", "days") == expected.activity()
        first = TODAY - timedelta(days=since)
        assert await ids("/pnl", "days", since=first) == sorted(
            TODAY - timedelta(days=ago) for ago in made["days"] if ago <= since
        )

    trio.run(main)


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = ProfileWorld(connection)
    await made.user("ann", USER_ID)
    yield made
    await connection.aclose()


MANY = 1_501


async def test_a_thousand_and_more_rows_of_one_moment_are_all_there(world):
    """Over HTTP, ten pages and more of each list; all rows share their time, so that only ids tell them apart."""
    await world.put("positions_current", [held(ANN, f"{n:05}", value_usd="3") for n in range(MANY)])
    await world.put(
        "wallet_closed_positions", [told_closed(ANN, f"c{n:05}", condition_id=condition(n)) for n in range(MANY)]
    )
    await world.put("positions_closed", [seen_closed(ANN, f"s{n:05}") for n in range(MANY)])
    await world.put("trades_public", [trade(f"{n:05}", ANN, condition_id=condition(n)) for n in range(MANY)])
    await world.put("wallet_realized_pnl_daily", [day_pnl(ANN, TODAY - timedelta(days=n), "1") for n in range(MANY)])
    routes = trader_routes(PostgresTraderReports(connection=world.connection, clock=StillClock()))
    lists = {
        "positions?": ("open", "tokenId", MANY), "positions?sort=opened&": ("open", "tokenId", MANY),
        "positions?state=closed&": ("closed", "tokenId", 2 * MANY), "trades?": ("trades", "tradeId", MANY),
        "pnl?": ("days", "date", MANY), "markets?": ("markets", "conditionId", MANY), "activity?": ("days", "day", MANY),
    }  # fmt: skip
    async with serving_routes(*routes) as api:
        for path, (name, key, count) in lists.items():
            found, cursor = [], ""
            while cursor is not None:
                page = (await api.get(f"/api/traders/{ANN}/{path}limit=100{cursor}")).json()
                found += [row[key] for row in page[name]]
                cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
            assert len(found) == len(set(found)) == count, path
        profile = (await api.get(f"/api/traders/{ANN}")).json()
    assert (profile["open"]["count"], profile["open"]["value"], profile["activeDays"]) == (MANY, 3 * MANY, MANY)
    assert (profile["closed"]["closed"], len(profile["daily"]), len(profile["open"]["positions"])) == (2 * MANY, 90, 50)


@pytest.mark.parametrize(("failed", "waiting"), [(0, 0), (1, 0), (0, 1)])
async def test_rankings_are_complete_when_every_wallet_was_read(world, failed, waiting):
    await world.put("traders", [{"wallet_address": ANN}])
    state = {
        "anchor_date": TODAY,
        "wallets": 9,
        "wallets_failed": failed,
        "wallets_waiting": waiting,
        "read_since": NOW,
    }
    await world.put("wallet_rankings_state", [state])
    routes = trader_routes(PostgresTraderReports(connection=world.connection, clock=StillClock()))
    async with serving_routes(*routes) as api:
        profile = (await api.get(f"/api/traders/{ANN}")).json()
    assert profile["rankings"]["isComplete"] is (failed + waiting == 0)
