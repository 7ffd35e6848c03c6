"""`polycopy live` as an operator uses it."""

import pytest
from engine_cli.cli_process import invoke, json_of
from engine_postgres.server_fixtures import fetch

HOLDS = """
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    signal_price, signal_at, decided_at, order_hash, signed_body, size_shares, lock_usd, limit_price, status, filled_shares,
    filled_usd, shares_open, cost_open, outcome)
VALUES (gen_random_uuid(), 'LT_B', 'main', 'cause', 1, 'copy', 'now', 'BUY', 'c', 't', 0.5, now(), now(),
    '0x' || repeat('1', 64), 'x', 10, 5, 0.5, 'PARTIAL', 4, 2, 4, 2, 'OPEN') RETURNING 1
"""
SAID = """
INSERT INTO lt_execute_logs (log_day, created_at, level, message, stage, trace_id, execution_id, strategy_id)
VALUES (current_date, now(), 'warn', 'too dear', 'RISK_CHECK', 'trade 1', 'batch', 'LT_B'),
    (current_date, now(), 'info', 'sent', 'ORDER_RESULT', 'trade 2', 'batch', 'LT_B') RETURNING 1
"""
PROFIT = "UPDATE lt_balances SET available = available + 78, realized_pnl = 78 RETURNING 1"
LATCHED = "UPDATE lt_strategies SET breaker_reason = 'DRAWDOWN', breaker_at = now() RETURNING 1"


@pytest.fixture
def live(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_LIVE__ACCOUNTS__MAIN__SIGNATURE_TYPE": "0"}
    invoke("bots", "create", "B", env=env)
    return lambda *arguments, stdin="", of="live": invoke(of, *arguments, env=env, stdin=stdin)


@pytest.fixture
def mirror(live):
    made = live("create", "B", "--account", "main", "--capital", "100", "--set", "daily_budget_usd=20")
    assert made.returncode == 0, made.stderr
    return live


def only(live):
    [row] = json_of(live("list", "--json"))["strategies"]
    return row


def test_a_mirror_begins_paused_and_is_listed_with_its_money(live, mirror):
    row = only(live)
    assert (row["strategy_id"], row["is_paused"], row["available"], row["locked"]) == ("LT_B", True, "100", "0")
    assert json_of(live("show", "LT_B", "--json"))["settings"]["daily_budget_usd"] == "20"
    assert "LT_B" in live("list").stdout
    again = live("create", "B", "--account", "main", "--capital", "5")
    assert (again.returncode, "exists" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--account", "none", "--capital", "5"), "live.accounts (main)"),
        (("--account", "main", "--capital", "0"), "more than 0"),
        (("--account", "main", "--capital", "1.001"), "two decimals"),
        (("--account", "main", "--capital", "5", "--owner", "bob"), "not of bob"),
        (("--account", "main", "--capital", "5", "--set", "colour=red"), "colour"),
        (("--account", "main", "--capital", "5", "--name", "ünï 😀"), "--name"),
    ],
)
def test_what_cannot_be_made_says_why_and_nothing_is_made(live, arguments, word):
    refused = live("create", "B", *arguments)
    assert refused.returncode == 2
    assert word in refused.stderr
    assert json_of(live("list", "--json"))["strategies"] == []


def test_every_change_says_whether_something_is_different(live, mirror, database):
    assert json_of(live("resume", "LT_B", "--json")) == {"strategy_id": "LT_B", "changed": True}
    assert only(live)["is_paused"] is False
    assert json_of(live("pause", "LT_B", "--json"))["changed"] is True
    assert json_of(live("pause", "LT_B", "--json"))["changed"] is False
    assert json_of(live("set", "LT_B", "max_spread_pct=2", "max_price_rise_pct=", "--json"))["changed"] is True
    settings = json_of(live("show", "LT_B", "--json"))["settings"]
    assert (settings["max_spread_pct"], settings["max_price_rise_pct"]) == ("2", None)
    fetch(database.dsn, LATCHED)
    assert "latched" in live("list").stdout
    assert [json_of(live("clear-breaker", "LT_B", "--json"))["changed"] for _ in range(2)] == [True, False]
    assert "there is no live strategy 'LT_C'" in live("pause", "LT_C").stderr


def test_whoever_starts_what_cannot_trade_yet_is_told_what_is_missing(database, own_logging, tmp_path):
    key = tmp_path / "key"
    off = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_LIVE__ACCOUNTS__MAIN__KEY_FILE": str(key)}
    invoke("bots", "create", "B", env=off)
    made = invoke("live", "create", "B", "--account", "main", "--capital", "5", "--json", env=off)
    assert json_of(made)["strategy_id"] == "LT_B"
    assert "live.enabled = true" in made.stderr
    assert f"the key file {key}" in made.stderr
    assert "does not trade yet" in invoke("live", "resume", "LT_B", env=off).stderr
    assert "does not trade yet" not in invoke("live", "pause", "LT_B", env=off).stderr
    key.touch()
    on = {**off, "POLYCOPY_LIVE__ENABLED": "true"}
    assert "does not trade yet" not in invoke("live", "resume", "LT_B", env=on).stderr
    gone = {"POLYCOPY_DATABASE__URL": database.dsn}
    assert "the account main in live.accounts" in invoke("live", "resume", "LT_B", env=gone).stderr


def test_only_what_is_available_is_taken(live, mirror):
    assert json_of(live("capital", "LT_B", "20.5", "--json"))["available"].startswith("120.5")
    refused = live("capital", "LT_B", "--", "-120.51")
    assert (refused.returncode, "available" in refused.stderr) == (1, True)
    assert live("capital", "LT_B", "--", "-120.5").returncode == 0
    assert only(live)["available"] == "0"


def test_a_halt_is_shown_until_it_is_ended_with_a_yes(live, mirror):
    assert json_of(live("halt", "odd fills", "--by", "ann", "--json")) == {"changed": True}
    assert "halted by ann: odd fills" in live("list").stderr
    assert live("unhalt", stdin="n\n").returncode == 1
    assert json_of(live("list", "--json"))["halt"]["halted_reason"] == "odd fills"
    assert json_of(live("unhalt", "--yes", "--json")) == {"changed": True}
    assert json_of(live("list", "--json"))["halt"] is None


def test_flattening_asks_first_then_pauses_and_obliges_to_sell(live, mirror, database):
    live("resume", "LT_B")
    fetch(database.dsn, HOLDS)
    assert live("flatten", "LT_B", stdin="n\n").returncode == 1
    assert (only(live)["is_paused"], json_of(live("exits", "--json"))) == (False, [])
    assert live("flatten").returncode == 2
    assert json_of(live("flatten", "--all", "--yes", "--json")) == {"exits": 1}
    assert only(live)["is_paused"] is True
    [obligation] = json_of(live("exits", "LT_B", "--json"))
    assert (obligation["kind"], obligation["status"], obligation["token_id"]) == ("flatten", "OPEN", "t")
    [position] = json_of(live("positions", "--json"))
    assert (position["shares"], position["cost_usd"]) == ("4", "2")


def test_what_was_done_is_listed_newest_first_by_what_is_asked_for(live, mirror, database):
    fetch(database.dsn, SAID)
    assert [line["message"] for line in json_of(live("logs", "--json"))] == ["sent", "too dear"]
    assert [line["message"] for line in json_of(live("logs", "LT_B", "--level", "warn", "--json"))] == ["too dear"]
    assert [line["stage"] for line in json_of(live("logs", "--trace", "trade 2", "--json"))] == ["ORDER_RESULT"]
    assert "RISK_CHECK" in live("logs", "--limit", 2).stdout


def test_archiving_is_for_good(live, mirror):
    assert live("archive", "LT_B", stdin="n\n").returncode == 1
    assert json_of(live("archive", "LT_B", "--yes", "--json"))["changed"] is True
    for refused in (live("resume", "LT_B"), live("capital", "LT_B", "+5")):
        assert refused.returncode == 1
        assert "archived" in refused.stderr
    assert (only(live)["is_active"], only(live)["is_paused"]) == (False, True)


def test_an_archived_mirror_makes_room_for_another(live, mirror):
    assert live("archive", "LT_B", "--yes").returncode == 0
    made = live("create", "B", "--account", "main", "--capital", "5", "--name", "LT_B2")
    assert made.returncode == 0, made.stderr
    again = live("create", "B", "--account", "main", "--capital", "5", "--name", "LT_B3")
    assert (again.returncode, "exists" in again.stderr) == (1, True)


def test_resuming_says_what_still_stops_it(live, mirror, database):
    live("halt", "odd fills")
    fetch(database.dsn, LATCHED)
    said = live("resume", "LT_B")
    assert (said.returncode, said.stdout) == (0, "LT_B is not paused any more\n")
    assert "live unhalt" in said.stderr
    assert "live clear-breaker LT_B" in said.stderr


def test_profits_beyond_the_capital_can_be_taken(live, mirror, database):
    fetch(database.dsn, PROFIT)
    assert json_of(live("capital", "LT_B", "--json", "--", "-150"))["available"] == "28.000000"


@pytest.mark.parametrize(
    ("what", "of"), [("positions", "live"), ("exits", "live"), ("logs", "live"), ("list", "orders")]
)
def test_lists_of_a_strategy_that_is_not_there_are_an_error(live, what, of):
    refused = live(what, "NOPE", of=of)
    assert (refused.returncode, "NOPE" in refused.stderr) == (2, True)


FILL = """
INSERT INTO lt_fills (order_hash, trade_id, lt_order_id, shares, price, fee_usd, role, status, matched_at)
SELECT order_hash, 'fill 1', lt_order_id, 4, 0.5, 0, 'TAKER', 'MINED', now() FROM lt_orders RETURNING lt_order_id::text
"""


def test_orders_are_listed_by_what_is_asked_for_with_their_fills(live, mirror, database):
    assert json_of(live("list", "--json", of="orders")) == []
    fetch(database.dsn, HOLDS)
    [(order_id,)] = fetch(database.dsn, FILL)
    [order] = json_of(live("list", "LT_B", "--status", "PARTIAL", "--trade", "cause", "--json", of="orders"))
    assert (order["order_id"], order["filled_shares"], order["average_price"]) == (order_id, "4", "0.5")
    assert json_of(live("list", "--status", "LOST", "--json", of="orders")) == []
    assert json_of(live("list", "--trade", "another", "--json", of="orders")) == []
    [fill] = json_of(live("fills", order_id, "--json", of="orders"))
    assert (fill["trade_id"], fill["status"], fill["shares"]) == ("fill 1", "MINED", "4")
    assert order_id in live("list", of="orders").stdout
    assert "fill 1" in live("fills", order_id, of="orders").stdout
    assert live("fills", "nonsense", of="orders").returncode == 2
