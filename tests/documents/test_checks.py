"""The checks of pages notice what they are for."""

import pytest
from documents.commands import calls_in, problem_of
from documents.document_pages import page_of
from documents.known_names import is_column, is_setting, is_variable, metric_names


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("polycopy status --json | jq .  # a comment", [["status", "--json"]]),
        ("$ polycopy --config x.toml run && polycopy status", [["--config", "x.toml", "run"], ["status"]]),
        ("sudo -u polycopy /opt/polycopy/bin/polycopy status", [["status"]]),
        ("docker exec polycopy polycopy follow list", [["follow", "list"]]),
        ("fly ssh console --command 'polycopy follow list'", [["follow", "list"]]),
        ("polycopy bots export MINE > bots.toml", [["bots", "export", "MINE"]]),
        ("systemctl enable --now polycopy", []),
        ("docker run -v polycopy:/var polycopy", []),
    ],
)
def test_calls_are_found(line, calls):
    assert list(calls_in(line)) == calls


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("status --json", None),
        ("--set http.port=9000 run", None),
        ("traders discover biggest-winners --window 7D", None),
        ("bots create --template favourites", None),
        ("nothing", "there is no command nothing"),
        ("status --yaml", "No such option"),
        ("traders discover the-best", "is not one of"),
        ("live halt", "reason is missing"),
        ("live", "no command"),
        ("status too many", "too many arguments"),
    ],
)
def test_calls_are_judged(call, problem):
    found = problem_of(call.split(), complete=True)
    assert found is None if problem is None else problem in (found or "")


@pytest.mark.parametrize(
    "name",
    [
        *("http.port", "database.url_file", "jobs.<name>.cron", "jobs.cold-poll.enabled", "channels.NAME.capacity"),
        *("retention.*_days", "live.accounts", "live.accounts.main", "live.accounts.main.key_file", "notify.channels"),
    ],
)
def test_settings_are_known(name):
    assert is_setting(name)


@pytest.mark.parametrize("name", ["http.colour", "live.accounts.main.colour", "jobs.dance.cron", "retention.*_hours"])
def test_what_is_no_setting_is_not(name):
    assert not is_setting(name)


def test_columns_of_tables_are_known():
    assert is_column("markets.outcome_prices")
    assert not is_column("markets.colour")
    assert not is_column("dances.outcome_prices")


def test_variables_and_metrics():
    assert is_variable("POLYCOPY_HTTP__PORT")
    assert is_variable("POLYCOPY_CONFIG")
    assert not is_variable("POLYCOPY_HTTP__COLOUR")
    assert "polycopy_heap_used_ratio" in metric_names()
    assert "polycopy_nothing" not in metric_names()


def test_a_page_is_taken_apart(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# A `b` c, d\n[x](y.md#z) `[no](link)`\n```sh\n# no heading\n```\n## Twice\n## Twice\n```\nopen")
    page = page_of(file)
    assert page.anchors() == ["a-b-c-d", "twice", "twice-1"]
    assert page.links() == ["y.md#z"]
    assert [block.text for block in page.blocks] == ["# no heading"]
    assert not page.is_closed
