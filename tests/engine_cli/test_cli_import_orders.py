"""Copies of the reference's users: every row is there or counted, and what it is worth afterwards."""

from collections import Counter
from decimal import Decimal

import pytest
from engine_cli import reference_database as ref
from engine_cli.test_cli_import import fill, report_of
from engine_postgres.server_fixtures import fetch

ROWS = "SELECT order_id, token_id FROM orders ORDER BY order_id"
FILLS = """
SELECT order_id, side, shares, price, trader FROM copied_fills ORDER BY order_id, filled_at, fill_id
"""
ONE = """
SELECT side, status, price_when_copied, current_price, current_price_at::text, notification_closed_sent,
    polymarket_realized_pnl, copied_trader_wallet, created_at::text FROM orders WHERE order_id = 'c01'
"""


@pytest.fixture
def source(postgres, own_logging):
    with postgres.database() as dsn:
        fill(dsn, ref.trades(3))
        yield dsn


def test_every_copy_is_there_or_counted(source, database):
    _, tables = report_of(source, database)
    orders = tables["orders"]
    assert (orders["read"], orders["inserted"]) == (len(ref.ORDERS) + len(ref.BAD_ORDERS), len(ref.ORDERS))
    assert orders["refused"] == Counter(reason for _, _, reason in ref.BAD_ORDERS)
    assert orders["notes"] == Counter(note for _, _, notes in ref.ORDERS for note in notes)
    assert orders["examples"]["side"].startswith("order_id x1")
    assert dict(fetch(database.dsn, ROWS)) == ref.ORDER_TOKENS


def test_a_second_import_and_a_dry_run_add_nothing(source, database):
    report_of(source, database)
    before = fetch(database.dsn, "SELECT * FROM orders ORDER BY order_id")
    _, again = report_of(source, database)
    _, dry = report_of(source, database, "--dry-run")
    assert (again["orders"]["inserted"], again["orders"]["repeated"]) == (0, len(ref.ORDERS))
    assert dry["orders"]["understood"] == len(ref.ORDERS)
    assert fetch(database.dsn, "SELECT * FROM orders ORDER BY order_id") == before


def test_columns_keep_their_names_and_meaning(source, database):
    report_of(source, database)
    moment = "2026-03-02 12:00:00+00"
    assert fetch(database.dsn, ONE) == [
        ("BUY", "matched", Decimal("0.25"), Decimal("0.4"), moment, True, Decimal("5.5"), ref.FOLLOWED, moment)
    ]


def test_what_was_filled_counts_as_the_reference_counted_it(source, database):
    report_of(source, database)
    fills = {(row[0], row[1]): row[2:] for row in fetch(database.dsn, FILLS)}
    assert fills["c01", "BUY"] == (8, Decimal("0.25"), ref.FOLLOWED)
    assert fills["c02", "SELL"][:2] == (8, Decimal("0.5"))
    assert fills["c03", "SELL"][:2] == (8, Decimal("0.75"))
    assert fills["c06", "BUY"][2] is None
    # 2 USD at 0.25.
    assert fills["c09", "BUY"][:2] == (8, Decimal("0.25"))
    # Nobody knows how much of it was filled: its size counts.
    assert fills["c11", "BUY"][:2] == (10, Decimal("0.25"))


def test_what_the_engine_bought_itself_is_not_imported_again(source, database):
    own = "0x" + "ab" * 32
    fetch(source, "UPDATE orders SET order_id = $1 WHERE order_id = 'c01' RETURNING 1", own.upper().replace("X", "x"))
    fetch(database.dsn, LIVE, own)
    _, tables = report_of(source, database)
    assert (tables["orders"]["inserted"], tables["orders"]["repeated"]) == (len(ref.ORDERS) - 1, 1)


LIVE = """
INSERT INTO lt_orders (lt_order_id, strategy_id, account, cause, attempt, origin, part, side, condition_id, token_id,
    signal_price, signal_at, decided_at, order_hash, signed_body)
VALUES (gen_random_uuid(), 'manual:main', 'main', 'c', 1, 'manual', 'now', 'BUY', 'c', 't', 0.5, now(), now(), $1, 'x')
RETURNING 1
"""
