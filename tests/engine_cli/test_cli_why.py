"""`polycopy why` on a database that was filled by the engine's own stores."""

from decimal import Decimal

import msgspec
import pytest
import trio
from engine_adapters.paper_worlds import order, traded
from engine_cli.cli_process import invoke, json_of
from engine_postgres.ft_world import ft_world

from engine.adapters.postgres.database import database_loop
from protocols.decisions import DecidedTrade, Decision, Inputs, MarketInput
from protocols.strategies import TargetMode
from protocols.trades import Lane, LanedTrade

OPEN = {"min_edge": None, "min_trader_resolved_count": 0, "target_mode": TargetMode.EVERYONE}
TAKEN, NOBODYS = traded(101), traded(102)


@pytest.fixture
def why(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments: invoke("why", *arguments, env=env)


@pytest.fixture
def filled(database):
    """A trade that BUYER took and PICKY did not, sold in part and won; and one that nobody copied."""

    async def fill():
        async with database_loop(), ft_world(database) as world:
            owner = await world.user("ann")
            buyer = await world.strategy("BUYER", owner, **OPEN)
            picky = await world.strategy("PICKY", owner, **OPEN, price_min=Decimal("0.9"))
            one = TAKEN.trade
            inputs = Inputs(
                trade_id=one.trade_id, wallet=one.wallet, token_id=one.token_id, condition_id=one.condition_id,
                side="BUY", price=one.price, size_micro=one.size_micro, trade_ms=one.trade_ms, now_ms=one.trade_ms + 5,
                market=MarketInput(condition_id=one.condition_id),
            )  # fmt: skip
            bought = order(TAKEN, "BUYER")
            decision = Decision(
                part="now", trade_id=one.trade_id, trade_ms=one.trade_ms, decided_ms=one.trade_ms + 5, members=(),
                snapshot=msgspec.json.encode(inputs).decode(), strategies=(buyer.number, picky.number), versions=(1, 1),
                reasons=("taken", "price_out_of_range"), bankrolls=(Decimal(1000), None), orders=(bought,),
            )  # fmt: skip
            await world.paper.trades.write([DecidedTrade(one, TAKEN.lane, (decision,))])
            await world.paper.trades.write([LanedTrade(NOBODYS.trade, Lane.KNOWN)])
            await world.market(TAKEN, '["0.7", "0.3"]')
            await world.sell(bought, "5")
            await world.settle(TAKEN, "1")

    trio.run(fill)


def cells(line):
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_a_trade_is_told_with_its_results_order_and_sale(why, filled):
    done = why(TAKEN.trade.trade_id)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "Lakers vs. Bulls" in lines[0]
    assert lines[2] == "1 order copied it."
    assert any(cells(line)[:5] == ["BUYER", "v1", "now", "taken", "1000.00"] for line in lines)
    assert any(cells(line)[:5] == ["PICKY", "v1", "now", "price_out_of_range", "-"] for line in lines)
    assert any(cells(line)[:6] == ["BUYER", "10.00", "20", "0.5", "0.10", "WON"] for line in lines)
    assert any(cells(line)[:3] == ["BUYER", "5", "0.6"] for line in lines)
    assert "FAILS" not in done.stdout


def test_a_bot_is_told_with_every_gate_value_and_limit(why, filled):
    lines = why(TAKEN.trade.trade_id, "--bot", "PICKY").stdout.splitlines()
    [failed] = [cells(line) for line in lines if "FAILS" in line]
    assert failed[:3] == ["FAILS", "price_out_of_range", format(TAKEN.trade.price.normalize(), "f")]
    assert "0.9" in failed[3]
    assert any(cells(line) == ["excluded_trader", TAKEN.trade.wallet, "off"] for line in lines)
    assert not [line for line in lines if "BUYER" in line]
    assert not [line for line in why(TAKEN.trade.trade_id, "--bot", "BUYER").stdout.splitlines() if "FAILS" in line]


def test_json_is_the_answer_of_the_api(why, filled):
    document = json_of(why(TAKEN.trade.trade_id, "--json", "--bot", "PICKY"))
    [part] = document["parts"]
    assert {one["walletId"]: one["reason"] for one in part["results"]} == {
        "BUYER": "taken", "PICKY": "price_out_of_range",
    }  # fmt: skip
    gates = {one["walletId"]: one["gates"] for one in part["results"]}
    assert gates["BUYER"] is None
    assert [one["reason"] for one in gates["PICKY"] if not one["passed"]] == ["price_out_of_range"]
    assert [(one["walletId"], one["outcome"], len(one["closes"])) for one in document["orders"]] == [
        ("BUYER", "WON", 1)
    ]


def test_a_trade_that_nobody_copied_says_what_would_change_that(why, filled):
    done = why(NOBODYS.trade.trade_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No strategy copied him" in done.stdout
    assert "target_mode followed" in done.stdout
    asked = why(NOBODYS.trade.trade_id, "--bot", "BUYER")
    assert "BUYER decided nothing about it." in asked.stdout


def test_what_is_not_there_is_one_line_and_an_exit_code(why, filled):
    done = why("no such\x1b[31m trade")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: there is no stored trade 'no such?[31m trade'\n"
    unknown = why(TAKEN.trade.trade_id, "--bot", "NOBODY")
    assert unknown.returncode == 2
    assert "there is no strategy 'NOBODY'" in unknown.stderr
