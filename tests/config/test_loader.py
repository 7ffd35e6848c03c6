from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.describe import settings
from config.loader import ConfigError, load_config
from config.schema import EngineConfig


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "polycopy.toml"
        path.write_text(text)
        return path

    return write


def problems_of(path=None, **sources):
    with pytest.raises(ConfigError) as error:
        load_config(path, **{"environ": {}, **sources})
    assert str(error.value) == "\n".join(error.value.problems)
    return error.value.problems


def test_without_anything_the_defaults_are_in_force():
    assert load_config(environ={}) == EngineConfig()


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(file):
    path = file("[http]\nport = 1\nconnections_max = 11\n[limits]\ndrain_s = 1\n")
    environ = {"POLYCOPY_HTTP__PORT": "2", "POLYCOPY_HTTP__CONNECTIONS_MAX": "12"}
    config = load_config(path, environ=environ, overrides={"http.port": "3"})
    assert (config.http.port, config.http.connections_max, config.limits.drain_s) == (3, 12, 1.0)
    assert config.limits.lease_ttl_s == EngineConfig().limits.lease_ttl_s


def test_the_file_may_be_named_by_environment_but_the_argument_wins(file, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text("[http]\nport = 5\n")
    environ = {"POLYCOPY_CONFIG": str(other)}
    assert load_config(environ=environ).http.port == 5
    assert load_config(file("[http]\nport = 6\n"), environ=environ).http.port == 6


def test_channels_are_set_by_name(file):
    path = file("[channels.writer]\ncapacity = 99\n")
    channels = load_config(path, environ={"POLYCOPY_CHANNELS__WRITER__SHED_ABOVE": "7"}).channels
    assert (channels["writer"].capacity, channels["writer"].shed_above) == (99, 7)
    assert channels["raw_trades"] == EngineConfig().channels["raw_trades"]


def test_every_problem_is_reported_at_once_with_its_path_and_what_is_allowed(file):
    path = file(
        "[http]\nport = 70000\ncolour = 'red'\n[stream]\ntopics = 'all'\nping_interval_s = true\n"
        "[channels.other]\ncapacity = 1\n[nonsense]\nx = 1\n[database]\nurl = 'postgresql://me:geheim@h/x'\n"
    )
    environ = {"POLYCOPY_WRITER__BATCH_MAX": "1.5", "POLYCOPY_NO__SUCH": "1"}
    assert problems_of(path, environ=environ, overrides={"limits.drain_s": "soon", "a.b": "c"}) == [
        "a.b: unknown setting (command line)",
        "channels.other.capacity: unknown setting (polycopy.toml)",
        "database.url: a secret is not written into the file; use database.url_file or the environment",
        "http.colour: unknown setting (polycopy.toml)",
        "http.port: 70000 (polycopy.toml) is not allowed; allowed: whole number, 0 to 65535",
        "limits.drain_s: 'soon' (command line) is not allowed; allowed: 0.1 to 300",
        "no.such: unknown setting (environment POLYCOPY_NO__SUCH)",
        "nonsense.x: unknown setting (polycopy.toml)",
        "stream.ping_interval_s: True (polycopy.toml) is not allowed; allowed: 0.5 to 60",
        "stream.topics: 'all' (polycopy.toml) is not allowed; allowed: trades+orders_matched | trades | orders_matched",
        "writer.batch_max: '1.5' (environment POLYCOPY_WRITER__BATCH_MAX) is not allowed; "
        "allowed: whole number, 1 to 5000",
    ]


def test_settings_that_do_not_fit_together_are_refused():
    environ = {"POLYCOPY_STREAM__STALL_TIMEOUT_S": "4", "POLYCOPY_WRITER__RETRY_DELAY_S": "10"}
    assert problems_of(environ=environ) == [
        "stream.ping_interval_s: must be less than stream.stall_timeout_s",
        "writer.retry_delay_max_s: must not be less than writer.retry_delay_s",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[http\nport = 1", "is not valid TOML"),
        ("http = 1", "http: unknown setting"),
        ("[[http]]\nport = 1", "http: unknown setting"),
        ("[http.port]\nx = 1", "http.port.x: unknown setting"),
        ("[http]\nport = 8087.0", "http.port: 8087.0"),
        ("[http]\nport = '8087'", "http.port: '8087'"),
        ("[stream]\nping_interval_s = nan", "stream.ping_interval_s: nan"),
        ("[stream]\nping_interval_s = -inf", "stream.ping_interval_s: -inf"),
        ("[http]\nport = 1979-05-27", "http.port: datetime.date(1979, 5, 27)"),
    ],
)
def test_a_wrong_file_is_a_problem_and_not_a_crash(file, text, problem):
    [found] = problems_of(file(text))
    assert problem in found


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    [missing] = problems_of(tmp_path / "none.toml")
    assert missing.endswith("none.toml: cannot be read: No such file or directory")
    (tmp_path / "latin.toml").write_bytes(b"# \xff\n")
    [encoding] = problems_of(tmp_path / "latin.toml")
    assert "is not valid TOML" in encoding


@pytest.mark.parametrize(("text", "value"), [("60", 60.0), (" 0.5 ", 0.5), ("1e1", 10.0)])
def test_numbers_are_read_from_text(text, value):
    assert load_config(environ={"POLYCOPY_STREAM__PING_INTERVAL_S": text}, overrides={
        "stream.stall_timeout_s": "61"}).stream.ping_interval_s == value  # fmt: skip


def test_whole_numbers_serve_where_seconds_are_wanted(file):
    assert load_config(file("[stream]\nping_interval_s = 7\n"), environ={}).stream.ping_interval_s == 7.0


def test_long_values_are_cut_in_messages():
    [problem] = problems_of(environ={"POLYCOPY_HTTP__PORT": "9" * 5_000})
    assert len(problem) < 200


def test_a_huge_number_is_a_problem(file):
    [problem] = problems_of(file("[stream]\nping_interval_s = 1" + "0" * 400))
    assert problem.startswith("stream.ping_interval_s: 1000")


SETTABLE = [info.path for info in settings()]
VARIABLES = [info.environment for info in settings()]


@given(st.dictionaries(st.sampled_from(SETTABLE) | st.text(max_size=20), st.text(max_size=30), max_size=6))
def test_no_override_makes_it_raise_anything_else(overrides):
    with suppress(ConfigError):
        load_config(environ={}, overrides=overrides)


@given(st.dictionaries(st.sampled_from(VARIABLES) | st.text(max_size=20), st.text(max_size=30), max_size=6))
def test_no_environment_makes_it_raise_anything_else(environ):
    with suppress(ConfigError):
        load_config(environ={"POLYCOPY_CONFIG": "", **environ})
