"""What `polycopy status` says of an engine that is not ready, or goes on without something."""

from engine.cli.engine_client import EngineView, Metrics
from engine.cli.status_document import engine_document
from engine.cli.status_text import echo_engine


def view_of(**changes):
    settings = {"ready": True, "waiting_for": {}, "actors": {}, "metrics": Metrics({}), "metrics_error": "none asked"}
    return EngineView(**settings | changes)


def test_what_is_waited_for_and_what_it_goes_on_without_are_two_things(capsys):
    view = view_of(ready=False, waiting_for={"lease": "another has it"}, degraded={"edge feed_events": "no\x1b answer"})
    echo_engine(view, None)
    shown = capsys.readouterr().out
    assert "engine: NOT ready" in shown
    assert "  waits for lease: another has it" in shown
    assert "  goes on without edge feed_events: no" in shown
    assert "\x1b" not in shown, "nothing that comes from elsewhere moves the cursor"
    assert engine_document(view, None)["degraded"] == {"edge feed_events": "no\x1b answer"}


def test_an_engine_that_has_everything_says_so(capsys):
    echo_engine(view_of(), None)
    shown = capsys.readouterr().out
    assert "engine: ready" in shown
    assert "waits" not in shown
    assert "without" not in shown
