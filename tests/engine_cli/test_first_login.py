import os
import pty
import re
import subprocess
import time

from engine_cli.cli_process import NOT_THERE, PROGRAM, environment, polycopy


def test_a_person_who_starts_an_engine_gets_a_login_url_and_a_pipe_does_not(database, tmp_path):
    venue = [f"venue.{name}_url={NOT_THERE}" for name in ("clob", "gamma", "data")]
    venue += [f"venue.{name}_url={NOT_THERE.replace('http', 'ws')}" for name in ("rtds", "clob_ws")]
    settings = [*venue, f"database.url={database.dsn}", f"writer.spill_dir={tmp_path / 'spill'}", "http.port=0"]
    arguments = [part for one in settings for part in ("--set", one)]
    leader, terminal = pty.openpty()
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*PROGRAM, *arguments, "run"], stdin=terminal, stdout=terminal, stderr=log, env=environment()
        )
    os.close(terminal)
    try:
        shown, deadline = "", time.monotonic() + 30
        while "\n" not in shown:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            shown += os.read(leader, 1_000).decode()
    finally:
        process.terminate()
        process.wait(30)
        os.close(leader)
    match = re.search(r"http://127\.0\.0\.1:\d+/login/once\?key=([A-Za-z0-9_-]{43}) ", shown)
    assert match is not None, shown
    assert match[1] not in (tmp_path / "log").read_text()


def test_a_login_url_needs_a_running_engine():
    done = polycopy("--set", "http.port=9", "login-url", env={"POLYCOPY_HTTP__ADMIN_TOKEN": "x" * 30})
    assert done.returncode == 1
    assert "no engine answers" in done.stderr
