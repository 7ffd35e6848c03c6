import pytest
import trio
from engine_cli.cli_process import invoke, json_of
from engine_postgres.audited_wallets import NOW_S, add_trade, audits, miss, wallet, window

from engine.adapters.postgres.database import database_loop
from protocols.trades import Lane


@pytest.fixture
def audited(database, own_logging):
    """Runs `polycopy coverage …` on a database in which one wallet was audited, and two trades were missed."""

    async def fill():
        async with database_loop(), audits(database) as (store, lease):
            await store.sync(lease, [(wallet(n), Lane.TARGET) for n in (1, 2)], after="", at_end=True, now_s=NOW_S)
            await store.keep_misses(lease, [miss(1), miss(2, "activity")])
            await add_trade(store, miss(1).trade_id, wallet(1), NOW_S, "audit")
            await store.mark_recorded(lease, rows_max=10)
            await store.close_window(lease, window(expected=1_000, by_stream=999, by_gap=0), now_ms=NOW_S * 1000)
            await store.failed(lease, wallet(2), "data: 502", now_ms=NOW_S * 1000)

    trio.run(fill)
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments: invoke(*arguments, env=env)


def test_wallets_are_listed_with_what_the_stream_had(audited):
    lines = audited("coverage").stdout.splitlines()
    assert lines[0] == "lane 0: 99.9 % of 1,000 trades, 1 missed"
    assert [line.split()[:3] for line in lines if line.startswith("0x")] == [
        [wallet(1), "0", "99.9"],
        [wallet(2), "0", "-"],
    ]
    assert lines[-1].endswith("failed 1 times: data: 502")


def test_json_has_lanes_and_wallets(audited):
    document = json_of(audited("coverage", "--json"))
    [lane] = document["lanes"]
    assert (lane["lane"], lane["ratio"], lane["missed"], lane["expected"]) == (0, 0.999, 1, 1_000)
    assert [(row["wallet"], row["ratio"], row["failures"]) for row in document["wallets"]] == [
        (wallet(1), 0.999, 0),
        (wallet(2), None, 1),
    ]


def test_misses_tell_which_history_has_them_and_who_brought_them(audited):
    rows = json_of(audited("coverage", "--misses", "--json"))
    assert [(row["trade_id"], row["source"], row["recorded_source"]) for row in rows] == [
        (miss(2).trade_id, "activity", None),
        (miss(1).trade_id, "trades", "audit"),
    ]
    text = audited("coverage", "--open").stdout
    assert "NOT YET" in text
    assert miss(1).trade_id not in text
    assert len(json_of(audited("coverage", "--misses", "--limit", "1", "--json"))) == 1


def test_without_an_audit_nothing_is_claimed(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    done = invoke("coverage", env=env)
    assert done.returncode == 0
    assert "Nothing has been compared yet" in done.stderr
    assert "No missed trade is known" in invoke("coverage", "--misses", env=env).stderr


def test_status_has_a_line_a_lane(audited):
    done = audited("--set", "http.port=1", "status")
    [line] = [line for line in done.stdout.splitlines() if line.strip().startswith("coverage")]
    assert "lane 0: 99.9 % of 1,000 trades in 24 h, 1 missed by all; audited" in line
    [lane] = json_of(audited("--set", "http.port=1", "status", "--json"))["database"]["coverage"]
    assert (lane["lane"], lane["ratio"], lane["missed"]) == (0, 0.999, 1)
