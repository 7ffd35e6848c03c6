"""`polycopy traders` as an operator uses it."""

from datetime import UTC, datetime

import pytest
from engine_cli.cli_process import NOT_THERE, invoke, json_of
from engine_postgres.server_fixtures import fetch

ANN = "0x" + "ab" * 20
LISTS = ("leaderboard", "biggest-winners", "most-active", "most-consistent", "most-copied", "big-trades", "fire")
NAME = "Ann\x1b[31m \u202etxt 🦄"
TRADER = """
INSERT INTO traders (wallet_address, display_name, pnl, volume, rank) VALUES ($1, $2, 12.5, 1000, 3) RETURNING 1
"""
TRADE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, market_title, raw)
SELECT 'trade ' || n, 1, $1, '0x', '7', '0xc', 'BUY', 100, 0.3, now() - n * interval '1 minute', 'Rain <b>?', '{}'
FROM generate_series(1, 3) AS n RETURNING 1
"""
RECORD = """
INSERT INTO trader_global_stats (wallet_address, l_count, l_resolved_count, d30_count, d30_resolved_count, d30_win_rate,
    d7_count, d7_resolved_count) VALUES ($1, 50, 40, 30, 20, 0.6, 0, 0) RETURNING 1
"""
HELD = """
INSERT INTO positions_current (wallet_address, token_id, condition_id, size, value_usd, opened_at, opened_snapshot,
    last_seen_at)
SELECT $1, 't' || n, 'c', 10, nullif(n, 1), now(), 1, now() - interval '5 minutes' FROM generate_series(1, 2) AS n RETURNING 1
"""


@pytest.fixture
def traders(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_VENUE__GAMMA_URL": NOT_THERE}
    return lambda *arguments: invoke("traders", *arguments, env=env)


@pytest.fixture
def known(traders, database):
    fetch(database.dsn, TRADER, ANN, NAME)
    for statement in (TRADE, RECORD, HELD):
        fetch(database.dsn, statement, ANN)
    return traders


def test_of_nobody_it_is_said_how_to_learn_more(traders):
    refused = traders("show", ANN)
    assert (refused.returncode, f"`polycopy follow add {ANN}`" in refused.stderr) == (1, True)


@pytest.mark.parametrize(("text", "word"), [("0x12", "2 hex digits"), ("ann", "is not a wallet"), ("@", "printable")])
def test_whom_nobody_can_be_is_a_usage_error(traders, text, word):
    refused = traders("show", text)
    assert (refused.returncode, word in refused.stderr, "nothing was shown" in refused.stderr) == (2, True, True)


def test_a_name_is_looked_up_at_the_venue(traders):
    refused = traders("show", "@ann")
    assert (refused.returncode, "names could not be looked up, nothing was shown" in refused.stderr) == (1, True)


@pytest.mark.parametrize("text", [ANN, "0x" + "AB" * 20, f"https://polymarket.com/profile/{ANN}"])
def test_a_profile_is_the_document_of_the_api(known, text):
    found = json_of(known("show", text, "--json"))
    assert (found["wallet"], found["name"], found["leaderboard"]["pnl"]) == (ANN, NAME, 12.5)
    assert (found["records"]["d30"]["winRate"], found["records"]["d7"]["winRate"], found["closed"]) == (0.6, None, None)
    assert [one["value"] for one in found["open"]["positions"]] == [2, None]


def test_a_profile_is_readable_and_drives_no_terminal(known):
    lines = known("show", ANN).stdout.splitlines()
    assert lines[0] == f"Ann?[31m ?txt 🦄  {ANN}"
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "\u202e" not in text
    for part in (
        "not followed by you, 0 followers",
        "leaderboard: 3 by profit, - by volume; profit 12.50 USD, volume 1,000.00",
        "no rankings have been computed yet",
        "closed positions: -;",
        "Rain <b>?",
        "open positions: 2 worth 2.00 USD, unrealised -, 1 without a price",
    ):
        assert part in text
    [record] = [line.split() for line in lines if line.startswith("30 days")]
    assert record == ["30", "days", "30", "20", "60.0", "%", "-", "-"]


def test_lists_are_told_as_rows(known):
    assert {name: len(json_of(known("discover", name, "--json"))) for name in LISTS} == {
        "leaderboard": 1, "biggest-winners": 0, "most-active": 1, "most-consistent": 0, "most-copied": 0, "big-trades": 3,
        "fire": 3,
    }  # fmt: skip
    [leader] = json_of(known("discover", "leaderboard", "--sort", "volume", "--json"))
    assert (leader["volume"], leader["roi"], len(leader["sparkline"])) == (1000, None, 14)
    assert json_of(known("discover", "leaderboard", "--min-trades", "51", "--json")) == []
    assert [row["tradeId"] for row in json_of(known("discover", "big-trades", "--limit", "2", "--json"))] == [
        "trade 3",
        "trade 2",
    ]
    shown = known("discover", "fire").stdout
    assert "STRONG_BUY 95" in shown
    assert "winRate" in shown
    assert known("discover", "most-copied").stderr == "There is nobody in this list yet.\n"
    assert "Ann?[31m ?txt 🦄" in known("discover", "most-active").stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("nonsense",), "LIST"),
        (("leaderboard", "--sort", "fame"), "sort: must be one of pnl"),
        (("big-trades", "--min-trades", "3"), "minTrades: there is no such parameter"),
        (("fire", "--window", "1D"), "window: there is no such parameter"),
        (("leaderboard", "--user", "nobody"), "there is no user 'nobody'"),
    ],
)
def test_what_a_list_does_not_take_is_a_usage_error(traders, arguments, word):
    refused = traders("discover", *arguments)
    assert (refused.returncode, word in refused.stderr) == (2, True)


def test_a_thousand_rows_are_read_page_after_page(traders, database):
    made = datetime(2026, 1, 1, tzinfo=UTC)
    many = """
        INSERT INTO traders (wallet_address, pnl, updated_at)
        SELECT '0x' || lpad(to_hex(n), 40, '0'), 1, $1 FROM generate_series(1, 1203) AS n RETURNING 1
    """
    fetch(database.dsn, many, made)
    rows = json_of(traders("discover", "leaderboard", "--limit", "5000", "--json"))
    assert len({row["wallet"] for row in rows}) == len(rows) == 1_203
