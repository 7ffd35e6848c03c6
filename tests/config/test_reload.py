import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.live import LiveConfig
from config.loader import load_config
from config.reload import live_paths, plan_reload
from config.schema import EngineConfig, cross_checks
from config.secrets import Secret


def loaded(**overrides):
    return load_config(environ={}, overrides={path.replace("__", "."): text for path, text in overrides.items()})


def paths(changes):
    return [change.path for change in changes]


def test_the_same_configuration_changes_nothing():
    plan = plan_reload(EngineConfig(), loaded())
    assert (plan.applied, plan.needs_restart) == ((), ())
    assert plan.effective == EngineConfig()


def test_live_settings_change_and_others_wait():
    running = EngineConfig()
    wanted = loaded(logging__level="debug", writer__batch_max="7", http__port="1", jobs__retention__jitter_s="7")
    plan = plan_reload(running, wanted)
    assert paths(plan.applied) == ["writer.batch_max", "jobs.retention.jitter_s", "logging.level"]
    assert paths(plan.needs_restart) == ["http.port"]
    assert plan.effective.writer.batch_max == 7
    assert plan.effective.jobs["retention"].jitter_s == 7
    assert plan.effective.http.port == running.http.port
    again = plan_reload(plan.effective, wanted)
    assert (paths(again.applied), paths(again.needs_restart)) == ([], ["http.port"])


def test_a_change_tells_both_values_but_no_secret():
    wanted = attrs.evolve(loaded(limits__memory_warn_ratio="0.5"), database=attrs.evolve(
        EngineConfig().database, url=Secret("postgresql://me:geheim@host/x")))  # fmt: skip
    plan = plan_reload(EngineConfig(), wanted)
    assert [(change.before, change.after) for change in plan.applied] == [(0.8, 0.5)]
    assert [(change.path, change.before, change.after) for change in plan.needs_restart] == [
        ("database.url", None, "(set)")
    ]
    assert "geheim" not in repr(plan)


def test_a_live_change_that_contradicts_what_runs_waits_with_its_section():
    running = loaded(stream__stall_timeout_s="10", stream__ping_interval_s="5")
    wanted = loaded(stream__stall_timeout_s="60", stream__ping_interval_s="30", logging__level="debug")
    plan = plan_reload(running, wanted)
    assert paths(plan.applied) == ["logging.level"]
    assert paths(plan.needs_restart) == ["stream.stall_timeout_s", "stream.ping_interval_s"]
    assert cross_checks(plan.effective) == []


LIVE = live_paths(EngineConfig())


@given(st.data())
def test_every_plan_is_complete_and_consistent(data):
    numbers = {"stream.ping_interval_s": ["1", "20"], "writer.batch_max": ["1", "500"], "filter.recent_max": ["200"]}
    overrides = {
        path: data.draw(st.sampled_from(values))
        for path, values in numbers.items()
        if data.draw(st.booleans(), label=path)
    }
    wanted = load_config(environ={}, overrides=overrides)
    plan = plan_reload(EngineConfig(), wanted)
    different = {path for path, text in overrides.items() if text != "500"}
    assert set(paths(plan.applied)) | set(paths(plan.needs_restart)) == different
    assert set(paths(plan.applied)) <= set(LIVE)
    assert cross_checks(plan.effective) == []


def test_a_section_that_was_handed_out_shows_a_reloaded_value():
    live = LiveConfig(EngineConfig())
    writer, job = live.view.writer, live.view.jobs["retention"]
    assert (writer.batch_max, job.enabled, writer.spill_dir) == (500, True, "")
    plan = live.take(loaded(writer__batch_max="9", jobs__retention__enabled="false", writer__spill_dir="elsewhere"))
    assert (writer.batch_max, job.enabled, writer.spill_dir) == (9, False, "")
    assert paths(plan.needs_restart) == ["writer.spill_dir"]
    assert live.view.writer.batch_max == live.current.writer.batch_max == 9


def _same(section, plain):
    for field in attrs.fields(type(plain)):
        seen, there = getattr(section, field.name), getattr(plain, field.name)
        if field.metadata["kind"] == "section":
            _same(seen, there)
        else:
            assert seen == there


def test_a_view_reads_like_the_configuration_and_cannot_be_set():
    live = LiveConfig(EngineConfig())
    for field in attrs.fields(EngineConfig):
        section = getattr(live.view, field.name)
        plain = getattr(EngineConfig(), field.name)
        if isinstance(plain, dict):
            assert list(section) == list(plain)
            section, plain = next(iter(section.values())), next(iter(plain.values()))
        _same(section, plain)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        live.view.writer.batch_max = 1
    with pytest.raises(AttributeError):
        live.view.nothing  # noqa: B018
