import logging

import msgspec
import pytest

from config.live import LiveConfig
from config.loader import load_config
from engine.api.admin_routes import ReloadAnswer, admin_routes
from engine.api.route import Call, Rate
from engine.reload import Reloader
from protocols.users import Principal, Scope

ADMIN = Principal(user_id="u", user_name="ann", token_id="t", scopes=frozenset({Scope.ADMIN}))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "polycopy.toml"
    path.write_text("")
    return path


@pytest.fixture
def reloader(file):
    def read():
        return load_config(file, environ={"POLYCOPY_HTTP__PORT": "9"})

    return Reloader(LiveConfig(read()), read)


@pytest.fixture
def root_level():
    root = logging.getLogger()
    level = root.level
    yield root
    root.setLevel(level)


async def answer_of(reloader):
    (route,) = admin_routes(reloader)
    assert (route.method, route.path, route.scope, route.rate) == (
        "POST",
        "/api/admin/reload",
        Scope.ADMIN,
        Rate.ADMIN,
    )
    return await route.handler(Call(principal=ADMIN, params={}, body=None, headers={}))


async def test_what_can_change_is_applied_and_the_rest_is_named(file, reloader, root_level):
    file.write_text('[logging]\nlevel = "error"\nformat = "json"\n[http]\nport = 1\n')
    answer = await answer_of(reloader)
    assert msgspec.json.decode(msgspec.json.encode(answer)) == {
        "applied": [{"path": "logging.level", "before": "info", "after": "error"}],
        # The environment still beats the file, as at the start.
        "needsRestart": [{"path": "logging.format", "before": "auto", "after": "json"}],
        "problems": [],
    }
    assert root_level.level == logging.ERROR
    assert reloader.live.view.logging.level == "error"


async def test_a_bad_file_changes_nothing_and_names_everything(file, reloader, caplog):
    before = reloader.live.current
    file.write_text('[logging]\nlevel = "loud"\nheap_interval_s = 5\n[writer]\nbatch = 1\n')
    response = await answer_of(reloader)
    assert response.status_code == 422
    answer = msgspec.json.decode(response.body, type=ReloadAnswer)
    assert [problem.partition(":")[0] for problem in answer.problems] == ["logging.level", "writer.batch"]
    assert (answer.applied, answer.needs_restart) == ([], [])
    assert reloader.live.current is before
    assert caplog.records[-1].asked_by == "user ann"


async def test_what_lives_elsewhere_is_told_after_each_reload(file, reloader, root_level):
    told = []
    reloader.subscribers.append(lambda config: told.append(config.http.reads_per_minute))
    file.write_text("[http]\nreads_per_minute = 7\n")
    await reloader.reload("SIGHUP")
    file.write_text("[http]\nreads_per_minute = 0\n")
    await reloader.reload("SIGHUP")
    assert told == [7]


async def test_a_missing_file_changes_nothing(file, reloader):
    file.unlink()
    report = await reloader.reload("SIGHUP")
    assert len(report.problems) == 1
    assert str(file) in report.problems[0]
