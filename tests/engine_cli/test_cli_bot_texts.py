import pytest
from engine_cli.cli_process import invoke, json_of

from config.strategy_files import BYTES_MAX
from config.strategy_settings import document_of
from protocols.strategies import StrategySettings

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202eevil\u200b"
TEXTS = ["", " ", 'a = "b" # c', "'''", '"""', "Zoë ✓ \U0001f3c0", "\\n", "[bots.X]", "two\nlines", HOSTILE]
FIELDS = ["display_name", "description", "hypothesis", "thesis_tier", "strategy_name"]


@pytest.fixture
def polycopy(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments, stdin="": invoke(*arguments, env=env, stdin=stdin)


def settings(polycopy, name):
    return json_of(polycopy("bots", "show", name, "--json"))["settings"]


@pytest.mark.parametrize("command", [["show"], ["list"], ["history"], ["export"], ["set"], ["import"]])
def test_no_text_of_a_strategy_reaches_the_terminal_as_a_command(polycopy, command):
    polycopy("bots", "create", "B")
    named = {"show": ["B"], "history": ["B"], "set": ["B", f"description={HOSTILE}2"]}.get(command[0], [])
    polycopy("bots", "set", "B", f"display_name={HOSTILE}", f"market_categories={HOSTILE}")
    stdin = ""
    if command == ["import"]:
        named, stdin = ["-"], '[bots.B]\ndescription = "\\u001b[2J"\n'
    done = polycopy("bots", *command, *named, stdin=stdin)
    assert done.returncode == 0
    told = done.stdout + done.stderr
    assert not [character for character in told if not character.isprintable() and character != "\n"]


def test_texts_come_back_as_they_were_given(polycopy):
    for number, text in enumerate(TEXTS):
        pairs = [part for field in FIELDS for part in ("--set", f"{field}={text}")]
        assert polycopy("bots", "create", f"B{number}", *pairs).returncode == 0
    for row, text in zip(json_of(polycopy("bots", "list", "--json")), TEXTS, strict=True):
        assert {row["settings"][field].strip() for field in FIELDS} == {text.strip()}
    told = json_of(polycopy("bots", "import", "-", "--json", stdin=polycopy("bots", "export").stdout))
    assert (told["made"], told["changed"], told["same"]) == ([], {}, [f"B{number}" for number in range(len(TEXTS))])


def test_d18_zero_is_kept_as_zero_and_an_empty_value_switches_off(polycopy):
    gates = ("min_edge", "max_edge", "min_conviction", "max_original_trade_usd", "min_trader_win_rate")
    polycopy("bots", "create", "B", *[part for gate in gates for part in ("--set", f"{gate}=0")])
    assert [settings(polycopy, "B")[gate] for gate in gates] == ["0"] * len(gates)
    lines = polycopy("bots", "show", "B").stdout.splitlines()
    assert "* max_edge" in " ".join(line[:10] for line in lines)
    polycopy("bots", "set", "B", *[f"{gate}=" for gate in gates])
    assert [settings(polycopy, "B")[gate] for gate in gates] == [None] * len(gates)
    shown = {line[2:].split()[0]: line.split()[-1] for line in polycopy("bots", "show", "B").stdout.splitlines()[1:]}
    assert {shown[gate] for gate in gates} == {"off"}


def test_a_setting_that_cannot_be_off_is_not_switched_off(polycopy):
    polycopy("bots", "create", "B")
    for field in ("bet_size", "max_trade_age_s", "allocation_method", "starting_balance", "price_min"):
        refused = polycopy("bots", "set", "B", f"{field}=")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert field in refused.stderr
    assert settings(polycopy, "B") == document_of(StrategySettings())


def test_an_export_of_some_names_only_these_and_an_unknown_one_exports_nothing(polycopy, tmp_path):
    for name in ("A", "B", "C"):
        polycopy("bots", "create", name)
    assert polycopy("bots", "export", "C", "A").stdout.count("[bots.") == 2
    out = tmp_path / "bots.toml"
    out.write_text("kept", "utf-8")
    assert polycopy("bots", "export", "A", "NOBODY", "--out", out).returncode == 2
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [("bots.toml", "kept")]


def test_a_file_that_makes_a_strategy_of_a_name_that_was_put_away_changes_nothing(polycopy):
    for name in ("GONE", "KEPT"):
        polycopy("bots", "create", name)
    polycopy("bots", "archive", "GONE")
    refused = polycopy("bots", "import", "-", stdin="[bots.KEPT]\nbet_size = 7\n[bots.NEW]\n[bots.GONE]\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "GONE" in refused.stderr
    assert [row["bot"] for row in json_of(polycopy("bots", "list", "--json"))] == ["KEPT"]
    assert settings(polycopy, "KEPT") == document_of(StrategySettings())


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_file_for_somebody_who_is_not_there_is_refused_also_before_it_is_applied(polycopy, options):
    polycopy("bots", "create", "OLD")
    refused = polycopy("bots", "import", "-", "--owner", "nobody", *options, stdin="[bots.NEW]\n")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "there is no user 'nobody'" in refused.stderr


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_file_that_is_no_text_or_too_long_is_refused(polycopy, tmp_path, options):
    polycopy("bots", "create", "OLD")
    file = tmp_path / "bots.toml"
    for data, reason in ((b"[bots.A]\ndescription = '\xff'\n", "no UTF-8 text"), (b"#" * (BYTES_MAX + 1), "bytes")):
        file.write_bytes(data)
        refused = polycopy("bots", "import", file, *options)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert reason in refused.stderr


def test_every_problem_of_every_strategy_in_a_file_is_listed(polycopy):
    text = "[bots.A]\nprice_min = 2\ncolour = 1\n[bots.B]\nmin_bet = 5\nmax_bet = 1\n"
    refused = polycopy("bots", "import", "-", stdin=text)
    assert refused.returncode == 2
    for problem in ("A.price_min", "A.colour", "B.min_bet"):
        assert problem in refused.stderr


def test_a_strategy_has_all_of_its_versions_in_its_history(polycopy):
    polycopy("bots", "create", "B")
    for cents in range(1, 8):
        polycopy("bots", "set", "B", f"bet_size=0.0{cents}")
    history = json_of(polycopy("bots", "history", "B", "--json"))
    assert [one["version"] for one in history] == list(range(8, 0, -1))
    assert history[0]["changes"] == {"bet_size": ["0.06", "0.07"]}
    assert {one["changed_by"] for one in history} == {"command line"}
