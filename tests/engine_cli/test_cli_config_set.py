import os

import pytest
from engine_cli.cli_process import invoke, json_of

from config.loader import load_config

pytestmark = pytest.mark.usefixtures("own_logging")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "polycopy.toml"
    invoke("init", "--file", path)
    return path


def test_settings_are_written_below_their_comments_and_a_running_engine_is_thought_of(file):
    before = file.read_text()
    done = invoke("--config", file, "config", "set", "channels.writer.capacity=99", "prices.ttl_ms=1500", "http.port=1")
    assert done.returncode == 0
    reload_line = next(line for line in done.stdout.splitlines() if "reload" in line)
    restart_line = next(line for line in done.stdout.splitlines() if "restart" in line)
    assert reload_line.endswith(": channels.writer.capacity")
    assert restart_line.endswith(": http.port, prices.ttl_ms")
    assert "# ttl_ms = 2000\nttl_ms = 1500\n" in file.read_text()
    config = load_config(file, environ={})
    assert (config.channels["writer"].capacity, config.prices.ttl_ms, config.http.port) == (99, 1500, 1)

    back = json_of(invoke("--config", file, "config", "set", "--undo", "--json"))
    assert {one["path"]: (one["before"], one["after"]) for one in back["changed"]} == {
        "channels.writer.capacity": (99, None),
        "prices.ttl_ms": (1500, None),
        "http.port": (1, None),
    }
    assert (back["reload"], back["file"], back["created"]) == (["channels.writer.capacity"], str(file), False)
    assert file.read_text() == before


def test_every_mistake_is_named_and_nothing_written(file):
    before = file.read_text()
    wrong = ("prices.ttl_ms=9", "jobs.retention.enabled=maybe", "http.colour=red", "database.url=postgresql://x")
    done = invoke("--config", file, "config", "set", "logging.level=debug", *wrong)
    assert done.returncode == 2
    assert "4 problems" in done.stderr
    for text in ("250 to 3000", "true or false", "http.colour: unknown setting", "secret"):
        assert text in done.stderr
    as_json = invoke("--config", file, "config", "set", *wrong, "--json")
    assert (as_json.returncode, as_json.stderr) == (2, "")
    assert [one["path"] for one in json_of(as_json)["problems"]] == [
        "http.colour",
        "database.url",
        "jobs.retention.enabled",
        "prices.ttl_ms",
    ]
    assert file.read_text() == before


def test_what_the_environment_sets_is_said_to_be_set_there(file):
    env = {"POLYCOPY_PRICES__TTL_MS": "900"}
    done = invoke("--config", file, "config", "set", "prices.ttl_ms=1000", env=env)
    assert (done.returncode, "POLYCOPY_PRICES__TTL_MS" in done.stderr) == (2, True)


def test_without_a_value_the_default_counts_again(file):
    invoke("--config", file, "config", "set", "prices.ttl_ms=1500")
    invoke("--config", file, "config", "set", "prices.ttl_ms=")
    assert load_config(file, environ={}).prices.ttl_ms == 2_000
    assert "not touched" in invoke("--config", file, "config", "set", "prices.ttl_ms=").stdout


def test_the_file_is_made_where_it_is_named_and_needed_to_be_named(tmp_path):
    file = tmp_path / "made.toml"
    assert json_of(invoke("config", "set", "poller.hot.enabled=no", "--json", env={"POLYCOPY_CONFIG": str(file)}))[
        "created"
    ]
    assert file.read_text() == "[poller.hot]\nenabled = false\n"
    done = invoke("config", "set", "poller.hot.enabled=no")
    assert (done.returncode, "POLYCOPY_CONFIG" in done.stderr) == (1, True)


def test_a_read_only_file_stays(file):
    os.chmod(file, 0o444)
    done = invoke("--config", file, "config", "set", "prices.ttl_ms=1500", "--json")
    assert done.returncode == 1
    assert "read-only" in json_of(done)["error"]


@pytest.mark.parametrize("arguments", [(), ("prices.ttl_ms",), ("--undo", "a.b=1"), ("a.b=1", "a.b=2")])
def test_other_uses_are_refused(file, arguments):
    assert invoke("--config", file, "config", "set", *arguments).returncode == 2
