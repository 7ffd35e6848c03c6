import pytest
from engine_cli.cli_process import invoke, json_of
from engine_postgres.server_fixtures import fetch

from config.strategy_settings import document_of
from config.strategy_template import template, templates
from protocols.strategies import StrategySettings

WALLET = "0x" + "a" * 40
ORDERS = """
UPDATE ft_balances SET orders = 1, open_orders = 1, cash = cash - 10, open_cost = 10 WHERE wallet_id = 'B' RETURNING 1
"""


@pytest.fixture
def polycopy(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments, stdin="": invoke(*arguments, env=env, stdin=stdin)


def names(polycopy, *options):
    return [row["bot"] for row in json_of(polycopy("bots", "list", "--json", *options))]


def settings(polycopy, name):
    return json_of(polycopy("bots", "show", name, "--json"))["settings"]


def test_a_bot_is_made_with_settings_and_listed_with_its_money(polycopy):
    assert "bots create --template" in polycopy("bots", "list").stderr
    made = polycopy("bots", "create", "B", "--set", "starting_balance=250", "--set", f"target_traders={WALLET}",
                    "--set", "target_mode=list", "--set", "min_edge=")  # fmt: skip
    assert made.stdout == "B made\n"
    (row,) = json_of(polycopy("bots", "list", "--json"))
    assert (row["bot"], row["version"]) == ("B", 1)
    assert (row["balance"]["cash"], row["balance"]["orders"]) == ("250.00", 0)
    assert row["settings"] == document_of(StrategySettings()) | {
        "starting_balance": "250", "target_traders": [WALLET], "target_mode": "list", "min_edge": None,
    }  # fmt: skip
    line = polycopy("bots", "list").stdout.splitlines()[1].split()
    assert line[:4] == ["B", "v1", "list", "250.00"]


def test_a_template_makes_all_of_its_bots_or_none(polycopy):
    wanted = [name for name, _ in template("favourites").bots]
    assert json_of(polycopy("bots", "templates", "--json"))[0].keys() == {"template", "description", "bots"}
    assert len(polycopy("bots", "templates").stdout.splitlines()) == 1 + len(templates())
    assert polycopy("bots", "create", wanted[-1]).returncode == 0
    clash = polycopy("bots", "create", "--template", "favourites")
    assert (clash.returncode, clash.stdout) == (1, "")
    assert wanted[-1] in clash.stderr
    assert names(polycopy) == [wanted[-1]]
    made = polycopy("bots", "create", "--template", "favourites", "--prefix", "MY_", "--set", "starting_balance=77")
    assert made.stdout.splitlines() == [f"MY_{name} made" for name in wanted]
    assert names(polycopy) == sorted([wanted[-1], *(f"MY_{name}" for name in wanted)])
    expected = dict(template("favourites").bots)[wanted[0]]
    assert settings(polycopy, f"MY_{wanted[0]}") == document_of(expected) | {"starting_balance": "77"}


def test_every_change_makes_a_version_and_history_tells_what_it_changed(polycopy):
    polycopy("bots", "create", "B")
    changed = json_of(polycopy("bots", "set", "B", "price_min=0", "price_max=0.8", "max_edge=0", "--json"))
    assert changed == {"bot": "B", "version": 2, "changes": {"price_max": ["1", "0.8"], "max_edge": [None, "0"]}}
    assert polycopy("bots", "pause", "B").stdout.splitlines()[1].split() == ["is_active:", "yes", "→", "no"]
    assert "paused" in polycopy("bots", "list").stdout
    assert "like that already (version 3)" in polycopy("bots", "pause", "B").stdout
    polycopy("bots", "resume", "B")
    history = json_of(polycopy("bots", "history", "B", "--json"))
    assert [(one["version"], one["changes"]) for one in history] == [
        (4, {"is_active": [False, True]}), (3, {"is_active": [True, False]}), (2, changed["changes"]), (1, {}),
    ]  # fmt: skip
    assert polycopy("bots", "history", "B").stdout.startswith("version 4, ")


def test_what_is_wrong_is_listed_at_once_and_changes_nothing(polycopy):
    polycopy("bots", "create", "B")
    refused = polycopy("bots", "set", "B", "price_min=2", "colour=red", "min_bet=20", "use_model=true")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: 4 settings cannot be used; nothing was changed:")
    for field in ("price_min: '2' is not allowed; allowed: 0 to 1", "colour", "min_bet: 20", "model_threshold"):
        assert field in refused.stderr
    assert settings(polycopy, "B") == document_of(StrategySettings())
    assert [one["version"] for one in json_of(polycopy("bots", "history", "B", "--json"))] == [1]


def test_the_starting_balance_stays_once_a_bot_has_traded(polycopy, database):
    polycopy("bots", "create", "B")
    assert polycopy("bots", "set", "B", "starting_balance=500").returncode == 0
    assert json_of(polycopy("bots", "show", "B", "--json"))["balance"]["cash"] == "500.00"
    fetch(database.dsn, ORDERS)
    refused = polycopy("bots", "set", "B", "starting_balance=900")
    assert refused.returncode == 1
    assert "its starting_balance stays 500" in refused.stderr
    assert json_of(polycopy("bots", "show", "B", "--json"))["balance"]["cash"] == "490.00"


def test_a_bot_that_was_put_away_is_gone_and_its_name_is_taken(polycopy):
    polycopy("bots", "create", "B")
    assert json_of(polycopy("bots", "archive", "B", "--json")) == {"bot": "B", "archived": True}
    assert names(polycopy) == []
    for command in ("show", "archive", "pause", "history"):
        assert "there is no strategy 'B'" in polycopy("bots", command, "B").stderr
    assert "there is or was a strategy B" in polycopy("bots", "create", "B").stderr


def test_bots_belong_to_users(polycopy):
    polycopy("users", "add", "ann")
    polycopy("bots", "create", "HERS", "--owner", "ann")
    polycopy("bots", "create", "MINE")
    assert names(polycopy, "--owner", "ann") == ["HERS"]
    assert names(polycopy) == ["HERS", "MINE"]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("create",), 2, "name the strategy, or a --template"),
        (("create", "a b"), 2, "a b: a name has 1 to 64 letters"),
        (("create", "B\x1b[2J"), 2, "B?[2J: a name has"),
        (("create", "B", "--owner", "nobody"), 2, "there is no user 'nobody'"),
        (("create", "--template", "luck"), 2, "there is no template 'luck'; there are: "),
        (("create", "B", "--set", "price_min"), 2, "FIELD=VALUE"),
        (("set", "NOBODY", "price_min=0"), 2, "there is no strategy 'NOBODY'"),
        (("set", "NOBODY"), 2, "Missing argument"),
        (("export", "NOBODY"), 2, "there is no strategy 'NOBODY'"),
        (("import", "missing.toml"), 2, "missing.toml"),
    ],
)
def test_what_cannot_be_done_is_told(polycopy, arguments, code, reason):
    done = polycopy("bots", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


def test_a_bot_that_copies_everyone_or_nobody_warns(polycopy):
    assert "warning: B: target_mode everyone" in polycopy("bots", "create", "B", "--set", "target_mode=everyone").stderr
    assert "copies nobody" in polycopy("bots", "set", "B", "target_mode=list").stderr


def test_an_import_says_what_it_would_do_and_then_does_it(polycopy):
    polycopy("bots", "create", "OLD")
    polycopy("bots", "create", "LEFT")
    text = '[bots.OLD]\nprice_max = 0.70\nmin_edge = ""\n\n[bots.NEW]\nbet_size = 3\n\n[bots.LEFT]\n'
    changes = {"OLD": {"price_max": ["1", "0.7"], "min_edge": ["0", None]}}
    told = {"made": ["NEW"], "changed": changes, "same": ["LEFT"]}
    dry = polycopy("bots", "import", "-", "--dry-run", "--json", stdin=text)
    assert json_of(dry) == told | {"dry_run": True}
    assert names(polycopy) == ["LEFT", "OLD"]
    assert settings(polycopy, "OLD")["price_max"] == "1"
    assert json_of(polycopy("bots", "import", "-", "--json", stdin=text)) == told | {"dry_run": False}
    assert (settings(polycopy, "OLD")["price_max"], settings(polycopy, "NEW")["bet_size"]) == ("0.7", "3")
    again = json_of(polycopy("bots", "import", "-", "--json", stdin=text))
    assert (again["made"], again["changed"], again["same"]) == ([], {}, ["OLD", "NEW", "LEFT"])


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("[bots.A]\nbet_size = 3\n[bots.B]\nprice_min = 7\nmax_bet = nan\n", ("B.price_min", "B.max_bet")),
        ("[bots.A]\nbet_size = \n", ("line 2",)),
        ("[bots.A]\n[bots.A]\n", ("line 2",)),
        ("price_min = 0.1\n", ("price_min: only tables [bots.NAME]",)),
        ("", ("names no strategy",)),
    ],
)
def test_a_file_with_a_mistake_changes_nothing(polycopy, text, reasons):
    refused = polycopy("bots", "import", "-", stdin=text)
    assert (refused.returncode, refused.stdout) == (2, "")
    for reason in reasons:
        assert reason in refused.stderr
    assert names(polycopy) == []


def test_an_export_of_every_template_reads_back_as_the_same(polycopy, tmp_path):
    for family in templates():
        assert polycopy("bots", "create", "--template", family.name, "--prefix", f"{family.name}.").returncode == 0
    before = {row["bot"]: row["settings"] for row in json_of(polycopy("bots", "list", "--json"))}
    file = tmp_path / "bots.toml"
    assert polycopy("bots", "export", "--out", file).returncode == 0
    assert polycopy("bots", "export").stdout == file.read_text("utf-8")
    copies = file.read_text("utf-8").replace('[bots."', '[bots."copy.')
    assert len(json_of(polycopy("bots", "import", file, "--json"))["same"]) == len(before)
    (tmp_path / "copies.toml").write_text(copies, "utf-8")
    assert len(json_of(polycopy("bots", "import", tmp_path / "copies.toml", "--json"))["made"]) == len(before)
    after = {row["bot"]: row["settings"] for row in json_of(polycopy("bots", "list", "--json"))}
    assert {name: after[f"copy.{name}"] for name in before} == before


def test_settings_are_explained(polycopy):
    rows = json_of(polycopy("bots", "settings", "--json"))
    assert [row["setting"] for row in rows] == list(document_of(StrategySettings()))
    assert all(row["allowed"] and row["meaning"] for row in rows)
