import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import pytest
from killed_editor import editor_of

from config.change_history import KEPT_MAX
from config.config_file import ConfigFile, ConfigFileBusyError, ConfigFileError
from config.describe import settings, settings_of
from config.editor import ConfigEditor, EditConflictError, EditRefusedError
from config.loader import load
from config.redis import EDGES_OVER_REDIS
from config.sources import ConfigInputs
from config.tuning import WEB_SECTIONS, setting_states, why_fixed

TEXT = "# ours ☕\n[prices] # cache\nttl_ms   = 300 # short\n\n[http]\nport = 9000\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "polycopy.toml"
    path.write_text(TEXT)
    return path


def refused(editor, changes, **options):
    with pytest.raises(EditRefusedError) as error:
        editor.change(changes, by="ann", **options)
    return dict(error.value.problems)


def conflict(work):
    with pytest.raises(EditConflictError) as error:
        work()
    return error.value.code


def test_a_change_keeps_all_else_and_can_be_undone_step_by_step(file):
    editor = editor_of(file)
    first = editor.change({"prices.ttl_ms": 500, "channels.writer.capacity": 77}, by="ann")
    assert file.read_text() == TEXT.replace("300", "500") + "\n[channels.writer]\ncapacity = 77\n"
    assert [(one.path, one.before, one.after) for one in first.changes] == [
        ("prices.ttl_ms", 300, 500),
        ("channels.writer.capacity", None, 77),
    ]
    editor.change({"prices.ttl_ms": None}, by="bob")
    assert "ttl_ms" not in file.read_text()
    # Another process, as after a restart.
    again = editor_of(file)
    assert [past.by for past in again.history()] == ["bob", "ann"]
    assert again.undo(by="cid").version == first.version
    assert again.undo(by="cid").changes[0].after == 300
    assert file.read_text() == TEXT
    assert conflict(lambda: again.undo(by="cid")) == "nothing_to_undo"


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_written(file):
    editor = ConfigEditor(
        inputs=ConfigInputs.of(file, environ={"POLYCOPY_WRITER__BATCH_MAX": "9"}, overrides={"filter.batch_max": "8"}),
        now_ms=lambda: 5,
    )
    problems = refused(
        editor,
        {
            "prices.ttl_ms": 15,
            "prices.markets_max": 150,
            "logging.level": "loud",
            "jobs.retention.enabled": 1,
            "jobs.retention.cron": "never",
            "channels.writer.colour": 1,
            "http.port": 1,
            "live.enabled": True,
            "database.url": "postgresql://x/y",
            "writer.spill_dir": "/tmp",
            "writer.batch_max": 7,
            "filter.batch_max": 7,
            "channels.intents.shed_above": 3,
            "limits.drain_s": "5",
        },
    )
    assert "whole number, 250 to 3000" in problems["prices.ttl_ms"]
    assert "debug | info | warning | error" in problems["logging.level"]
    assert "true or false" in problems["jobs.retention.enabled"]
    assert "five fields" in problems["jobs.retention.cron"]
    assert "0.1 to 300" in problems["limits.drain_s"]
    assert problems["channels.writer.colour"] == "unknown setting"
    for path in ("http.port", "live.enabled"):
        assert "in the file only" in problems[path]
    assert "secret" in problems["database.url"]
    assert "path on this machine" in problems["writer.spill_dir"]
    assert "POLYCOPY_WRITER__BATCH_MAX" in problems["writer.batch_max"]
    assert "command line" in problems["filter.batch_max"]
    assert "only the channel writer" in problems["channels.intents.shed_above"]
    assert "prices.markets_max" not in problems
    assert file.read_text() == TEXT
    assert editor.history() == []


def test_checks_between_settings_hold_as_at_the_start(file):
    problems = refused(editor_of(file), {"writer.retry_delay_max_s": 1, "writer.retry_delay_s": 2})
    assert list(problems) == ["writer.retry_delay_max_s"]


def test_a_file_that_is_wrong_already_is_not_changed_further(file):
    file.write_text("[http]\nport = 'x'\n")
    assert list(refused(editor_of(file), {"prices.ttl_ms": 400})) == ["http.port"]
    file.write_text("[http\n")
    assert len(refused(editor_of(file), {"prices.ttl_ms": 400})) == 1


def test_a_change_of_what_somebody_else_has_changed_is_refused(file):
    editor = editor_of(file)
    version = editor.file.read().version
    editor.change({"prices.ttl_ms": 400}, by="ann", version=version)
    assert conflict(lambda: editor.change({"prices.ttl_ms": 500}, by="bob", version=version)) == "changed_since"
    file.write_text(file.read_text() + "# by hand\n")
    assert conflict(lambda: editor.undo(by="bob")) == "nothing_to_undo"
    assert file.read_text().endswith("# by hand\n")


def test_what_changes_nothing_touches_nothing(file):
    before = file.stat()
    assert editor_of(file).change({"prices.ttl_ms": 300, "prices.markets_max": None}, by="ann").changes == ()
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_a_file_that_is_not_there_is_made_where_it_was_named(tmp_path):
    file = tmp_path / "new.toml"
    assert editor_of(file).change({"logging.level": "debug"}, by="ann").created
    assert file.read_text() == '[logging]\nlevel = "debug"\n'
    editor_of(file).undo(by="ann")
    assert load(ConfigInputs.of(file, environ={})).logging.level == "info"


def test_without_a_named_file_nothing_is_written():
    editor = ConfigEditor(inputs=ConfigInputs.of(environ={}), now_ms=lambda: 5)
    assert conflict(lambda: editor.change({"prices.ttl_ms": 400}, by="ann")) == "no_config_file"
    assert (editor.history(), editor.can_undo()) == ([], False)


def test_mode_owner_and_a_link_stay(file, tmp_path):
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 2345)
    owner = (file.stat().st_uid, file.stat().st_gid)
    link = tmp_path / "etc" / "linked.toml"
    link.parent.mkdir()
    link.symlink_to("../polycopy.toml")
    editor_of(link).change({"prices.ttl_ms": 400}, by="ann")
    assert link.is_symlink()
    assert "400" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    kept = [tmp_path / "polycopy.toml.history", *(tmp_path / "polycopy.toml.history").iterdir()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in [file, *kept]} == {owner}
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in kept} == {0}
    assert list(link.parent.iterdir()) == [link]


def test_a_read_only_file_and_what_is_no_file_are_left_alone(file, tmp_path):
    file.chmod(0o444)
    with pytest.raises(ConfigFileError, match="read-only"):
        editor_of(file).change({"prices.ttl_ms": 400}, by="ann")
    assert file.read_text() == TEXT
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, why in ((pipe, "no regular file"), (tmp_path / "not" / "there.toml", "not writable")):
        with pytest.raises(ConfigFileError, match=why):
            editor_of(path).change({"prices.ttl_ms": 400}, by="ann")


def test_two_writers_at_once_lose_nothing(file, monkeypatch):
    monkeypatch.setattr("config.config_file.LOCK_TRIES", 10_000)

    def write(path, values):
        for value in values:
            editor_of(file).change({path: value}, by=path)

    jobs = {"prices.ttl_ms": range(400, 408), "prices.markets_max": range(500, 508), "limits.drain_s": range(5, 13)}
    threads = [threading.Thread(target=write, args=job) for job in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    config = load(ConfigInputs.of(file, environ={}))
    assert (config.prices.ttl_ms, config.prices.markets_max, config.limits.drain_s) == (407, 507, 12)
    undone = 0
    while editor_of(file).can_undo():
        editor_of(file).undo(by="ann")
        undone += 1
    assert undone == KEPT_MAX == 20
    assert conflict(lambda: editor_of(file).undo(by="ann")) == "nothing_to_undo"


def test_who_does_not_let_go_of_the_file_is_named_busy(file, monkeypatch):
    monkeypatch.setattr("config.config_file.LOCK_TRIES", 2)
    with ConfigFile(file).locked(), pytest.raises(ConfigFileBusyError):
        editor_of(file).change({"prices.ttl_ms": 400}, by="ann")


def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path):
    program = Path(__file__).parent / "killed_editor.py"
    root = program.parents[2]
    done = subprocess.run(
        [sys.executable, program, tmp_path / "home"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(root)}, timeout=100,
    )  # fmt: skip
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    text = "[prices] # kept\nttl_ms = {}\n"
    for one in tries:
        old, new = ("400", "300") if one["undo"] else ("400", "500")
        assert one["text"] in (text.format(old), text.format(new)), one
        assert (one["next"], one["end"]) == (1, "nothing_to_undo")
        assert one["files"] == ["polycopy.toml", "polycopy.toml.history"], "nothing half-written is left"
        steps = {"300": ["300"], "400": ["400", "300"], "500": ["500", "400", "300"]}
        value = one["text"].split()[-1]
        assert one["undone"] == [text.format(number) for number in steps[value]], one
    for undo in (False, True):
        texts = [one["text"] for one in tries if one["undo"] is undo]
        assert len(set(texts)) == 2
        assert sorted(texts, key=texts.index) == texts, "once it is the new one, it stays"
        assert len(texts) > 8


def test_undoing_over_the_api_touches_no_setting_that_it_may_not_change(file):
    by_hand = attrs.evolve(editor_of(file), by_hand=True)
    by_hand.change({"http.port": 1, "prices.ttl_ms": 400}, by="root")
    with pytest.raises(EditRefusedError, match=r"http\.port"):
        editor_of(file).undo(by="ann")
    assert "port = 1\n" in file.read_text()
    by_hand.undo(by="root")
    assert file.read_text() == TEXT
    assert "secret" in refused(by_hand, {"http.admin_token": "x", "http.admin_token_file": "x"})["http.admin_token"]


def test_every_setting_says_where_it_comes_from(file):
    environ = {"POLYCOPY_HTTP__ADMIN_TOKEN": "geheim", "POLYCOPY_LIMITS__DRAIN_S": "3"}
    inputs = ConfigInputs.of(file, environ=environ, overrides={"filter.batch_max": "9"})
    running = load(inputs)
    file.write_text(TEXT.replace("300", "600"))
    states = {one.info.path: one for one in setting_states(running, load(inputs), inputs.values([]))}
    assert list(states) == [info.path for info in settings()]
    seen = {path: (one.value, one.wanted, one.source.value, one.place) for path, one in states.items()}
    assert seen["prices.ttl_ms"] == (300, 600, "file", str(file))
    assert seen["limits.drain_s"] == (3.0, 3.0, "environment", "POLYCOPY_LIMITS__DRAIN_S")
    assert seen["filter.batch_max"] == (9, 9, "command line", "")
    assert seen["http.admin_token"] == ("set", "set", "environment", "POLYCOPY_HTTP__ADMIN_TOKEN")
    assert seen["database.url"] == ("not set", "not set", "default", "")
    assert "geheim" not in repr(states) + repr(inputs)
    assert {path for path, one in states.items() if one.why_not_editable is None} == {
        info.path
        for info in settings()
        if info.path.partition(".")[0] in WEB_SECTIONS
        and info.path not in ("writer.spill_dir", "limits.drain_s", "filter.batch_max")
        and (info.name != "shed_above" or info.path == "channels.writer.shed_above")
    }


def test_the_ends_of_every_range_are_taken_and_nothing_beyond_them(file):
    editor = editor_of(file)
    ranges = {info.path: info for info in settings() if info.rule.at_least is not None and why_fixed(info) is None}
    ranges = {path: info for path, info in ranges.items() if info.name != "shed_above"}
    assert len(ranges) > 60
    for end in ("at_least", "at_most"):
        editor.change({path: getattr(info.rule, end) for path, info in ranges.items()}, by="ann")
        values = {info.path: value for info, value in settings_of(load(editor.inputs))}
        assert {path: values[path] for path in ranges} == {
            path: getattr(info.rule, end) for path, info in ranges.items()
        }
    for end, step in (("at_least", -1), ("at_most", 1)):
        problems = refused(editor, {path: getattr(info.rule, end) + step for path, info in ranges.items()})
        assert problems.keys() == ranges.keys()
        assert all(info.allowed in problems[path] for path, info in ranges.items())
    editor.undo(by="ann")
    editor.undo(by="ann")
    assert file.read_text() == TEXT


def test_no_setting_names_what_happens_to_lane_0_or_to_intents():
    """Sizes can be chosen, and of two edges the way. Who is dropped, waits or comes first is fixed in the wiring."""
    channels = {info.name for info in settings() if info.section.startswith("channels.")}
    assert channels == {"capacity", "shed_above", "transport"}
    # Lane 0 and intents never leave by Redis, whatever is set.
    assert EDGES_OVER_REDIS == ("lanes", "feed_events")
    words = ("lane", "overflow", "policy", "drop", "shed", "priorit", "intent")
    named = {info.path for info in settings() if any(word in info.name for word in words)}
    assert {path for path in named if not path.endswith(".shed_above")} == {"live.lanes"}, (
        "connections, not lanes of trades"
    )
    assert not [info.path for info in settings() if info.is_secret and why_fixed(info) is None]
