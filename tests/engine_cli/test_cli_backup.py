"""`db backup` and `db restore` on the test server; the embedded server of a running engine is in the last test."""

import json
import os
import subprocess
import threading
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from engine_adapters.paper_worlds import MADE_BALANCE, MADE_WALLET
from engine_cli.cli_process import invoke, json_of, polycopy
from engine_postgres.server_fixtures import fetch, scratch_directory

from engine.adapters.postgres.restore import BackupError, check_known_migrations

WALLET = "0x" + "ab" * 20
TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY 1
"""
FILL = f"""
INSERT INTO traders (wallet_address, display_name) SELECT '0x' || lpad(to_hex(i), 40, '0'), 'näme ' || i
    FROM generate_series(1, 3000) AS i;
INSERT INTO follows (user_id, trader_wallet) SELECT id, '{WALLET}' FROM profiles;
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw) SELECT 'id-' || i, 1, '{WALLET}', '0x1', '7', '0xc', 'BUY', 1.5, 0.123456789012345678, now(),
    '{{"title": "a\\nb"}}' FROM generate_series(1, 2000) AS i;
"""
# One day with a partition of its own, one without.
DECISIONS = """
SELECT ensure_decisions_partition(date '2026-11-20');
INSERT INTO decisions (trade_day, trade_id, part, trade_time, decided_at, members, snapshot, strategies, versions, reasons,
    bankrolls) SELECT day, 'id-1', '', day, now(), '{}', '{"price": 0.10}', '{1}', '{1}', '{win_rate}', '{NULL}'
    FROM unnest('{2026-11-20, 2019-01-01}'::date[]) AS day;
"""


@pytest.fixture
def filled(database, own_logging):
    fetch(database.dsn, FILL)
    fetch(database.dsn, MADE_WALLET, "BOT", Decimal(100))
    fetch(database.dsn, MADE_BALANCE, "BOT", Decimal(100))
    fetch(database.dsn, DECISIONS)
    return database.dsn


@pytest.fixture
def place(tmp_path):
    return tmp_path / "polycopy.backup"


def at(dsn):
    return {"POLYCOPY_DATABASE__URL": dsn}


def rows(dsn):
    """Every row of every table, as text."""
    names = [name for (name,) in fetch(dsn, TABLES)]
    return {name: sorted(str(row) for (row,) in fetch(dsn, f"SELECT t::text FROM {name} AS t")) for name in names}


def backed_up(dsn, place):
    done = invoke("db", "backup", place, env=at(dsn))
    assert done.returncode == 0, done.stderr
    return done


def failed(*arguments, dsn):
    done = invoke("db", *arguments, env=at(dsn))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_restored_database_is_the_same_row_by_row(filled, postgres, place):
    document = json_of(invoke("db", "backup", place, "--json", env=at(filled)))
    assert document["bytes"] == place.stat().st_size
    assert place.stat().st_mode & 0o777 == 0o600
    assert {"trades_public", "follows", "ft_wallets", "ft_balances", "decisions"} <= set(document["tables"])
    with postgres.database() as empty:
        restored = json_of(invoke("db", "restore", place, "--json", env=at(empty)))
        assert rows(empty) == rows(filled)
        assert restored["rows"] == {name: len(found) for name, found in rows(filled).items()}
        assert (restored["note"], restored["migrations"]) == ("", document["migrations"])
        # It works on: sequences go on where they were, triggers and constraints are there.
        fetch(empty, "INSERT INTO follows (user_id, trader_wallet) SELECT id, $1 FROM profiles", "0x" + "cd" * 20)
        assert fetch(empty, "SELECT version FROM target_version") > fetch(filled, "SELECT version FROM target_version")
        [(identity,)] = fetch(empty, "SELECT nextval(pg_get_serial_sequence('trades_public', 'ingest_seq'))")
        assert identity == 2001
        assert fetch(empty, "SELECT nextval('decisions_seq')") == [(3,)]
        assert fetch(empty, "SELECT tableoid::regclass::text FROM decisions ORDER BY trade_day") == [
            ("decisions_other",),
            ("decisions_20261120",),
        ]
        fetch(empty, MADE_WALLET, "NEXT", Decimal(100))
        assert fetch(empty, "SELECT number FROM ft_wallets WHERE wallet_id = 'NEXT'") == [(2,)]
        assert fetch(empty, "SELECT version FROM strategy_version") > fetch(
            filled, "SELECT version FROM strategy_version"
        )
    assert list(place.parent.iterdir()) == [place]


def test_a_freshly_migrated_database_takes_a_backup_without_force(filled, postgres, migrated_template, place):
    backed_up(filled, place)
    with postgres.database(template=migrated_template) as fresh:
        assert invoke("db", "restore", place, env=at(fresh)).returncode == 0
        assert rows(fresh) == rows(filled)


def test_data_is_replaced_only_by_force(filled, postgres, migrated_template, place):
    backed_up(filled, place)
    with postgres.database(template=migrated_template) as other:
        fetch(other, "INSERT INTO traders (wallet_address) VALUES ($1)", WALLET)
        fetch(
            other,
            "CREATE TABLE of_a_later_version (user_id uuid REFERENCES profiles (id)); CREATE TYPE mood AS ENUM ();",
        )
        before = rows(other)
        text = failed("restore", place, dsn=other)
        assert "holds rows (1 in traders)" in text
        assert "--force" in text
        assert rows(other) == before
        assert invoke("db", "restore", place, "--force", env=at(other)).returncode == 0
        assert rows(other) == rows(filled)


def test_a_live_engine_is_not_disturbed(filled, postgres, migrated_template, place):
    backed_up(filled, place)
    with postgres.database(template=migrated_template) as other:
        lease = "INSERT INTO engine_leases VALUES ('ingest', 'o', 'host process 7', 1, now() + interval '1 hour')"
        fetch(other, f"{lease} RETURNING 1")
        assert "a running engine (host process 7) works with" in failed("restore", place, dsn=other)


def test_a_database_of_something_else_is_refused_even_by_force(filled, postgres, place):
    with postgres.database() as other:
        fetch(other, "CREATE TABLE invoices (id int); INSERT INTO invoices VALUES (1);")
        assert "nothing to back up" in failed("backup", place, dsn=other)
        backed_up(filled, place)
        assert "not Polycopy's (invoices)" in failed("restore", place, "--force", dsn=other)
        assert rows(other) == {"invoices": ["(1)"]}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9999])
def test_a_truncated_file_is_refused_and_nothing_is_lost(filled, place, share):
    backed_up(filled, place)
    before = rows(filled)
    data = place.read_bytes()
    place.write_bytes(data[: int(len(data) * share)])
    assert "is no complete backup" in failed("restore", place, "--force", dsn=filled)
    assert rows(filled) == before


def test_a_backup_of_a_newer_program_is_refused(filled, postgres, place):
    fetch(filled, "INSERT INTO schema_migrations VALUES (9999, 'later', 'x') RETURNING 1")
    with pytest.raises(BackupError, match="migration 9999"):
        check_known_migrations((1, 9999))
    assert "migration 9999" in failed("backup", place, dsn=filled)
    assert not place.exists()


def test_an_existing_file_is_replaced_only_when_asked(filled, place):
    place.write_text("precious")
    assert "exists already" in failed("backup", place, dsn=filled)
    assert place.read_text() == "precious"
    assert invoke("db", "backup", place, "--overwrite", env=at(filled)).returncode == 0
    assert place.read_bytes()[:5] == b"PGDMP"


def test_a_full_disk_is_reported_and_leaves_no_half_file(filled):
    if os.geteuid():
        pytest.skip("mounting a small file system needs root")
    with scratch_directory() as home:
        target = home / "small"
        target.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(target)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting is not allowed here")
        try:
            assert "No space left on device" in failed("backup", target / "file", dsn=filled)
            assert list(target.iterdir()) == []
        finally:
            subprocess.run(["umount", "-l", str(target)], check=True)


def test_what_a_killed_backup_left_is_reused(filled, place):
    left = place.with_name(f".{place.name}.partial")
    left.write_bytes(b"x" * 10_000_000)
    backed_up(filled, place)
    assert not left.exists()


def test_the_password_is_on_no_command_line(filled, place, tmp_path):
    parts = urlsplit(filled)
    with_password = urlunsplit(parts._replace(netloc=parts.netloc.replace("@", ":geheim%40x@", 1)))
    seen, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = Path("/proc", pid, "cmdline").read_bytes()
                except OSError:
                    continue
                if b"--dbname=" in line and filled.rpartition("?")[2].encode() in line:
                    seen.add(line)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done_backup = polycopy("db", "backup", place, env=at(with_password))
    finally:
        done.set()
        watcher.join()
    assert done_backup.returncode == 0
    assert seen
    assert not [line for line in seen if b"geheim" in line]
    assert "geheim" not in done_backup.stdout + done_backup.stderr


def test_a_running_engine_is_backed_up_and_not_restored_over(engine, place):
    done = engine.polycopy("db", "backup", place, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] > 0
    refused = engine.polycopy("db", "restore", place)
    assert refused.returncode == 1
    assert "a running engine" in refused.stderr
    with scratch_directory() as home:
        elsewhere = polycopy("--set", f"database.data_dir={home / 'postgres'}", "db", "restore", place)
        assert elsewhere.returncode == 0, elsewhere.stderr
        assert "the embedded server in" in elsewhere.stdout
