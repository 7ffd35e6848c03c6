import logging

import msgspec
import pytest

from config.live import LiveConfig
from config.loader import load
from config.sources import ConfigInputs
from engine.api.config_routes import CHANGES_MAX, ConfigChange, config_routes
from engine.api.errors import ApiError
from engine.api.route import Call, Rate
from engine.config_desk import ConfigDesk
from engine.reload import Reloader
from protocols.users import Principal, Scope

ADMIN = Principal(user_id="u", user_name="ann", token_id="t", scopes=frozenset({Scope.ADMIN}))
TEXT = "[channels.writer] # main\ncapacity = 2_000\n[http]\nport = 1\n"
ENVIRON = {"POLYCOPY_LIMITS__DRAIN_S": "7", "POLYCOPY_HTTP__METRICS_TOKEN": "geheim"}


class Clock:
    def now_ms(self):
        return 1_700_000_000_000


@pytest.fixture(autouse=True)
def root_level():
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "polycopy.toml"
    path.write_text(TEXT)
    return path


def desk_of(file):
    inputs = ConfigInputs.of(file, environ=ENVIRON)
    reloader = Reloader(LiveConfig(load(inputs)), lambda: load(inputs), inputs=inputs)
    return ConfigDesk(reloader, Clock())


class Api:
    """Calls the handlers as the endpoint does."""

    def __init__(self, desk):
        self.routes = {(route.method, route.path): route for route in config_routes(desk)}

    async def ask(self, method, path="/api/admin/config", **body):
        route = self.routes[method, path]
        document = None if route.body is None else msgspec.json.decode(msgspec.json.encode(body), type=route.body)
        answer = await route.handler(Call(principal=ADMIN, params={}, body=document, headers={}))
        assert isinstance(answer, route.answer)
        return msgspec.json.decode(msgspec.json.encode(answer))

    async def refused(self, *request, **body):
        with pytest.raises(ApiError) as error:
            await self.ask(*request, **body)
        return error.value

    async def version(self):
        return (await self.ask("GET"))["file"]["version"]


@pytest.fixture
def api(file):
    return Api(desk_of(file))


def test_all_of_it_is_for_administrators(api):
    assert set(api.routes) == {
        ("GET", "/api/admin/config"),
        ("PATCH", "/api/admin/config"),
        ("POST", "/api/admin/config/undo"),
    }
    assert {(route.scope, route.rate) for route in api.routes.values()} == {(Scope.ADMIN, Rate.ADMIN)}


async def test_every_setting_is_told_with_all_that_a_page_needs(api, file):
    answer = await api.ask("GET")
    rows = {row["path"]: row for row in answer["settings"]}
    assert rows["channels.writer.capacity"] == {
        "path": "channels.writer.capacity",
        "section": "channels.writer",
        "name": "capacity",
        "kind": "integer",
        "value": 2_000,
        "wanted": 2_000,
        "default": 4_096,
        "source": "file",
        "place": str(file),
        "environment": "POLYCOPY_CHANNELS__WRITER__CAPACITY",
        "unit": None,
        "atLeast": 1,
        "atMost": 1_000_000,
        "choices": None,
        "allowed": "whole number, 1 to 1000000",
        "doc": "items that may wait",
        "restart": False,
        "editable": True,
        "whyNotEditable": None,
    }
    level, drain, token = (rows[path] for path in ("logging.level", "limits.drain_s", "http.metrics_token"))
    assert (level["choices"], level["kind"]) == (["debug", "info", "warning", "error"], "text")
    assert (drain["value"], drain["source"], drain["place"]) == (7, "environment", "POLYCOPY_LIMITS__DRAIN_S")
    assert (drain["unit"], drain["editable"]) == ("s", False)
    assert (token["kind"], token["value"], token["default"]) == ("secret", "set", "not set")
    assert "geheim" not in str(answer)
    assert answer["file"]["path"] == str(file)
    assert (answer["file"]["writable"], answer["file"]["exists"], answer["problems"]) == (True, True, [])
    assert (answer["history"], answer["canUndo"]) == ([], False)


async def test_a_change_is_written_and_applied_and_undone(api, file, caplog):
    caplog.set_level(logging.INFO)
    changes = {"channels.writer.capacity": 300, "prices.ttl_ms": 1500.0, "logging.level": "warning"}
    answer = await api.ask("PATCH", changes=changes, version=await api.version())
    assert file.read_text().startswith("[channels.writer] # main\ncapacity = 300\n[http]\nport = 1\n")
    assert [(one["path"], one["before"], one["after"]) for one in answer["changed"]] == [
        ("channels.writer.capacity", 2_000, 300),
        ("prices.ttl_ms", None, 1500),
        ("logging.level", None, "warning"),
    ]
    assert {one["path"] for one in answer["applied"]} == {"channels.writer.capacity", "logging.level"}
    assert [one["path"] for one in answer["needsRestart"]] == ["prices.ttl_ms"]
    assert (answer["problems"], answer["created"], answer["file"]) == ([], False, str(file))
    logged = next(record for record in caplog.records if record.message == "configuration file changed")
    assert (logged.asked_by, logged.settings["prices.ttl_ms"]) == ("user ann", 1500)
    shown = await api.ask("GET")
    assert shown["file"]["version"] == answer["version"]
    [past] = shown["history"]
    assert (past["by"], past["atMs"], past["changes"]) == ("user ann", Clock().now_ms(), answer["changed"])
    ttl = next(row for row in shown["settings"] if row["path"] == "prices.ttl_ms")
    assert (ttl["value"], ttl["wanted"], ttl["restart"]) == (2_000, 1_500, True)

    back = await api.ask("POST", "/api/admin/config/undo")
    assert file.read_text() == TEXT
    assert {one["path"] for one in back["applied"]} == {"channels.writer.capacity", "logging.level"}
    assert back["needsRestart"] == []
    assert (await api.refused("POST", "/api/admin/config/undo")).code == "nothing_to_undo"


async def test_every_wrong_setting_is_named_and_nothing_is_changed(api, file):
    changes = {
        "channels.writer.capacity": 0,
        "limits.drain_s": 3,
        "http.port": 5,
        "no.such": None,
        "filter.batch_max": 9,
    }
    error = await api.refused("PATCH", changes=changes, version=await api.version())
    assert error.status == 400
    problems = dict(error.problems)
    assert set(problems) == {"channels.writer.capacity", "limits.drain_s", "http.port", "no.such"}
    assert "1 to 1000000" in problems["channels.writer.capacity"]
    assert "POLYCOPY_LIMITS__DRAIN_S" in problems["limits.drain_s"]
    assert file.read_text() == TEXT


async def test_a_file_that_was_changed_or_cannot_be_written_is_a_conflict(api, file):
    version = await api.version()
    file.write_text(TEXT + "# more\n")
    error = await api.refused("PATCH", changes={"prices.ttl_ms": 400}, version=version)
    assert (error.status, error.code) == (409, "changed_since")
    file.chmod(0o444)
    error = await api.refused("PATCH", changes={"prices.ttl_ms": 400}, version=await api.version())
    assert (error.status, error.code) == (409, "not_writable")
    shown = (await api.ask("GET"))["file"]
    assert (shown["writable"], "read-only" in shown["whyNotWritable"]) == (False, True)


async def test_a_broken_file_is_shown_with_its_problems_and_what_is_in_force(api, file):
    file.write_text("[http]\nport = 'x'\n")
    answer = await api.ask("GET")
    assert len(answer["problems"]) == 1
    assert next(row["wanted"] for row in answer["settings"] if row["path"] == "http.port") == 1
    file.unlink()
    file.mkdir()
    answer = await api.ask("GET")
    assert "no regular file" in answer["problems"][0]
    assert not answer["file"]["writable"]


async def test_a_file_that_is_gone_is_made_again(api, file):
    file.unlink()
    assert (await api.ask("GET"))["file"]["exists"] is False
    answer = await api.ask("PATCH", changes={"logging.level": "error"}, version=await api.version())
    assert answer["created"]
    assert file.read_text() == '[logging]\nlevel = "error"\n'


async def test_without_a_file_everything_is_shown_and_nothing_changed():
    inputs = ConfigInputs.of(environ={})
    api = Api(ConfigDesk(Reloader(LiveConfig(load(inputs)), lambda: load(inputs), inputs=inputs), Clock()))
    answer = await api.ask("GET")
    assert (answer["file"], answer["canUndo"]) == (None, False)
    assert {row["source"] for row in answer["settings"]} == {"default"}
    for request in (("PATCH", "/api/admin/config"), ("POST", "/api/admin/config/undo")):
        error = await api.refused(*request, changes={"prices.ttl_ms": 400}, version="")
        assert (error.status, error.code) == (409, "no_config_file")


@pytest.mark.parametrize("changes", [{}, {f"prices.x{n}": 1 for n in range(CHANGES_MAX + 1)}, {"a": []}, {"a": {}}])
def test_bodies_are_bounded(changes):
    body = msgspec.json.encode({"changes": changes, "version": ""})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=ConfigChange)


async def test_what_json_can_say_is_refused_with_a_reason_and_never_an_error(api, file):
    version = await api.version()
    for value in ("\x00", "a" * 10_000, 10**18, -1, 1e300, True, '"\n[http]\nport = 2', "☕", "\u202e", 0.1):
        error = await api.refused(
            "PATCH", changes={"prices.ttl_ms": value, "jobs.retention.cron": value}, version=version
        )
        assert {path for path, _ in error.problems} == {"prices.ttl_ms", "jobs.retention.cron"}
    assert file.read_text() == TEXT
