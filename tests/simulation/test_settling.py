"""Settlement against the simulated venue over real sockets, with money in a real database."""

import json
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

import pytest
import trio
from engine_adapters.paper_worlds import check_identity, decided, order, postgres_world, traded
from engine_simulator.simulator_clients import running

from actors.settler import Settler
from config.schema import VenueConfig
from engine.adapters.market_catalog import GammaCatalog
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.market_store import PostgresMarketStore
from engine.adapters.postgres.settlement_store import PostgresSettlementStore
from engine.adapters.resolutions import DataApiResolutions
from engine.adapters.system_clock import SystemClock
from engine.adapters.upstream import open_upstream
from engine.runtime.traffic import Traffic
from protocols.clock import Random

MILLION = 1_000_000


@asynccontextmanager
async def settling(database):
    """A venue with a store, and a maker of settlers that share both."""
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(running())
        stored = await stack.enter_async_context(postgres_world(database))
        await stored.strategy("A", 1_000)
        config = VenueConfig(gamma_url=venue.urls.gamma_url, data_url=venue.urls.data_url)
        gamma, data = [
            await stack.enter_async_context(open_upstream(name, url, config, rate_per_s=1_000, traffic=Traffic()))
            for name, url in (("gamma", config.gamma_url), ("data", config.data_url))
        ]
        connections = [Connection(database, f"settler {number}") for number in range(2)]
        told = []
        settlers = [
            Settler(
                store=PostgresSettlementStore(
                    connection=connection, leases=stored.leases, markets=PostgresDecisionMarkets(connection)
                ),
                markets=PostgresMarketStore(connection),
                catalog=GammaCatalog(api=gamma),
                resolutions=DataApiResolutions(api=data, clock=SystemClock()),
                clock=SystemClock(),
                rng=Random(1),
                interval_s=30,
                settled=told.extend,
            )
            for connection in connections
        ]
        yield venue, stored, settlers, told
        for connection in connections:
            await connection.aclose()


async def bought(stored, market, number, index=0):
    token = json.loads(market["clobTokenIds"])[index]
    one = traded(number, condition_id=market["conditionId"], token_id=token)
    paper = order(one, fee=Decimal(0))
    await stored.trades.write([decided(one, paper)])
    return paper


async def test_markets_that_resolve_pay_once_whoever_settles_and_open_ones_stay(database, aio):
    async with settling(database) as (venue, stored, settlers, told):
        markets = (await venue.gamma("/markets", {"limit": 5})).json()
        papers = [await bought(stored, market, number) for number, market in enumerate(markets)]
        other = await bought(stored, markets[0], 10, index=1)
        first = await settlers[0].pass_once()
        assert (first.markets, first.asked, first.calls, first.orders) == (5, 5, 1, 0)
        for market, payouts in zip(markets, ([MILLION, 0], [0, MILLION], [MILLION // 2] * 2), strict=False):
            await venue.control("/resolve", {"condition_id": market["conditionId"], "payouts": payouts})
        await venue.control("/resolve", {"condition_id": markets[3]["conditionId"]})
        async with trio.open_nursery() as nursery:
            for settler in settlers:
                nursery.start_soon(settler.pass_once)
        outcomes = {id_: outcome for id_, (outcome, *_) in (await stored.orders()).items()}
        expected = ["WON", "LOST", "VOID", "OPEN", "OPEN"]
        assert outcomes == {one.order_id: outcome for one, outcome in zip(papers, expected, strict=True)} | {
            other.order_id: "LOST"
        }
        assert sorted(one.order_id for one in told) == sorted(one.order_id for one in [*papers[:3], other])
        balance = (await stored.account()).balance
        check_identity(balance)
        # 20 shares each: one won, one void, four times 10 USD spent on what is settled.
        assert balance.realized_pnl == 20 + 10 - 40
        late = await bought(stored, markets[0], 11)
        figures = await settlers[1].pass_once()
        assert (figures.stored, figures.orders) == (1, 1)
        assert (told[-1].order_id, told[-1].outcome) == (late.order_id, "WON")


@pytest.mark.parametrize("path", ["/v2/resolutions", "/markets"])
async def test_a_venue_that_fails_costs_nothing_but_time(path, database, aio):
    async with settling(database) as (venue, stored, settlers, told):
        market = (await venue.gamma("/markets", {"limit": 1})).json()[0]
        await bought(stored, market, 1)
        await venue.control("/resolve", {"condition_id": market["conditionId"], "payouts": [MILLION, 0]})
        await venue.fault("http_5xx", path=path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(settlers[0].run)
            with trio.fail_after(20):
                while not venue_was_asked(await venue.state(), path):
                    await trio.sleep(0.02)
            assert told == []
            await venue.control("/faults", {"kind": "clear"})
            with trio.fail_after(20):
                while not told:
                    await settlers[1].pass_once()
            nursery.cancel_scope.cancel()
        assert [one.outcome for one in told] == ["WON"]


def venue_was_asked(state, path):
    api = "data" if path.startswith("/v2") else "gamma"
    return state["http_statuses"][api].get("502", 0) > 0
