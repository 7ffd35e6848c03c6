import csv
import json
from datetime import UTC, datetime

import pytest
from engine_cli.cli_process import invoke
from engine_postgres.server_fixtures import fetch

from engine.cli.export_files import written_whole

ONE, TWO = "0x" + "a" * 40, "0x" + "b" * 40
FILL = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, trader_name, market_title, raw)
SELECT md5(number::text), 1, CASE WHEN number % 2 = 0 THEN '0x' || repeat('a', 40) ELSE '0x' || repeat('b', 40) END, '0x1', '7',
    '0x2', 'BUY', 2.7027, 0.688999999893586712, timestamptz '2026-06-01Z' + number / 100 * interval '1 s',
    '=HYPERLINK("http://x","y")', E'Will “it” rain,\\n"tomorrow"?', '{}'
FROM generate_series(0, $1::int - 1) AS number
"""


@pytest.fixture
def export(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments: invoke("export", "trades", *arguments, env=env)


def test_csv_holds_everything_once_in_order(export, database, tmp_path):
    fetch(database.dsn, FILL, 12_345)
    out = tmp_path / "trades.csv"
    done = export("--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"12,345 trades in {out}\n"
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = [(row["trade_timestamp"], row["trade_id"]) for row in rows]
    assert len(set(keys)) == 12_345
    assert keys == sorted(keys)
    assert (rows[0]["price"], rows[0]["size"]) == ("0.688999999893586712", "2.7027")
    assert rows[0]["trade_timestamp"] == "2026-06-01T00:00:00Z"
    assert rows[0]["trader_name"] == '\'=HYPERLINK("http://x","y")'
    assert rows[0]["market_title"] == 'Will “it” rain,\n"tomorrow"?'
    assert [path.name for path in tmp_path.iterdir()] == ["trades.csv"]


def test_json_lines_hold_texts_as_they_are(export, database, tmp_path):
    fetch(database.dsn, FILL, 300)
    out = tmp_path / "trades.jsonl"
    assert export("--format", "jsonl", "--out", out, "--since", "2026-06-01T00:00:01Z", "--wallet", TWO).returncode == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 100
    assert {row["trader_wallet"] for row in rows} == {TWO}
    assert {row["trader_name"] for row in rows} == {'=HYPERLINK("http://x","y")'}
    assert rows[0]["price"] == "0.688999999893586712"
    assert rows[0]["trade_timestamp"] == "2026-06-01T00:00:01Z"


def test_parquet_holds_exact_values_or_says_what_it_needs(export, database, tmp_path):
    fetch(database.dsn, FILL, 10)
    out = tmp_path / "trades.parquet"
    done = export("--format", "parquet", "--out", out)
    try:
        import pyarrow.parquet
    except ImportError:
        assert done.returncode == 1
        assert "polycopy[parquet]" in done.stderr
        assert list(tmp_path.iterdir()) == []
        return
    rows = pyarrow.parquet.read_table(out).to_pylist()
    assert (len(rows), str(rows[0]["size"])) == (10, "2.702700")
    assert rows[0]["trade_timestamp"] == datetime(2026, 6, 1, tzinfo=UTC)


def test_nothing_stored_is_a_file_with_a_header(export, tmp_path):
    out = tmp_path / "trades.csv"
    assert export("--out", out, "--wallet", ONE).stdout.startswith("0 trades in ")
    assert out.read_text().startswith("trade_id,trade_timestamp,")


def test_a_failure_leaves_the_older_file(tmp_path):
    out = tmp_path / "trades.csv"
    out.write_text("older")
    with pytest.raises(KeyError), written_whole(out, "csv", ["a"]) as writer:
        writer.write([{"a": 1}, {}])
    assert out.read_text() == "older"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "wrong", [["--since", "yesterday"], ["--wallet", "0x12"], ["--wallet", "@name"], ["--format", "xls"]]
)
def test_what_cannot_be_understood_is_a_usage_error(wrong, export, tmp_path):
    assert export("--out", tmp_path / "x", *wrong).returncode == 2


def test_a_folder_that_is_not_there_is_one_line(export, tmp_path):
    done = export("--out", tmp_path / "no" / "x.csv")
    assert done.returncode == 1
    assert "No such file" in done.stderr
