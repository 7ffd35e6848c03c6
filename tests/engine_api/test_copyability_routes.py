"""What copying a trader would have made, over HTTP: as kept, computed in a real side process, and the list of the best."""

from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import pytest
import trio
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.copyability_world import document, flag, keep, traded
from engine_postgres.profile_world import ProfileWorld, StillClock, wallet

from config.copyability import CopyabilityConfig
from config.sources import ConfigInputs
from engine.adapters.postgres.copyability_store import PostgresCopyabilityReports
from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.trader_profile_store import PostgresTraderReports
from engine.api.copyability_routes import copyability_routes
from engine.api.discover_routes import discover_routes
from engine.copyability.desk import REMEMBERED_S, WAITING_MAX, CopyabilityDesk
from engine.copyability.side_scoring import SideScoring
from engine.side_process import SideDesk, SideProcessError
from protocols.errors import RejectedError, TransientError
from protocols.users import Scope

BEARERS = {TOKEN: principal(Scope.READ), "trader": principal(Scope.TRADE, token_id="t2")}
PATIENCE_S = 120
PATH = f"/api/traders/{wallet(1)}/copyability"


@pytest.fixture
async def world(database, aio):
    async with open_pool(database, "test", 3) as pool:
        made = ProfileWorld(pool)
        await made.user("ann", USER_ID)
        yield made


@asynccontextmanager
async def api_of(world, database, side=None):
    inputs = ConfigInputs.of(environ={"POLYCOPY_DATABASE__URL": database.dsn})
    scoring = SideScoring(desk=side or SideDesk(config=inputs), config=CopyabilityConfig(), kind="copyability")
    desk = CopyabilityDesk(reports=PostgresCopyabilityReports(world.connection), scoring=scoring)
    clock = StillClock()
    routes = [
        *copyability_routes(desk, PostgresTraderReports(connection=world.connection, clock=clock)),
        *discover_routes(PostgresDiscoverLists(connection=world.connection, clock=clock), clock),
    ]
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        yield client


async def test_what_the_job_found_is_answered_as_it_was_kept(world, database):
    await traded(world, 1, days=2, wins=[True])
    async with api_of(world, database) as api:
        assert error_of(await api.get(PATH, token="trader"))[:2] == (403, "forbidden")
        assert error_of(await api.get(PATH))[:2] == (404, "not_scored")
        assert error_of(await api.get(PATH.replace("1/copy", "9/copy")))[:2] == (404, "unknown_trader")
        await keep(world, [document(1, flags=[flag("market_maker")])])
        found = (await api.get(PATH)).json()
    assert (found["sizeUsd"], found["netReturn"], found["low"], found["level"]) == (20, 0.05, -0.01, 0.9)
    assert found["costs"] == {"delay": -1.5, "spread": 12, "depth": 3, "fees": 7}
    assert found["flags"] == [{"name": "market_maker", "evidence": "because of market_maker"}]
    assert found["assumptions"]["delayMs"] == 3_000


@pytest.mark.parametrize(
    "query", ["size=0", "size=x", "size=1.234", "size=100001", "size=-5", "days=0", "days=366", "size=1e3"]
)
async def test_a_size_that_nobody_can_have_is_refused(world, database, query):
    async with api_of(world, database) as api:
        assert error_of(await api.get(f"{PATH}?{query}"))[0::2] == (400, query.split("=")[0])


async def test_at_ones_own_size_it_is_computed_in_a_process_beside(world, database):
    await traded(world, 1, days=60, wins=[True, True, False], price="0.5")
    async with api_of(world, database) as api:
        found = (await api.get(f"{PATH}?size=50&days=80", timeout=PATIENCE_S)).json()
        assert (found["sizeUsd"], found["copied"], found["won"], found["lost"]) == (50, 60, 40, 20)
        assert found["grade"] in ("good", "likely")
        assert found["netReturn"] > 0.15
        small = (await api.get(f"{PATH}?size=0.5", timeout=PATIENCE_S)).json()
        assert (small["leftOut"], small["grade"]) == ({"below_minimum": 60}, "not_enough")
        assert error_of(await api.get(PATH.replace("1/copy", "9/copy") + "?size=5"))[:2] == (404, "unknown_trader")
    [[kept]] = await world.run("SELECT count(*) FROM trader_copyability")
    assert kept == 0


@attrs.define
class Desk:
    """A desk of side processes that fails on command."""

    error: Exception

    async def run(self, kind, args, **limits):
        assert (kind, args[:2], limits["memory_mb"]) == ("copyability", ["traders", "score"], 600)
        raise self.error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (SideProcessError("it took 700 MB of memory"), (422, "not_computed")),
        (RejectedError("copyability is running already"), (503, "unavailable")),
    ],
)
async def test_what_takes_too_much_is_refused_and_who_comes_too_early_may_come_again(world, database, error, answer):
    await traded(world, 1, days=2, wins=[True])
    async with api_of(world, database, Desk(error)) as api:
        assert error_of(await api.get(f"{PATH}?size=5"))[:2] == answer


async def test_the_most_copyable_come_by_what_is_left_at_worst_at_best_guess_or_by_capacity(world, database):
    made = [
        document(1, low=Decimal("0.02"), grade="good"),
        document(2, low=Decimal("-0.02"), net_return=Decimal("0.20"), capacity="above", capacity_usd=Decimal(10_000)),
        document(3, low=Decimal("0.02"), grade="good", capacity="none", capacity_usd=None, flags=[flag("inactive")]),
        document(4, net_return=None),
    ]
    await keep(world, made)
    async with api_of(world, database) as api:
        for sort, expected in (("low", [3, 1, 2]), ("net", [2, 3, 1]), ("capacity", [2, 1])):
            rows = (await api.get(f"/api/discover/most-copyable?sort={sort}")).json()["traders"]
            assert [int(row["wallet"], 16) for row in rows] == expected
        [first, *_] = (await api.get("/api/discover/most-copyable")).json()["traders"]
        assert (first["flags"], first["capacityUsd"], first["capacity"], first["grade"]) == (
            ["inactive"],
            None,
            "none",
            "good",
        )


@pytest.mark.parametrize("sort", ["low", "net", "capacity"])
async def test_a_thousand_and_more_rows_are_all_there_once(world, database, sort):
    await keep(world, [document(number, low=Decimal(number % 7) / 1_000) for number in range(1_201)])
    found, cursor = [], ""
    async with api_of(world, database) as api:
        while cursor is not None:
            page = (await api.get(f"/api/discover/most-copyable?sort={sort}&limit=200{cursor}")).json()
            found += [(row["low"] if sort == "low" else 0, row["wallet"]) for row in page["traders"]]
            cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 1_201


@attrs.define
class Slow:
    """A side process that takes a second, and fails on command."""

    config: CopyabilityConfig = attrs.field(factory=CopyabilityConfig)
    asked: int = 0
    fails: Exception | None = None

    async def score(self, wallets, size_usd, days, max_s):
        self.asked += 1
        await trio.sleep(1)
        if self.fails is not None:
            raise self.fails
        return [document(1, size_usd=size_usd)]


async def test_one_is_computed_at_a_time_and_who_asks_the_same_shares_it(autojump_clock):
    slow = Slow()
    desk = CopyabilityDesk(reports=None, scoring=slow)
    found = []

    async def ask(size):
        found.append((await desk.at_size("w", Decimal(size), 90)).size_usd)

    async with trio.open_nursery() as nursery:
        for size in ("20", "20.00", "5", "20"):
            nursery.start_soon(ask, size)
    assert (sorted(found), slow.asked) == ([5, 20, 20, 20], 2)
    await ask("5")
    assert slow.asked == 2
    await trio.sleep(REMEMBERED_S + 1)
    await ask("5")
    assert slow.asked == 3


async def test_a_few_wait_and_the_others_are_told_to_come_back(autojump_clock):
    desk = CopyabilityDesk(reports=None, scoring=Slow())
    refused = []

    async def ask(size):
        try:
            await desk.at_size("w", Decimal(size), 90)
        except TransientError:
            refused.append(size)

    async with trio.open_nursery() as nursery:
        for size in range(1, WAITING_MAX + 3):
            nursery.start_soon(ask, size)
    assert len(refused) == 2
    failing = CopyabilityDesk(reports=None, scoring=Slow(fails=RejectedError("too much")))
    for _ in range(WAITING_MAX + 1):
        with pytest.raises(RejectedError):
            await failing.at_size("w", Decimal(1), 90)
