"""`polycopy traders score`, and the job that keeps its results, as an operator uses them: with an engine and without."""

import pytest
import trio
from engine_cli.cli_process import NOT_THERE, invoke, json_of
from engine_postgres.copyability_world import document, keep, traded
from engine_postgres.profile_world import ProfileWorld, wallet
from engine_postgres.server_fixtures import fetch

from engine.adapters.postgres.database import Connection, database_loop


@pytest.fixture
def command(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_VENUE__GAMMA_URL": NOT_THERE}
    return lambda *arguments: invoke(*arguments, env=env)


def filled(database, fill):
    async def main():
        async with database_loop():
            connection = Connection(database, "test")
            try:
                await fill(ProfileWorld(connection))
            finally:
                await connection.aclose()

    trio.run(main)


async def two_traders(world):
    await traded(world, 1, days=60, wins=[True, True, False])
    await traded(world, 2, days=3, wins=[False])


def test_a_trader_is_scored_at_ones_own_size(command, database):
    filled(database, two_traders)
    [one, two] = json_of(command("traders", "score", wallet(1), wallet(2), "--size", "50", "--days", "80", "--json"))
    assert (one["wallet"], one["sizeUsd"], one["copied"], one["grade"]) == (wallet(1), 50, 60, "good")
    assert one["assumptions"] == {
        "delayMs": 3_000, "delaySource": one["assumptions"]["delaySource"], "model": "1",
        "depthSource": "made up from prices, with assumed spread and depth",
    }  # fmt: skip
    assert (two["grade"], two["netReturn"], two["copied"]) == ("not_enough", None, 3)
    slower = json_of(command("traders", "score", wallet(1), "--delay-ms", "9000", "--json"))[0]
    assert slower["assumptions"]["delaySource"] == "as asked"


def test_a_score_is_readable(command, database):
    filled(database, two_traders)
    text = command("traders", "score", wallet(1), wallet(2)).stdout
    for part in (
        "Worth copying with 20 USD a trade: it would have made",
        "60 of 60 purchases copied and ended, on 60 days",
        "40 gained, 20 lost",
        "at his prices +",
        "20 *",
        "Not enough to judge: 3 of 40 finished copies, 3 of 15 days with such, 0 of 8 gains, 3 of 8 losses.",
        "capacity: ",
        "delay 3 s (assumed",
    ):
        assert part in text, part


def test_of_nobody_it_is_said_that_nothing_was_seen(command):
    text = command("traders", "score", wallet(7)).stdout
    assert "Not enough to judge: 0 of 40 finished copies" in text
    assert "0 of 0 purchases" in text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((wallet(1), "--size", "0"), "has to be 0.01 to 100,000"),
        ((wallet(1), "--size", "x"), "is no number"),
        ((wallet(1), "--size", "1.234"), "in cents"),
        ((wallet(1), "--days", "366"), "--days"),
        (("0x12",), "2 hex digits"),
        ((), "Missing argument"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(command, arguments, word):
    refused = command("traders", "score", *arguments)
    assert (refused.returncode, word in refused.stderr) == (2, True)


def test_the_job_scores_who_is_followed_in_processes_of_its_own_and_the_list_shows_them(command, database):
    async def fill(world):
        await two_traders(world)
        ann = await world.user("ann")
        await world.put("follows", [{"user_id": ann, "trader_wallet": wallet(number)} for number in (1, 2)])

    filled(database, fill)
    ran = command("jobs", "run", "score-traders", "--json")
    run = json_of(ran)["run"]
    assert (run["status"], run["figures"]["scored"], run["figures"]["enough"]) == ("succeeded", 2, 1)
    rows = fetch(database.dsn, "SELECT wallet_address, grade FROM trader_copyability ORDER BY 1")
    assert [tuple(row) for row in rows] == [(wallet(1), "good"), (wallet(2), "not_enough")]
    [listed] = json_of(command("traders", "discover", "most-copyable", "--json"))
    assert (listed["wallet"], listed["grade"]) == (wallet(1), "good")
    again = json_of(command("jobs", "run", "score-traders", "--json"))["run"]
    assert again["figures"]["scored"] == 0


def test_the_list_is_readable(command, database):
    filled(database, lambda world: keep(world, [document(1), document(2, net_return=None)]))
    text = command("traders", "discover", "most-copyable", "--sort", "capacity").stdout
    assert "likely" in text
    assert wallet(1) in text
    assert wallet(2) not in text
