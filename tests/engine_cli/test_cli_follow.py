import time

import pytest
from engine_cli.cli_process import NOT_THERE, invoke, json_of, polycopy
from engine_postgres.server_fixtures import fetch

ONE, TWO, THREE = (f"0x{digit * 40}" for digit in "abc")


@pytest.fixture
def follow(database, own_logging):
    """Runs `polycopy follow …` on a database of the test's own; the venue is not there."""
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_VENUE__GAMMA_URL": NOT_THERE}
    return lambda *arguments, stdin="": invoke("follow", *arguments, env=env, stdin=stdin)


def stored(database):
    return dict(fetch(database.dsn, "SELECT trader_wallet, is_target FROM follows WHERE active ORDER BY 1"))


def test_nobody_is_followed_at_first(follow):
    assert json_of(follow("list", "--json")) == []
    text = follow("list")
    assert (text.returncode, text.stdout) == (0, "")
    assert "follow add" in text.stderr


def test_adding_and_removing_says_what_changed(follow, database):
    added = follow("add", ONE.upper().replace("0X", "0x"), f"https://polymarket.com/profile/{TWO}", ONE)
    assert added.stdout == f"2 now followed:\n  {ONE}\n  {TWO}\n"
    again = follow("add", ONE, THREE)
    assert again.stdout == f"1 now followed:\n  {THREE}\n1 followed before, nothing changed:\n  {ONE}\n"
    removed = json_of(follow("rm", TWO, "0x" + "d" * 40, "--json"))
    assert (removed["removed"], removed["not_followed"]) == ([TWO], ["0x" + "d" * 40])
    assert stored(database) == {ONE: False, THREE: False}
    assert json_of(follow("add", TWO, "--json"))["added"] == [TWO]
    table = follow("list").stdout.splitlines()
    assert table[0].split() == ["wallet", "trades", "last", "trade", "since"]
    assert [line.split()[0] for line in table[1:]] == [ONE, TWO, THREE]


def test_a_target_stays_one_until_somebody_says_otherwise(follow, database):
    follow("add", ONE, "--target")
    assert json_of(follow("add", ONE, TWO, "--json"))["unchanged"] == [ONE]
    assert stored(database) == {ONE: True, TWO: False}
    assert json_of(follow("add", ONE, TWO, "--target", "--json"))["made_target"] == [TWO]
    assert json_of(follow("add", ONE, "--no-target", "--json"))["no_target"] == [ONE]
    assert stored(database) == {ONE: False, TWO: True}
    follow("rm", TWO)
    follow("add", TWO)
    assert stored(database) == {ONE: False, TWO: False}


def test_ten_thousand_wallets_are_one_quick_call(follow, database, tmp_path):
    file = tmp_path / "traders.txt"
    file.write_text("# many\n\n" + "\n".join(f"0x{number:040x}  # {number}" for number in range(10_000)))
    began = time.monotonic()
    done = follow("add", "--file", file, "--target")
    assert time.monotonic() - began < 5
    assert done.stdout == "10,000 now followed.\n"
    assert len(stored(database)) == 10_000


def test_a_file_may_come_by_standard_input(follow):
    assert json_of(follow("add", "--file", "-", "--json", stdin=f"{ONE}\n"))["added"] == [ONE]


def test_all_bad_lines_are_told_at_once_and_nothing_is_changed(follow, database, tmp_path):
    file = tmp_path / "traders.txt"
    file.write_bytes(f"{ONE}\nnobody\n# fine\n0x12\n".encode() + b"\xff\n")
    done = follow("add", "--file", file, TWO, "me")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "Error: 4 traders cannot be understood; nothing was changed:"
    assert [line.split(":")[:-1] for line in done.stderr.splitlines()[1:]] == [
        ["  me"],
        [f"  {file}", "2", " nobody"],
        [f"  {file}", "4", " 0x12"],
        [f"  {file}", "5"],
    ]
    assert stored(database) == {}


def test_names_need_the_venue_and_nothing_is_changed_without_it(follow, database):
    done = follow("add", ONE, "@somebody")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: names could not be looked up, nothing was changed: gamma: ")
    assert stored(database) == {}


def test_bad_lines_are_told_even_while_the_venue_is_away(follow):
    done = follow("add", "bad", "@somebody")
    assert done.returncode == 2
    assert "  bad: is not a wallet" in done.stderr
    assert "  names could not be looked up" in done.stderr


@pytest.mark.parametrize("command", ["add", "rm", "list"])
def test_an_unknown_user_is_refused(follow, command):
    traders = [] if command == "list" else [ONE]
    done = follow(command, *traders, "--user", "\x1b[2Jbob")
    assert done.returncode == 2
    assert "there is no user '?[2Jbob'" in done.stderr


@pytest.mark.parametrize("command", ["add", "rm"])
def test_naming_nobody_is_a_usage_error(follow, command):
    assert follow(command).returncode == 2


def test_a_file_that_is_not_there_is_a_usage_error(follow):
    done = follow("add", "--file", "/no/such/file")
    assert done.returncode == 2
    assert "No such file" in done.stderr


def test_as_a_process(database):
    done = polycopy("follow", "add", ONE, env={"POLYCOPY_DATABASE__URL": database.dsn})
    assert (done.returncode, done.stdout, done.stderr) == (0, f"1 now followed:\n  {ONE}\n", "")
