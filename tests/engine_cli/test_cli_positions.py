import pytest
from engine_cli.cli_process import NOT_THERE, invoke, json_of
from engine_postgres.server_fixtures import fetch

ONE, TWO = (f"0x{digit * 40}" for digit in "ab")
HELD = """
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, value_usd, market_title, end_date, opened_at,
    opened_snapshot, last_seen_at)
SELECT $1, n::text, 'c', n, n, 'Market ' || n, '2026-07-01', now(), 1, now() FROM generate_series(1, 1203) AS n
"""
CLOSED = """
INSERT INTO positions_closed (wallet_address, token_id, condition_id, closed_reason, size, opened_at, opened_snapshot,
    last_seen_at, closed_at)
SELECT $1, n::text, 'c', 'manual_close', n, now(), 1, now(), '2026-06-01'::timestamptz + n / 3 * interval '1 second'
FROM generate_series(1, 1203) AS n
"""
POLLED = """
INSERT INTO wallet_poll_state (wallet_address, snapshots, last_position_check_at, failures, last_error)
VALUES ($1, 3, now(), 2, 'answered 502')
"""


@pytest.fixture
def run(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_VENUE__GAMMA_URL": NOT_THERE}
    return lambda *arguments: invoke(*arguments, env=env)


def test_a_trader_who_was_never_polled_holds_nothing_that_is_known(run):
    shown = json_of(run("positions", ONE, "--json"))
    assert shown == {"wallet": ONE, "poll": None, "positions": []}
    assert "not been polled" in run("positions", ONE).stderr


def test_everything_that_is_held_is_listed_the_most_valuable_first(run, database):
    fetch(database.dsn, HELD, ONE)
    fetch(database.dsn, POLLED, ONE)
    shown = json_of(run("positions", ONE.upper().replace("0X", "0x"), "--json"))
    assert [row["size"] for row in shown["positions"]] == [str(n) for n in range(1203, 0, -1)]
    assert shown["positions"][0]["end_date"] == "2026-07-01"
    assert shown["poll"]["failures"] == 2
    text = run("positions", ONE)
    assert text.stdout.splitlines()[1].startswith("Market 1203")
    assert "2 polls in a row have failed" in text.stderr


def test_closed_ones_come_newest_first_with_the_way_they_ended(run, database):
    fetch(database.dsn, CLOSED, ONE)
    shown = json_of(run("positions", ONE, "--closed", "--limit", "2000", "--json"))["closed"]
    assert len({row["id"] for row in shown}) == 1203
    assert shown == sorted(shown, key=lambda row: (row["closed_at"], row["id"]), reverse=True)
    assert len(run("positions", ONE, "--closed").stdout.splitlines()) == 51
    assert "manual close" in run("positions", ONE, "--closed", "--limit", "1").stdout


def test_a_name_is_no_wallet(run):
    for arguments in (("positions", "@ann"), ("follow", "hot", "@ann"), ("follow", "hot", "0x12")):
        done = run(*arguments)
        assert done.returncode == 2
        assert "wallet" in done.stderr


def test_marking_a_trader_hot_makes_him_an_active_trader_and_shows_in_the_list(run, database):
    fetch(database.dsn, "INSERT INTO traders (wallet_address, is_active) VALUES ($1, false)", TWO)
    version = fetch(database.dsn, "SELECT version FROM target_version")
    assert json_of(run("follow", "hot", ONE, TWO, ONE, "--json")) == {"changed": [ONE, TWO], "hot": True}
    assert json_of(run("follow", "hot", ONE, "--json"))["changed"] == []
    active = fetch(database.dsn, "SELECT wallet_address FROM traders WHERE is_active ORDER BY 1")
    assert [row[0] for row in active] == [ONE, TWO]
    assert fetch(database.dsn, "SELECT version FROM target_version") != version
    assert [row["wallet_address"] for row in json_of(run("follow", "hot", "--json"))] == [ONE, TWO]
    assert run("follow", "hot", ONE, "--off").stdout == "1 not hot any more.\n"
    assert run("follow", "hot", ONE, "--off").stdout == "0 not hot any more, 1 were not.\n"
    assert run("follow", "hot", TWO).stdout == "0 now hot, 1 were before.\n"
    assert [row["wallet_address"] for row in json_of(run("follow", "hot", "--json"))] == [TWO]
    # He stays a trader whose trades are kept.
    assert len(fetch(database.dsn, "SELECT 1 FROM traders WHERE is_active")) == 2
