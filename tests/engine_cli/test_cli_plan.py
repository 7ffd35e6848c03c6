"""`polycopy plan` on a database with stored trades, and on a recording without one."""

import json
import time
from decimal import Decimal

import pytest
from engine_cli.cli_process import invoke, json_of, polycopy
from engine_plan.plan_tapes import BEGAN_S, WALLETS, resolved, tape_row
from engine_plan.stored_trades import add_day, in_database, resolve, store_trades

HOSTILE = "<script>alert(1)</script>\x1b[31m"
LIST = f'min_edge = ""\nmin_trader_resolved_count = 0\ntarget_mode = "list"\ntarget_traders = ["{WALLETS[0]}"]\nbet_size = 4\n'
AGO_S = 2 * 86_400


@pytest.fixture
def plan(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments, stdin="", command="plan": invoke(command, *arguments, env=env, stdin=stdin)


@pytest.fixture
def shift():
    """Times of a made tape become times of two days ago, on the whole hour."""
    return int(time.time()) // 3600 * 3600 - AGO_S - BEGAN_S


@pytest.fixture
def stored(database, plan, shift):
    """A bot that buys up to 0.5, and a trader who bought at 0.40 (won), 0.60 (lost) and 0.70 (open)."""
    rows = [
        tape_row(1, shift, market=0, price=Decimal("0.4")),
        tape_row(2, shift + 60, market=1, price=Decimal("0.6"), title=HOSTILE),
        tape_row(3, shift + 120, market=2, price=Decimal("0.7")),
        tape_row(4, shift + 180, market=2, price=Decimal("0.8"), wallet=1),
    ]

    async def fill(reads):
        await store_trades(reads, rows)
        await resolve(reads, [resolved(0, 0, shift + 3_000), resolved(1, 1, shift + 3_000)])

    in_database(database, fill)
    bots = f"[bots.B]\n{LIST}price_max = 0.5\n[bots.SAME]\n{LIST}[bots.OTHER]\n{LIST}"
    assert plan("import", "-", stdin=bots, command="bots").returncode == 0
    return plan


@pytest.fixture
def plan_file(tmp_path):
    def write(text, name="bots.toml"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_one_setting_of_a_stored_bot_is_tried_trade_by_trade(stored, shift):
    answer = json_of(stored("--bot", "B", "--set", "price_max=0.65", "--json"))
    [bot] = answer["bots"]
    assert bot["changes"] == [{"name": "price_max", "old": "0.5", "new": "0.65"}]
    assert (bot["version"], bot["isNew"], bot["same"], bot["cut"]) == (1, False, 1, False)
    [row] = bot["trades"]
    assert (row["kind"], row["trader"], row["before"]) == ("added", WALLETS[0], None)
    assert row["refusal"] == {"reason": "price_out_of_range", "value": "0.6", "limit": "0 to 0.5"}
    assert (row["after"]["stake"], row["after"]["result"]) == (4, "LOST")
    assert row["effect"] == row["after"]["pnl"] < -3.9
    assert (bot["added"]["trades"], bot["dropped"]["trades"], bot["changed"]["trades"]) == (1, 0, 0)
    assert (bot["before"]["orders"], bot["after"]["orders"]) == (1, 2)
    assert (bot["before"]["won"], bot["after"]["lost"]) == (1, 1)
    assert Decimal(str(bot["after"]["totalPnl"])) - Decimal(str(bot["before"]["totalPnl"])) == Decimal(
        str(row["effect"])
    )
    source = answer["source"]
    assert (source["kind"], source["trades"], source["traders"], source["marketsOpen"]) == ("stored", 3, 1, 1)


def test_a_file_changes_makes_and_leaves_alone_and_nothing_is_written(stored, plan_file, tmp_path):
    before = json_of(stored("list", "--json", command="bots"))
    file = plan_file(f"[bots.B]\nbet_size = 8\n[bots.SAME]\nbet_size = 4\n[bots.NEW]\n{LIST}price_min = 0.65\n")
    page, saved = tmp_path / "plan.html", tmp_path / "plan.json"
    done = stored("--bots", file, "--html", page, "--out", saved)
    assert done.returncode == 0, done.stderr
    answer = json.loads(saved.read_bytes())
    assert [bot["walletId"] for bot in answer["bots"]] == ["B", "NEW"]
    assert answer["unchanged"] == ["SAME"]
    changed, new = answer["bots"]
    assert [(row["kind"], row["differs"]) for row in changed["trades"]] == [("changed", ["stake"])]
    assert (new["isNew"], new["before"], new["added"]["trades"]) == (True, None, 1)
    assert new["trades"][0]["refusal"] is None
    assert "B, version 1" in done.stdout
    assert "NEW (new)" in done.stdout
    assert "bet_size: 4 → 8" in done.stdout
    assert "What this cannot know" in done.stdout
    assert "OTHER" not in done.stdout
    assert json_of(stored("list", "--json", command="bots")) == before
    assert "<script" not in page.read_text()
    both = json_of(stored("--bots", file, "--unchanged", "--json"))
    assert [bot["walletId"] for bot in both["bots"]] == ["B", "SAME", "NEW"]
    assert both["bots"][1]["trades"] == []


def test_texts_of_strangers_drive_no_terminal_and_make_no_markup(stored, tmp_path):
    page = tmp_path / "plan.html"
    done = stored("--bot", "B", "--set", "price_max=0.65", "--html", page)
    assert "\x1b" not in done.stdout
    assert "<script>" in done.stdout
    assert "&lt;script&gt;" in page.read_text()
    assert "<script" not in page.read_text()


def test_records_are_those_of_each_day(stored, database, shift):
    async def days(reads):
        # Known before the trades: 40 resolved, half of them won; on the day of the trades and later he won all.
        await add_day(reads, WALLETS[0], BEGAN_S + shift - 5 * 86_400, 40, 40, 20)
        await add_day(reads, WALLETS[0], BEGAN_S + shift + 86_400, 100, 100, 100)

    in_database(database, days)
    arguments = ("--bot", "B", "--set", "min_trader_win_rate=0.6", "--json")
    [bot] = json_of(stored(*arguments))["bots"]
    [row] = bot["trades"]
    assert row["refusal"] == {"reason": "low_win_rate", "value": "0.5", "limit": "at least 0.6"} | row["refusal"]
    assert row["refusal"]["value"] == "0.5"


def test_limits_say_how_far_back_trades_of_new_traders_go(stored):
    stranger = "0x" + "9" * 40
    arguments = ("--bot", "B", "--set", f"target_traders={WALLETS[0]},{WALLETS[1]},{stranger}", "--days", "30")
    answer = json_of(stored(*arguments, "--json"))
    assert answer["thinCount"] == 3
    assert {one["wallet"]: (one["trades"], one["oldest"] is None) for one in answer["thin"]} == {
        stranger: (0, True), WALLETS[1]: (1, False), WALLETS[0]: (3, False),
    }  # fmt: skip
    assert any("no trade is stored for this time" in one for one in answer["limits"])
    assert any("kept for 30 days, or 7 once their market is resolved" in one for one in answer["limits"])
    assert stranger in stored(*arguments).stdout


def test_what_cannot_be_asked_is_said_with_all_mistakes_and_exit_code_2(stored, plan_file):
    unknown = stored("--bot", "NOBODY", "--set", "bet_size=2")
    assert (unknown.returncode, "bots list" in unknown.stderr) == (2, True)
    wrong = stored("--bots", plan_file("[bots.B]\nbet_sise = 1\nprice_max = 7\n[bots.C]\nmin_bet = -1\n"))
    assert wrong.returncode == 2
    for name in ("B.bet_sise", "B.price_max", "C.min_bet"):
        assert name in wrong.stderr
    assert stored("--bots", plan_file("this is = = no TOML")).returncode == 2
    assert stored("--bots", "/nowhere.toml").returncode == 2
    assert stored().returncode == 2
    assert stored("--bot", "B").returncode == 2
    assert stored("--bot", "B", "--set", "bet_size=3", "--bots", plan_file("")).returncode == 2
    assert stored("--bot", "B", "--set", "bet_size=3", "--stats", plan_file("")).returncode == 2
    same = stored("--bot", "B", "--set", "bet_size=4")
    assert (same.returncode, "like that already" in same.stderr) == (1, True)


def test_without_trades_the_reason_is_told(plan, stored):
    nobody = stored("--bot", "B", "--set", "target_traders=", "--set", "is_active=false")
    assert nobody.returncode == 0  # the side before copies somebody
    stranger = "0x" + "9" * 40
    assert plan("create", "S", "--set", "target_mode=list", "--set", f"target_traders={stranger}",
                command="bots").returncode == 0  # fmt: skip
    nothing = plan("--bot", "S", "--set", "bet_size=2")
    assert (nothing.returncode, f"no trade of {stranger} is stored" in nothing.stderr) == (1, True)
    old = plan("--bot", "B", "--set", "bet_size=2", "--days", "1")
    assert (old.returncode, "the oldest that is kept is of" in old.stderr) == (1, True)
    assert plan("create", "F", command="bots").returncode == 0
    followed = plan("--bot", "F", "--set", "bet_size=2")
    assert (followed.returncode, "neither side copies any trader" in followed.stderr) == (1, True)
    chosen = json_of(
        plan("--bot", "F", "--set", "bet_size=2", "--wallets", WALLETS[0].upper().replace("X", "x"), "--json")
    )
    assert chosen["source"]["trades"] == 3
    many = plan("--bot", "B", "--set", "bet_size=2", "--trades-max", "2")
    assert (many.returncode, "more than 2 stored trades" in many.stderr) == (1, True)


def test_a_recording_and_two_files_need_no_database(tmp_path, plan_file):
    rows = [tape_row(1, 0), tape_row(2, 60, market=1, price=Decimal("0.6"))]
    tape = plan_file("".join(json.dumps(row.fields, default=str) + "\n" for row in rows) + "{torn", "tape.jsonl")
    old, new = plan_file(f"[bots.B]\n{LIST}", "old.toml"), plan_file(f"[bots.B]\n{LIST}price_max = 0.5\n", "new.toml")
    env = {"POLYCOPY_DATABASE__DATA_DIR": str(tmp_path / "none")}
    answer = json_of(polycopy("plan", "--tape", tape, "--before", old, "--bots", new, "--json", env=env))
    assert answer["source"]["kind"] == "tape"
    [row] = answer["bots"][0]["trades"]
    assert (row["kind"], row["refusal"]["reason"]) == ("dropped", "price_out_of_range")
    assert any("--stats gives records" in one for one in answer["limits"])
    nothing = polycopy("plan", "--bots", new, env=env)
    assert (nothing.returncode, "there is no database" in nothing.stderr) == (1, True)
    assert not (tmp_path / "none").exists()
    again = polycopy("plan", "--tape", tape, "--before", old, "--bots", "-", "--json", env=env, stdin=new.read_text())
    assert json_of(again) == answer
