import hashlib
import json
import signal
import subprocess
import time
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from engine_cli import reference_database as ref
from engine_cli.cli_process import PROGRAM, environment, invoke, json_of
from engine_postgres.server_fixtures import fetch

TRADES = "SELECT trade_id, lane, trader_wallet, size, price, side, asset FROM trades_public ORDER BY ingest_seq"
BEGAN = "2026-03-01 12:00:00+00"


def fill(dsn, trades):
    fetch(dsn, ref.DDL)
    many(dsn, "profiles (id, email, user_name, is_admin)", "uuid,text,text,boolean", ref.PROFILES)
    many(dsn, "follows (user_id, trader_wallet, active)", "uuid,text,boolean", ref.FOLLOWS)
    many(dsn, "traders (wallet_address, display_name, pnl, win_rate)", "text,text,numeric,numeric", ref.TRADERS)
    markets = [(row[0], *(None if v is None else json.dumps(v) for v in row[1:4]), row[4],
                None if row[5] is None else json.dumps(row[5])) for row in ref.MARKETS]  # fmt: skip
    columns = "markets (condition_id, outcomes, outcome_prices, tokens, resolved_outcome, raw_gamma)"
    many(dsn, columns, "text,jsonb,jsonb,jsonb,text,jsonb", markets)
    rows = [(*row[:8], row[8], None if row[9] is None else json.dumps(row[9])) for row in trades]
    names = "trade_id, trader_wallet, transaction_hash, asset, side, outcome, size, price, trade_timestamp, raw, condition_id"
    kinds = "text,text,text,text,text,text,numeric,numeric,integer,jsonb"
    orders = [{"order_id": id_, **ref.COPY, **changes} for id_, changes, _ in [*ref.ORDERS, *ref.BAD_ORDERS]]
    fetch(dsn, "INSERT INTO orders SELECT * FROM jsonb_populate_recordset(NULL::orders, $1::jsonb) RETURNING 1",
          json.dumps(orders))  # fmt: skip
    # Stored in the opposite order of time.
    many(dsn, f"trades_public ({names})", kinds, rows[::-1],
         f"a, b, c, d, e, f, g, h, timestamptz '{BEGAN}' + i * interval '1 second', j, '{ref.MARKET}'")  # fmt: skip


def many(dsn, into, kinds, rows, select="*"):
    names = "abcdefghij"[: kinds.count(",") + 1]
    recordset = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds.split(","), strict=True))
    document = json.dumps([dict(zip(names, (v if v is None or isinstance(v, bool | int) else str(v) for v in row),
                                    strict=True)) for row in rows])  # fmt: skip
    if "jsonb" in kinds:
        json_columns = [name for name, kind in zip(names, kinds.split(","), strict=True) if kind == "jsonb"]
        objects = json.loads(document)
        for row in objects:
            row.update({name: None if row[name] is None else json.loads(row[name]) for name in json_columns})
        document = json.dumps(objects)
    sql = f"INSERT INTO {into} SELECT {select} FROM jsonb_to_recordset($1::jsonb) AS r ({recordset}) RETURNING 1"
    fetch(dsn, sql, document)


def expected_trades(rows):
    """What the import has to write, computed without the program's own mapping."""
    kept, counts = [], {}
    for _, wallet, tx, asset, side, _, size, price, _, raw in rows:
        wallet = wallet.lower()
        if wallet not in (ref.FOLLOWED, ref.KNOWN):
            continue
        raw = json.loads(raw) if isinstance(raw, str) else raw or {}
        if tx is None and asset is None:
            tx, asset, side, size, price = ref.tx(901), raw["asset"], raw["side"], raw["size"], raw["price"]
        if tx is None or size == "NaN" or not 0 <= Decimal(price) <= 1 or side not in ("BUY", "Buy", "sell"):
            continue
        micro = int((Decimal(str(size)) * 1_000_000).to_integral_value(ROUND_HALF_EVEN))
        text = f"{tx}|{wallet}|{asset}|{side.upper()}|{micro}"
        key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        ordinal = counts[key] = counts.get(key, -1) + 1
        lane = 1 if wallet == ref.FOLLOWED else 2
        exact = Decimal(price).quantize(Decimal(1).scaleb(-18), ROUND_HALF_EVEN)
        kept.append((f"{key}-{ordinal}", lane, wallet, Decimal(micro).scaleb(-6), exact, side.upper(), asset))
    return kept


@pytest.fixture
def source(postgres, own_logging):
    with postgres.database() as dsn:
        fill(dsn, ref.trades())
        yield dsn


def imported(source, database, *arguments):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "OLD_DATABASE": source}
    done = invoke("db", "import", "--from", "OLD_DATABASE", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done


def report_of(source, database, *arguments):
    document = json_of(imported(source, database, "--json", *arguments))
    for table in document["tables"]:
        done = table["understood"] if document["dry_run"] else table["inserted"] + table["repeated"]
        assert table["read"] == done + sum(table["skipped"].values()) + sum(table["refused"].values())
    return document, {table["table"]: table for table in document["tables"]}


def test_every_row_is_there_or_counted(source, database):
    document, tables = report_of(source, database)
    assert fetch(database.dsn, TRADES) == expected_trades(ref.trades())
    trades = tables["trades_public"]
    assert trades["read"] == len(ref.trades())
    assert trades["inserted"] == len(expected_trades(ref.trades()))
    assert trades["refused"] == {**ref.REFUSED_TRADES}
    assert sum(trades["skipped"].values()) == 233
    assert trades["examples"]["transaction_hash"].startswith("trade_id no-hash")
    assert document["skipped_tables"] == {"ft_orders": 0}
    assert document["absent"] == []


def test_names_and_outcomes_come_out_of_the_payload(source, database):
    imported(source, database)
    sql = "SELECT outcome, trader_name, market_title FROM trades_public WHERE transaction_hash = $1"
    assert fetch(database.dsn, sql, ref.tx(900)) == [("Down", "N\ufffdme", None)] * 2
    assert fetch(database.dsn, sql, ref.tx(901)) == [("Up", None, "T")]


def test_users_follows_and_traders(source, database):
    _, tables = report_of(source, database)
    users = fetch(
        database.dsn, "SELECT id::text, user_name, is_admin FROM profiles WHERE id::text LIKE '0000000%' ORDER BY id"
    )
    assert users == [(ref.ANN, "ann", True), (ref.BOB, "bob.b-00000002", False), (ref.EVE, "admin-00000003", False)]
    follows = fetch(database.dsn, "SELECT user_id::text, trader_wallet, active FROM follows ORDER BY 1, 2")
    assert follows == [(ref.ANN, ref.FOLLOWED, True), (ref.BOB, ref.UNFOLLOWED, False)]
    assert tables["follows"]["refused"] == {"wallet": 1, "user_unknown": 1}
    assert tables["follows"]["repeated"] == 1
    traders = fetch(database.dsn, "SELECT wallet_address, pnl, win_rate FROM traders ORDER BY 1")
    assert traders[0] == (ref.FOLLOWED, None, None)
    assert traders[1][0] == ref.KNOWN
    assert tables["traders"]["notes"] == {"pnl": 1, "win_rate": 1}
    assert tables["traders"]["refused"] == {"wallet": 1}


def test_markets_of_two_shapes(source, database):
    _, tables = report_of(source, database)
    sql = "SELECT condition_id, outcome_prices::text, resolution_status FROM markets ORDER BY 1"
    assert fetch(database.dsn, sql) == [
        (ref.MARKET, '["0.75", "0.25"]', None),
        ("0x" + "22" * 32, '["1", "0"]', None),
        ("0x" + "33" * 32, None, None),
        ("0x" + "55" * 31 + "00", '["0.1", "0.9"]', None),
    ]
    tokens = fetch(database.dsn, "SELECT token_id, outcome, outcome_index FROM market_tokens ORDER BY 1")
    assert tokens == [("71", "Up", 0), ("72", "Down", 1), ("81", "Yes", 0), ("82", "No", 1)]
    assert tables["markets"]["refused"] == {"market_of_another_id": 1}
    assert tables["markets"]["notes"] == {"resolved_outcome says 'resolved'": 1, "outcome_prices": 1, "tokens": 1}


def test_a_second_import_adds_nothing_and_what_is_here_stays(source, database):
    imported(source, database)
    before = fetch(database.dsn, TRADES)
    fetch(database.dsn, "UPDATE follows SET active = false, is_target = true WHERE user_id = $1", ref.ANN)
    _, tables = report_of(source, database)
    assert fetch(database.dsn, TRADES) == before
    assert [table["inserted"] for table in tables.values()] == [0] * 6
    assert fetch(database.dsn, "SELECT bool_or(active) FROM follows") == [(False,)]


def test_a_copy_target_of_ours_gets_lane_zero(source, database):
    fetch(database.dsn, "INSERT INTO follows (user_id, trader_wallet, is_target) SELECT id, $1, true FROM profiles",
          ref.KNOWN)  # fmt: skip
    imported(source, database)
    lanes = fetch(database.dsn, "SELECT DISTINCT trader_wallet, lane FROM trades_public ORDER BY 1")
    assert lanes == [(ref.FOLLOWED, 1), (ref.KNOWN, 0)]


def test_a_dry_run_writes_nothing_and_counts_the_same(source, database, tmp_path):
    dry, tables = report_of(source, database, "--dry-run")
    assert dry["dry_run"]
    assert fetch(database.dsn, "SELECT count(*) FROM trades_public") == [(0,)]
    assert fetch(database.dsn, "SELECT count(*) FROM profiles") == [(1,)]
    _, real = report_of(source, database)
    assert {name: t["refused"] for name, t in tables.items()} == {name: t["refused"] for name, t in real.items()}
    assert tables["trades_public"]["understood"] == real["trades_public"]["inserted"]
    # Without any database of ours none is made.
    nowhere = tmp_path / "postgres"
    arguments = ("--set", f"database.data_dir={nowhere}", "db", "import", "--from", "OLD", "--dry-run")
    assert "Nothing was written." in invoke(*arguments, env={"OLD": source}).stdout
    assert not nowhere.exists()


def test_an_import_that_was_killed_is_finished_by_the_next(source, database):
    rows = ref.trades(12_000)
    fetch(source, "TRUNCATE trades_public; TRUNCATE markets;")
    fetch(source, "DROP TABLE profiles, follows, traders, markets, trades_public, ft_orders, orders CASCADE; SELECT 1;")
    fill(source, rows)
    env = environment(POLYCOPY_DATABASE__URL=database.dsn, OLD_DATABASE=source)
    command = [*PROGRAM, "db", "import", "--from", "OLD_DATABASE"]
    count = "SELECT count(*) FROM trades_public"
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while fetch(database.dsn, count)[0][0] < 1_000 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert 1_000 <= fetch(database.dsn, count)[0][0] < len(expected_trades(rows))
    imported(source, database)
    assert fetch(database.dsn, TRADES) == expected_trades(rows)


def test_the_source_is_only_read_and_an_engine_is_not_disturbed(source, database):
    fetch(
        database.dsn,
        "INSERT INTO engine_leases VALUES ('ingest', 'o', 'host 7', 1, now() + interval '1 hour') RETURNING 1",
    )
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "OLD": source}
    done = invoke("db", "import", "--from", "OLD", env=env)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "a running engine (host 7)" in done.stderr


@pytest.mark.parametrize("source", ["postgresql://me:geheim@127.0.0.1:9/x", "NAME"])
def test_the_address_is_never_shown(source, database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "NAME": "postgresql://me:geheim@127.0.0.1:9/x"}
    done = invoke("db", "import", "--from", source, env=env)
    assert done.returncode == (2 if "://" in source else 1)
    assert "geheim" not in done.stdout + done.stderr


def test_our_own_database_and_an_empty_one_are_no_source(database, postgres, own_logging):
    with postgres.database() as empty:
        for dsn, text in ((database.dsn, "one of Polycopy"), (empty, "none of the tables")):
            env = {"POLYCOPY_DATABASE__URL": database.dsn, "OLD": dsn}
            done = invoke("db", "import", "--from", "OLD", env=env)
            assert done.returncode == 1
            assert text in done.stderr
