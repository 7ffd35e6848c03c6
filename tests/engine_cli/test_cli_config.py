import json

from engine_cli.cli_process import invoke, json_of, polycopy

from config.describe import settings, toml_template, values
from config.schema import EngineConfig

SECRET = "postgresql://me:geheim@db.example/polycopy"


def test_show_lists_what_is_in_force_and_marks_what_was_changed(tmp_path):
    file = tmp_path / "polycopy.toml"
    file.write_text("[http]\nport = 9000\n")
    lines = invoke("--config", file, "--set", "filter.batch_max=7", "config", "show").stdout.splitlines()
    assert [line.split() for line in lines if line.startswith("http.port")] == [["http.port", "9000", "*"]]
    assert [line.split() for line in lines if line.startswith("filter.batch_max")] == [["filter.batch_max", "7", "*"]]
    assert [line.split() for line in lines if line.startswith("writer.batch_max")] == [["writer.batch_max", "500"]]


def test_show_as_json_is_one_document():
    assert json_of(invoke("config", "show", "--json")) == values(EngineConfig())


def test_a_secret_is_never_shown():
    environment = {"POLYCOPY_DATABASE__URL": SECRET}
    text = invoke("config", "show", env=environment)
    document = invoke("config", "show", "--json", env=environment)
    assert "(set)" in text.stdout
    assert json_of(document)["database.url"] == "(set)"
    for done in (text, document):
        assert "geheim" not in done.stdout + done.stderr


def test_check_is_content_with_the_template(tmp_path):
    polycopy("init", cwd=tmp_path)
    done = invoke("--config", tmp_path / "polycopy.toml", "config", "check")
    assert (done.returncode, done.stdout) == (0, "The configuration is fine.\n")


def test_check_names_every_problem_at_once(tmp_path):
    file = tmp_path / "polycopy.toml"
    file.write_text("[http]\nport = 99999\ncolour = 'red'\n[stream]\nping_interval_s = 'often'\n")
    done = polycopy("--config", file, "config", "check", env={"POLYCOPY_WRITER__BATCH_MAX": "none"})
    assert done.returncode == 2
    assert done.stdout == ""
    for name in ("http.port", "http.colour", "stream.ping_interval_s", "writer.batch_max"):
        assert name in done.stderr
    assert "0 to 65535" in done.stderr
    document = invoke("--config", file, "config", "check", "--json")
    assert document.returncode == 2
    assert [problem.split(":")[0] for problem in json_of(document)["problems"]] == [
        "http.colour",
        "http.port",
        "stream.ping_interval_s",
    ]


def test_check_as_json_when_all_is_well():
    assert json_of(invoke("config", "check", "--json")) == {"ok": True, "problems": []}


def test_schema_lists_every_setting():
    done = invoke("config", "schema")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [info.path for info in settings()]
    assert "POLYCOPY_STREAM__PING_INTERVAL_S" in done.stdout


def test_schema_as_json_has_everything_an_operator_may_ask():
    rows = json_of(invoke("config", "schema", "--json"))
    by_path = {row["path"]: row for row in rows}
    assert by_path["http.port"] == {
        "path": "http.port",
        "default": 8087,
        "allowed": "whole number, 0 to 65535",
        "environment": "POLYCOPY_HTTP__PORT",
        "meaning": "port to listen on; 0 takes any free one",
        "secret": False,
        "type": "whole number",
        "change": "restart",
    }
    assert {path for path, row in by_path.items() if row["secret"]} == {
        "database.url",
        "database.direct_url",
        "http.admin_token",
        "http.metrics_token",
        "notify.mail_url",
        "redis.url",
    }


def test_schema_as_toml_is_the_template():
    assert invoke("config", "schema", "--toml").stdout == toml_template()


def test_two_formats_at_once_are_refused():
    assert invoke("config", "schema", "--toml", "--json").returncode == 2


def test_an_override_without_a_value_is_a_usage_error():
    done = invoke("--set", "http.port", "config", "show")
    assert done.returncode == 2
    assert "SECTION.KEY=VALUE" in done.stderr


def test_json_of_show_is_plain_json(tmp_path):
    done = invoke("--set", "venue.user_agent=kopierer ☕", "config", "show", "--json")
    assert json.loads(done.stdout)["venue.user_agent"] == "kopierer ☕"
