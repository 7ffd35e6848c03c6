"""Why a trade was not copied where targets disagree: over HTTP and on the command line, from what was kept."""

from decimal import Decimal

import msgspec
import pytest
from engine_adapters.paper_worlds import StillClock, order, traded
from engine_api.api_server import TOKEN, USER_ID, gate_of, serving_routes
from engine_api.test_why_routes import BEARERS, USERS, decide, diagnose, open_gates, why
from engine_postgres.ft_world import ft_world

from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.ft_report_store import PostgresFtReports
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.why_store import PostgresWhyStore
from engine.api.ft_admin_routes import ft_admin_routes
from engine.api.why_routes import why_routes
from protocols.conflicts import Crowd, Side, Stand
from protocols.decisions import MarketInput
from protocols.strategies import ConflictPolicy

LANED = traded(1)
LAKERS, CELTICS = LANED.trade.token_id, "another token"
SIDES = (Side(token_id=LAKERS, targets=1, usd_micro=5_250_000), Side(token_id=CELTICS, targets=2, usd_micro=4_000_000))
MARKET = MarketInput(
    condition_id=LANED.trade.condition_id, title="Lakers vs. Celtics", outcomes=("Lakers", "Celtics"),
    token_ids=(LAKERS, CELTICS), event_slug="finals",
)  # fmt: skip
POLICIES = ("conflict_first", "conflict_majority", "conflict_net", "side_limit", "event_exposure")


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        await made.run(USERS, USER_ID, "00000000-0000-4000-8000-000000000002")
        made.numbers = 100
        yield made


@pytest.fixture
async def api(world):
    async with serving_routes(*why_routes(PostgresWhyStore(world.connection)), gate=gate_of(BEARERS)) as client:
        yield client


async def gates(api, name):
    told = await why(api, LANED, f"?walletId={name}", token=TOKEN)
    [found] = [one for part in told["parts"] for one in part["results"] if one["walletId"] == name]
    return {gate["reason"]: (gate["isOn"], gate["passed"], gate["value"], gate["limit"]) for gate in found["gates"]}


async def test_each_strategy_is_told_its_own_policy_with_value_and_limit(api, world):
    bots = [
        await world.strategy(name, USER_ID, **open_gates(**changes))
        for name, changes in (
            ("FIRST", {"conflict_policy": ConflictPolicy.FIRST}),
            ("MOST", {"conflict_policy": ConflictPolicy.MAJORITY}),
            ("MONEY", {"conflict_policy": ConflictPolicy.NET, "max_event_exposure_usd": Decimal(20)}),
            ("SIDE", {"max_targets_per_side": 2}),
            ("PLAIN", {}),
        )
    ]
    reasons = ("conflict_first", "conflict_majority", "taken", "side_limit", "taken")
    stands = (
        Stand(against=(CELTICS,)), Stand(crowd=0), Stand(crowd=0, event_usd=Decimal("12.34")), Stand(beside=2), None,
    )  # fmt: skip
    bought = [order(LANED, "MONEY"), order(LANED, "PLAIN")]
    results = [(bot, reason, "1000" if reason == "taken" else None) for bot, reason in zip(bots, reasons, strict=True)]
    await decide(
        world, LANED, results, orders=bought, stands=stands, market=MARKET, crowds=(Crowd(sides=SIDES),), part="sides"
    )
    assert (await gates(api, "FIRST"))["conflict_first"] == (
        True, False, "holds Celtics from other targets", "nothing but Lakers, or all of it from this trader",
    )  # fmt: skip
    assert (await gates(api, "MOST"))["conflict_majority"] == (
        True, False, "Lakers: 1, Celtics: 2", "more targets on Lakers than on any other outcome",
    )  # fmt: skip
    money = await gates(api, "MONEY")
    assert money["conflict_net"] == (
        True, True, "Lakers: 5.25 USD, Celtics: 4 USD", "more on Lakers than on any other outcome",
    )  # fmt: skip
    assert money["event_exposure"] == (
        True, True, "12.34 USD open in the event", "20 USD, at least 0.5 of it left",
    )  # fmt: skip
    assert list(money)[-2:] == ["zero_stake", "insufficient_cash"]
    assert (await gates(api, "SIDE"))["side_limit"] == (
        True, False, "others copied on this outcome: 2", "fewer than 2",
    )  # fmt: skip
    plain = await gates(api, "PLAIN")
    assert {reason: plain[reason][:2] for reason in POLICIES} == dict.fromkeys(POLICIES, (False, True))


async def test_what_was_decided_before_policies_were_kept_is_told_as_ever(api, world):
    bot = await world.strategy("OLD", USER_ID, **open_gates())
    await decide(world, LANED, [(bot, "taken", "1000")], orders=[order(LANED, "OLD")], market=MARKET)
    await world.run("UPDATE decisions SET snapshot = snapshot - 'crowds', stands = NULL")
    told = await gates(api, "OLD")
    assert all(passed for _, passed, _, _ in told.values())


async def test_stands_that_are_not_understood_are_a_note_and_no_failure(api, world):
    bot = await world.strategy("BOT", USER_ID, **open_gates(conflict_policy=ConflictPolicy.FIRST))
    await decide(world, LANED, [(bot, "conflict_first", None)], stands=(Stand(against=("1",)),), market=MARKET)
    await world.run("UPDATE decisions SET stands = '[5]'")
    told = await why(api, LANED, "?walletId=BOT", token=TOKEN)
    [found] = told["parts"][0]["results"]
    assert found["gates"] is None
    assert "not understood" in found["note"]
    assert msgspec.json.encode(told)


async def test_a_diagnosis_judges_by_what_the_strategy_had_when_it_decided(world):
    raw = world.connection
    routes = ft_admin_routes(
        reports=PostgresFtReports(connection=raw, clock=StillClock()), facts=PostgresWhyStore(raw),
        markets=PostgresDecisionMarkets(raw), records=PostgresTraderRecords(raw), settle_now=lambda: None,
        clock=StillClock(),
    )  # fmt: skip
    policy = open_gates(conflict_policy=ConflictPolicy.MAJORITY)
    plain, asked, _ = [await world.strategy(name, USER_ID, **policy) for name in ("PLAIN", "ASKED", "NEWER")]
    await decide(world, LANED, [(plain, "taken", "1000")], orders=[order(LANED, "PLAIN")], market=MARKET)
    await decide(
        world, LANED, [(asked, "conflict_majority", None)], stands=(Stand(crowd=0),), market=MARKET,
        crowds=(Crowd(sides=SIDES),), part="sides",
    )  # fmt: skip
    async with serving_routes(*routes, gate=gate_of(BEARERS)) as client:
        would = {name: (await diagnose(client, LANED, name))["would"] for name in ("PLAIN", "ASKED", "NEWER")}
    assert would == {"PLAIN": "taken", "ASKED": "conflict_majority", "NEWER": "taken"}
