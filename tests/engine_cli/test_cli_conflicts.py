"""Policies for conflicts on the command line: made, shown, written to a file and read back."""

import pytest
from engine_cli.cli_process import invoke, json_of

POLICY = {"conflict_policy": "majority", "max_targets_per_side": 2, "max_event_exposure_usd": "12.50"}


@pytest.fixture
def polycopy(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments, stdin="": invoke(*arguments, env=env, stdin=stdin)


def policy_of(polycopy, name):
    settings = json_of(polycopy("bots", "show", name, "--json"))["settings"]
    return {key: settings[key] for key in POLICY}


def test_a_policy_goes_from_the_command_line_to_the_database_to_a_file_and_back(polycopy, tmp_path):
    options = [part for key, value in POLICY.items() for part in ("--set", f"{key}={value}")]
    assert polycopy("bots", "create", "B", *options).returncode == 0
    wanted = POLICY | {"max_event_exposure_usd": "12.5"}
    assert policy_of(polycopy, "B") == wanted
    file = tmp_path / "bots.toml"
    file.write_text(polycopy("bots", "export").stdout)
    off = ("conflict_policy=copy_all", "max_targets_per_side=", "max_event_exposure_usd=")
    assert polycopy("bots", "set", "B", *off).returncode == 0
    assert policy_of(polycopy, "B") == {
        "conflict_policy": "copy_all", "max_targets_per_side": None, "max_event_exposure_usd": None,
    }  # fmt: skip
    assert polycopy("bots", "import", str(file)).returncode == 0
    assert policy_of(polycopy, "B") == wanted
    lines = [line for line in polycopy("bots", "show", "B").stdout.splitlines() if "conflict_policy" in line]
    assert "majority" in lines[0]


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ("conflict_policy=last", "copy_all | first | majority | net"),
        ("max_targets_per_side=0", "1 to 1000"),
        ("max_event_exposure_usd=-1", "0 to 1000000000"),
        ("max_event_exposure_usd=1.001", "at most 2 decimals"),
    ],
)
def test_what_is_not_allowed_is_told(polycopy, change, allowed):
    polycopy("bots", "create", "B")
    done = polycopy("bots", "set", "B", change)
    assert done.returncode != 0
    assert allowed in done.stderr


def test_a_template_answers_the_same_list_in_four_ways(polycopy):
    assert polycopy("bots", "create", "--template", "disagreement").returncode == 0
    policies = [
        policy_of(polycopy, row["bot"])["conflict_policy"] for row in json_of(polycopy("bots", "list", "--json"))
    ]
    assert sorted(policies) == ["copy_all", "first", "majority", "net"]
