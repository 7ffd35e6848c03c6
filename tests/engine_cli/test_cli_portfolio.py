"""`polycopy portfolio` as a user sees it."""

import json
from decimal import Decimal

import pytest
from engine_cli.cli_process import invoke, json_of
from engine_postgres.server_fixtures import fetch

from engine.cli.portfolio import document_of

TRADER = "0x" + "11" * 20
MARKET = """
WITH made AS (
    INSERT INTO markets (condition_id, title, outcomes, outcome_prices, last_price_updated_at)
    VALUES ('m', 'Will' || chr(27) || '[2J it?', '["Yes", "No"]', '["0.5", "0.5"]', now() - interval '90 seconds')
    RETURNING condition_id
)
INSERT INTO market_tokens SELECT '70', condition_id, 'Yes', 0 FROM made RETURNING 1
"""
COPIES = """
INSERT INTO orders (order_id, copy_user_id, copied_trader_wallet, copied_trader_username, market_id, token_id, outcome, side,
    price, size, filled_size, status, created_at)
SELECT 'c' || n, profiles.id, $1, 'Ada', 'm', CASE n WHEN 4 THEN '99' ELSE '70' END, 'Yes',
    CASE n WHEN 3 THEN 'SELL' ELSE 'BUY' END, 0.4, 10, 10, 'filled', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 h'
FROM profiles CROSS JOIN generate_series(1, 4) AS n WHERE user_name = 'admin' RETURNING 1
"""


@pytest.fixture
def portfolio(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    fetch(database.dsn, MARKET)
    fetch(database.dsn, COPIES, TRADER)
    return lambda *arguments: invoke("portfolio", *arguments, env=env)


def test_figures_for_people_and_for_programs(portfolio):
    document = json_of(portfolio("stats", "--json"))
    assert (document["realized_pnl"], document["unrealized_pnl"], document["unmarked_positions"]) == ("0", "1", 1)
    assert (document["freshness"]["market"], document["total_buy_trades"]) == (1, 3)
    shown = portfolio("stats").stdout
    assert "1.00 USD: 0.00 realised, 1.00 open" in shown
    assert "1 by prices of markets, the oldest 9" in shown
    assert "1 positions, cost 4.00 USD" in shown


def test_positions_trades_and_traders_are_listed(portfolio):
    rows = json_of(portfolio("positions", "--json"))
    assert [(row["token_id"], row["shares"], row["price"]) for row in rows] == [("99", "10", None), ("70", "10", "0.5")]
    assert json_of(portfolio("positions", "--state", "closed", "--json")) == []
    assert len(json_of(portfolio("positions", "--limit", "1", "--json"))) == 1
    trades = json_of(portfolio("trades", "--json"))
    assert [row["order_id"] for row in trades] == ["c4", "c3", "c2", "c1"]
    [trader] = json_of(portfolio("traders", "--json"))
    assert (trader["wallet"], trader["name"], trader["copy_count"], trader["pnl"]) == (TRADER, "Ada", 3, "1")
    for listing in ("positions", "trades", "traders"):
        done = portfolio(listing)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
    assert json_of(portfolio("stats", "--strategy", "LT_A", "--json"))["total_trades"] == 0


def test_a_user_who_is_not_there_is_said_to_be_so(portfolio):
    refused = portfolio("stats", "--user", "nobody")
    assert (refused.returncode, "no user 'nobody'" in refused.stderr) == (2, True)


def test_documents_keep_every_digit():
    assert json.dumps(document_of([Decimal("0.100000000000000001"), None, Decimal("0E-6")])) == (
        '["0.100000000000000001", null, "0"]'
    )
