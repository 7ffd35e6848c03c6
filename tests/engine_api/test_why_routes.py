"""Why over HTTP: stored decisions, explained again by the chain."""

from datetime import UTC, datetime
from decimal import Decimal

import attrs
import msgspec
import pytest
from engine_adapters.paper_worlds import NOON_MS, StillClock, order, traded
from engine_api.api_server import TOKEN, USER_ID, error_of, gate_of, principal, serving_routes
from engine_postgres.ft_world import ft_world

from actors.settler import PassFigures
from engine.adapters.postgres.decision_market_store import PostgresDecisionMarkets
from engine.adapters.postgres.ft_report_store import PostgresFtReports
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.why_store import PostgresWhyStore
from engine.api.ft_admin_routes import ft_admin_routes
from engine.api.why_routes import why_routes
from protocols.decisions import DecidedTrade, Decision, Inputs, MarketInput, TraderRecord, WindowRecord
from protocols.strategies import StrategySettings, TargetMode
from protocols.trades import Lane, LanedTrade
from protocols.users import Scope

OTHER_ID = "00000000-0000-4000-8000-000000000002"
USERS = "INSERT INTO profiles (id, user_name) VALUES ($1::text::uuid, 'ann'), ($2::text::uuid, 'bob')"
BEARERS = {
    TOKEN: principal(Scope.READ),
    "bob": attrs.evolve(principal(Scope.READ, token_id="t2"), user_id=OTHER_ID, user_name="bob"),
    "admin": attrs.evolve(principal(*Scope, token_id="t3"), user_id=OTHER_ID, user_name="bob"),
}
RECORD = WindowRecord(resolved_count=40, win_rate=Decimal("0.6"), trade_count=50, avg_trade_usd=Decimal(10))


@pytest.fixture
async def world(database, aio):
    async with ft_world(database) as made:
        await made.run(USERS, USER_ID, OTHER_ID)
        made.numbers = 100  # its own trades are others than those of the tests
        yield made


@pytest.fixture
def settling():
    """What a pass comes to; nothing while this engine does not settle."""
    return []


@pytest.fixture
async def api(world, settling):
    raw, why = world.connection, PostgresWhyStore(world.connection)

    async def settled():
        return attrs.asdict(settling[-1])

    def settle_now():
        return settled() if settling else None

    routes = ft_admin_routes(
        reports=PostgresFtReports(connection=raw, clock=StillClock()), facts=why, markets=PostgresDecisionMarkets(raw),
        records=PostgresTraderRecords(raw), settle_now=settle_now, clock=StillClock(),
    )  # fmt: skip
    async with serving_routes(*why_routes(why), *routes, gate=gate_of(BEARERS)) as client:
        yield client


def inputs_of(laned: LanedTrade, **changes) -> Inputs:
    trade = laned.trade
    made = Inputs(
        trade_id=trade.trade_id, wallet=trade.wallet, token_id=trade.token_id, condition_id=trade.condition_id,
        side=trade.side, price=trade.price, size_micro=trade.size_micro, trade_ms=trade.trade_ms,
        now_ms=trade.trade_ms + 5, market=MarketInput(condition_id=trade.condition_id, title="Lakers vs. Bulls"),
        trader=TraderRecord(lifetime=RECORD, d30=RECORD, d7=RECORD),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


async def decide(world, laned, results, *, orders=(), part="now", members=(), stands=(), **changes):
    """`results`: a strategy with what it said and its bankroll, each."""
    decision = Decision(
        part=part, trade_id=members[0] if members else laned.trade.trade_id, trade_ms=laned.trade.trade_ms,
        decided_ms=laned.trade.trade_ms + 5, members=tuple(members),
        snapshot=msgspec.json.encode(inputs_of(laned, **changes)).decode(),
        strategies=tuple(strategy.number for strategy, _, _ in results),
        versions=tuple(strategy.version for strategy, _, _ in results),
        reasons=tuple(reason for _, reason, _ in results),
        bankrolls=tuple(None if cash is None else Decimal(cash) for _, _, cash in results), orders=tuple(orders),
        stands=stands,
    )  # fmt: skip
    await world.paper.trades.write([DecidedTrade(laned.trade, laned.lane, (decision,))])


def open_gates(**changes):
    return {"min_edge": None, "min_trader_resolved_count": 0, "target_mode": TargetMode.EVERYONE, **changes}


async def why(api, trade, query="", token=TOKEN):
    answer = await api.get(f"/api/trades/{trade.trade.trade_id}/why{query}", token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def results_of(told):
    return [result for part in told["parts"] for result in part["results"]]


async def diagnose(api, laned, wallet_id, token=TOKEN):
    body = {"tradeId": laned.trade.trade_id, "walletId": wallet_id}
    answer = await api.ask("POST", "/api/ft/sync-diagnose", json=body, token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def failing(gates):
    return [gate["reason"] for gate in gates if not gate["passed"]]


async def test_a_taken_trade_tells_its_order_its_sales_and_its_settlement(api, world):
    strategy = await world.strategy("BOT", USER_ID, **open_gates())
    laned = traded(1)
    bought = order(laned, "BOT", fill_inputs='{"price": "0.5"}')
    await decide(world, laned, [(strategy, "taken", "1000")], orders=[bought])
    await world.market(laned, '["0.7", "0.3"]')
    await world.sell(bought, "5")
    await world.settle(laned, "1")
    told = await why(api, laned, "?walletId=BOT")
    [result], [kept] = results_of(told), told["orders"]
    assert (result["walletId"], result["reason"], result["bankroll"], result["version"]) == ("BOT", "taken", 1000, 1)
    assert failing(result["gates"]) == []
    assert [gate["reason"] for gate in result["gates"]][-2:] == ["zero_stake", "insufficient_cash"]
    assert (kept["orderId"], kept["outcome"], kept["winningLabel"], kept["exitPrice"]) == (
        bought.order_id, "WON", "Yes", 1,
    )  # fmt: skip
    assert kept["fillInputs"] == {"price": "0.5"}
    assert [(one["orderId"], one["shares"], one["price"]) for one in kept["closes"]] == [(bought.order_id, 5, 0.6)]
    assert (told["closes"], told["conclusion"]) == ([], "1 order copied it.")


async def test_every_gate_comes_with_value_and_limit_of_the_version_that_decided(api, world):
    strategy = await world.strategy("BOT", USER_ID, **open_gates(min_trader_win_rate=Decimal("0.75")))
    laned = traded(1)
    await decide(world, laned, [(strategy, "low_win_rate", None)])
    # A later version lets it pass; the one that decided does not.
    await StrategyStore(world.connection).update("BOT", StrategySettings(**open_gates()), version=1, by="test")
    [result] = results_of(await why(api, laned, "?walletId=BOT"))
    assert failing(result["gates"]) == ["low_win_rate"]
    [gate] = [one for one in result["gates"] if one["reason"] == "low_win_rate"]
    assert (gate["value"], gate["limit"], gate["isOn"]) == ("0.6", "0.75", True)
    assert "zero_stake" not in [one["reason"] for one in result["gates"]]
    diagnosed = await diagnose(api, laned, "BOT")
    assert (diagnosed["would"], diagnosed["version"], diagnosed["inputs"]) == ("taken", 2, "decision")
    assert diagnosed["bankroll"] == 1000
    assert await world.run("SELECT * FROM ft_orders") == []
    [plain] = results_of(await why(api, laned))
    assert plain["gates"] is None


@pytest.mark.parametrize("lane", [Lane.FOLLOWED, Lane.KNOWN])
async def test_a_trade_that_nobody_copies_says_so_and_what_would_change_it(api, world, lane):
    laned = traded(1)
    await world.paper.trades.write([LanedTrade(laned.trade, lane)])
    told = await why(api, laned)
    assert (told["lane"], told["parts"], told["orders"], told["closes"]) == (lane, [], [], [])
    assert "No strategy copied him" in told["conclusion"]
    assert all(f"target_mode {mode}" in told["conclusion"] for mode in ("list", "followed", "leaderboard"))


async def test_a_strategy_that_did_not_decide_is_judged_by_what_is_known_now(api, world):
    await world.strategy("LISTED", USER_ID, **open_gates(target_mode=TargetMode.LIST))
    laned = traded(1)
    await world.paper.trades.write([LanedTrade(laned.trade, Lane.FOLLOWED)])
    await world.run("UPDATE trades_public SET ingested_at = trade_timestamp + interval '1 second'")
    diagnosis = await diagnose(api, laned, "LISTED")
    assert (diagnosis["inputs"], diagnosis["would"]) == ("stored", "market_not_found")
    assert failing(diagnosis["gates"]) == ["market_not_found", "not_target_trader"]
    await world.market(laned, '["0.7", "0.3"]')
    mine = open_gates(target_mode=TargetMode.LIST, target_traders=(laned.trade.wallet,))
    await StrategyStore(world.connection).update("LISTED", StrategySettings(**mine), version=1, by="test")
    diagnosis = await diagnose(api, laned, "LISTED")
    assert (diagnosis["would"], failing(diagnosis["gates"])) == ("taken", [])


@pytest.mark.parametrize("mode", [TargetMode.FOLLOWED, TargetMode.LEADERBOARD])
async def test_target_modes_are_looked_up(api, world, mode):
    await world.strategy("BOT", USER_ID, **open_gates(target_mode=mode))
    laned = traded(1)
    await world.paper.trades.write([LanedTrade(laned.trade, Lane.FOLLOWED)])
    assert "not_target_trader" in failing((await diagnose(api, laned, "BOT"))["gates"])
    await world.run("INSERT INTO traders (wallet_address, is_active) VALUES ($1, true)", laned.trade.wallet)
    follow = "INSERT INTO follows (user_id, trader_wallet) VALUES ($1::text::uuid, $2)"
    await world.run(follow, USER_ID if mode is TargetMode.FOLLOWED else OTHER_ID, laned.trade.wallet)
    assert "not_target_trader" not in failing((await diagnose(api, laned, "BOT"))["gates"])


async def test_a_member_of_an_aggregate_tells_the_decision_and_order_of_all(api, world):
    strategy, other = [await world.strategy(name, USER_ID, **open_gates()) for name in ("BOT", "OTHER")]
    first, second, stranger = traded(1), traded(2), traded(3)
    await world.paper.trades.write([LanedTrade(second.trade, second.lane), LanedTrade(stranger.trade, stranger.lane)])
    members = (first.trade.trade_id, second.trade.trade_id)
    bought = order(first, "BOT", members=members)
    await decide(world, first, [(strategy, "taken", "1000")], orders=[bought], part="tx", members=members)
    # Of the first fill alone: nothing of it concerns the second.
    await decide(world, first, [(other, "taken", "1000")], orders=[order(first, "OTHER")])
    for one, expected in ((first, ["BOT", "OTHER"]), (second, ["BOT"])):
        told = await why(api, one)
        assert [order["walletId"] for order in told["orders"]] == expected
        assert [part["members"] for part in told["parts"] if part["part"] == "tx"] == [list(members)]
        assert [result["walletId"] for result in results_of(told)] == expected
        assert {part["tradeId"] for part in told["parts"]} == {members[0]}
    assert (await why(api, stranger))["parts"] == []


async def test_a_sale_tells_what_it_closed(api, world):
    strategy = await world.strategy("BOT", USER_ID, **open_gates())
    laned = traded(1)
    bought = order(laned, "BOT")
    await decide(world, laned, [(strategy, "taken", "1000")], orders=[bought])
    await world.sell(bought, "5")
    [row] = await world.run("SELECT source_trade_id FROM ft_closes")
    told = (await api.get(f"/api/trades/{row['source_trade_id']}/why")).json()
    assert [(one["orderId"], one["walletId"], one["pnl"]) for one in told["closes"]] == [
        (bought.order_id, "BOT", 0.475),
    ]
    assert told["conclusion"] == "1 position was closed by it."


async def test_others_do_not_see_my_strategies_and_administrators_do(api, world):
    mine = await world.strategy("MINE", USER_ID, **open_gates())
    theirs = await world.strategy("THEIRS", OTHER_ID, **open_gates())
    laned = traded(1)
    orders = [order(laned, "MINE"), order(laned, "THEIRS")]
    await decide(world, laned, [(mine, "taken", "9"), (theirs, "taken", "9")], orders=orders)
    for token, expected in ((TOKEN, ["MINE"]), ("bob", ["THEIRS"]), ("admin", ["MINE", "THEIRS"])):
        told = await why(api, laned, token=token)
        assert [one["walletId"] for one in results_of(told)] == expected
        assert [one["walletId"] for one in told["orders"]] == expected
    for path in ("THEIRS", "NOBODY"):
        refused = await api.get(f"/api/trades/{laned.trade.trade_id}/why?walletId={path}")
        assert error_of(refused)[:2] == (404, "unknown_strategy")
    assert len(results_of(await why(api, laned, "?walletId=MINE", token="admin"))[0]["gates"]) > 10
    for path in ("/api/trades/nothing-0/why", "/api/trades/nothing-0/why?walletId=MINE"):
        assert error_of(await api.get(path))[:2] == (404, "unknown_trade")
    for path in ("a%00b", "a%0A", "x" * 301):
        assert error_of(await api.get(f"/api/trades/{path}/why"))[0] == 400
    for trade_id in ("a\0b", "a\n", ""):
        body = {"tradeId": trade_id, "walletId": "MINE"}
        assert error_of(await api.ask("POST", "/api/ft/sync-diagnose", json=body))[0] == 400
    body = {"tradeId": "nothing-0", "walletId": "MINE"}
    assert error_of(await api.ask("POST", "/api/ft/sync-diagnose", json=body))[:2] == (404, "unknown_trade")


async def test_a_thousand_and_one_strategies_are_told(api, world):
    names = [(f"S{number:04}", StrategySettings(**open_gates())) for number in range(1001)]
    strategies = await StrategyStore(world.connection).create(names, USER_ID, "test")
    laned = traded(1)
    await decide(world, laned, [(one, "price_out_of_range", None) for one in strategies])
    assert [one["walletId"] for one in results_of(await why(api, laned))] == [name for name, _ in names]


async def test_asking_changes_nothing(api, world):
    strategy = await world.strategy("BOT", USER_ID, **open_gates())
    laned = traded(1)
    await decide(world, laned, [(strategy, "price_out_of_range", None)])
    tables = "SELECT (SELECT count(*) FROM decisions), (SELECT count(*) FROM ft_orders), (SELECT max(version) FROM ft_wallets)"
    before = await world.run(tables)
    await why(api, laned, "?walletId=BOT")
    await diagnose(api, laned, "BOT")
    assert await world.run(tables) == before


async def test_a_snapshot_of_another_program_is_said_to_be_one(api, world):
    strategy = await world.strategy("BOT", USER_ID, **open_gates())
    laned = traded(1)
    await decide(world, laned, [(strategy, "price_out_of_range", None)])
    await world.run("UPDATE decisions SET snapshot = '{}'")
    [result] = results_of(await why(api, laned, "?walletId=BOT"))
    assert (result["gates"], result["reason"]) == (None, "price_out_of_range")
    assert "not understood" in result["note"]


async def test_settling_is_asked_for_where_it_runs(api, settling):
    refused = await api.ask("POST", "/api/ft/resolve", token="admin")
    assert error_of(refused)[:2] == (503, "unavailable")
    settling.append(PassFigures(markets=1, orders=1))
    done = await api.ask("POST", "/api/ft/resolve", token="admin")
    assert (done.status_code, done.json()["orders"], done.json()["unknownTokens"]) == (200, 1, 0)
    assert error_of(await api.ask("POST", "/api/ft/resolve"))[:2] == (403, "forbidden")


async def test_times_are_those_of_the_trade(api, world):
    laned = traded(1)
    await world.paper.trades.write([laned])
    told = await why(api, laned)
    assert datetime.fromisoformat(told["tradeTime"]) == datetime.fromtimestamp((NOON_MS + 1) / 1000, UTC)
