import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from engine_runtime import side_work

from config.sources import ConfigInputs
from engine.process_group import resident_mb
from engine.side_process import (
    OUTPUT_BYTES_MAX,
    SideBusyError,
    SideDesk,
    SideProcessError,
    environment_of,
    run_command,
    short_reason,
)

WORK = side_work.__name__
NONE = ConfigInputs.of(environ={})
ROOT = Path(__file__).parents[2]


async def run(what, *, timeout_s=60, memory_mb=300, config=NONE, **options):
    return await run_command(
        [what], timeout_s=timeout_s, memory_mb=memory_mb, config=config, module=WORK, **options
    )  # fmt: skip


async def failure_of(what, **options):
    with pytest.raises(SideProcessError) as caught:
        await run(what, **options)
    return caught.value


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def wait_dead(*pids):
    with trio.fail_after(20):
        while any(map(is_alive, pids)):
            await trio.sleep(0.01)


class Pids:
    def __init__(self):
        self.found, self.told = [], trio.Event()

    def __call__(self, line):
        if line.startswith("pids "):
            self.found = [int(text) for text in line.split()[1:]]
            self.told.set()


async def test_a_command_gets_a_document_and_answers_one_with_low_priority():
    facts = json.loads(await run("facts", stdin="søme döcument".encode()))
    assert facts["stdin"] == "søme döcument"
    assert facts["nice"] >= 10
    assert facts["oom"] == 1000
    assert facts["leads"]
    assert facts["cwd"] == os.getcwd()


async def test_the_child_reads_the_configuration_of_the_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYCOPY_HTTP__PORT", "1")  # of this process, not of the engine's inputs
    file = tmp_path / "polycopy.toml"
    file.write_text("[filter]\ntargets_poll_s = 7.0\n")
    environ = {"POLYCOPY_LIVE": "1", "POLYCOPY_LOGGING__LEVEL": "error", "POLYCOPY_CONFIG": "/nowhere"}
    config = ConfigInputs.of(file, environ, {"http.port": "4711"})
    env = json.loads(await run("facts", config=config))["env"]
    assert env == {
        "POLYCOPY_CONFIG": str(file), "POLYCOPY_HTTP__PORT": "4711", "POLYCOPY_LOGGING__LEVEL": "error",
    }  # fmt: skip
    shown = await run_command(["config", "show", "--json"], timeout_s=60, memory_mb=300, config=config)
    assert b"4711" in shown
    assert b"7.0" in shown


def test_a_file_that_was_not_named_is_not_read(monkeypatch):
    monkeypatch.setenv("POLYCOPY_CONFIG", "/etc/of-somebody-else.toml")
    assert "POLYCOPY_CONFIG" not in environment_of(NONE)


async def test_what_takes_too_long_is_ended_with_what_it_started():
    pids, timeout_s = Pids(), 1
    while not pids.found:  # a busy machine may need longer to start it
        timeout_s *= 2
        error = await failure_of("hang", timeout_s=timeout_s, told=pids)
        assert str(error) == f"it took longer than {timeout_s} s and was ended"
    await wait_dead(*pids.found)


async def test_what_takes_too_much_memory_is_ended():
    error = await failure_of("eat", memory_mb=120)
    assert "more than the 120 MB it may, and was ended" in str(error)


async def test_memory_of_what_it_started_counts_too():
    error = await failure_of("eat_in_child", memory_mb=150)
    assert "more than the 150 MB" in str(error)


async def test_a_cancelled_caller_leaves_nothing_running():
    pids = Pids()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: run("hang", told=pids))
        await pids.told.wait()
        assert all(map(is_alive, pids.found))
        nursery.cancel_scope.cancel()
    await wait_dead(*pids.found)


async def test_when_the_engine_is_killed_the_child_ends_with_what_it_started():
    script = (
        "import trio\nimport trio._core._thread_cache as cache\ncache.IDLE_TIMEOUT = 0.05\n"
        "from config.sources import ConfigInputs\nfrom engine.side_process import run_command\n"
        "async def main():\n"
        "    await run_command(['hang'], timeout_s=600, memory_mb=500, config=ConfigInputs.of(environ={}),\n"
        f"        module={WORK!r}, told=lambda line: print(line, flush=True))\n"
        "trio.run(main)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    engine = await trio.lowlevel.open_process([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env)
    try:
        with trio.fail_after(30):
            line = await engine.stdout.receive_some()
        pids = [int(text) for text in line.split()[1:]]
        assert len(pids) == 2
        # The thread that started the child ends when it has nothing to do: the child does not depend on it.
        with trio.fail_after(30):
            while len(list(Path(f"/proc/{engine.pid}/task").iterdir())) > 1:
                await trio.sleep(0.01)
        assert all(map(is_alive, pids))
        engine.send_signal(signal.SIGKILL)
        await engine.wait()
        await wait_dead(*pids)
    finally:
        with suppress(ProcessLookupError):
            engine.kill()
        await engine.stdout.aclose()


async def test_what_it_leaves_behind_ends_with_it_and_does_not_hold_up_the_answer():
    answer = json.loads(await run("leave"))
    await wait_dead(answer["child"])


@pytest.mark.parametrize("what", ["garbage", "half", "two", "nothing"])
async def test_an_answer_that_is_no_json_document_is_none(what):
    error = await failure_of(what)
    assert str(error).startswith("what it wrote is no JSON document")
    assert error.exit_code == 0


async def test_an_answer_is_bounded():
    assert f"more than {OUTPUT_BYTES_MAX >> 20} MB" in str(await failure_of("much"))


async def test_noise_on_standard_error_and_a_document_nobody_reads_hold_up_nothing():
    assert await run("noise") == b"[]\n"
    assert await run("unread", stdin=b"x" * (2 << 20)) == b"{}\n"


async def test_why_it_failed_is_one_short_line_without_secrets():
    refused = await failure_of("refuse")
    assert (str(refused), refused.exit_code) == ("no bot of that name", 2)
    crashed = await failure_of("raise")
    assert (str(crashed), crashed.exit_code) == ("KeyError: 'of no use'", 1)
    assert "pass-word-1" not in str(await failure_of("secret"))
    killed = await failure_of("kill_self")
    assert (str(killed), killed.exit_code) == ("it was ended by signal 9", None)
    assert str(await failure_of("progress")) == "no"
    assert len(short_reason("y" * 9_000)) < 600


async def test_of_a_kind_one_runs_at_a_time_and_a_few_in_all():
    desk, pids = SideDesk(config=NONE), Pids()
    bounds = {"timeout_s": 60, "memory_mb": 300, "module": WORK}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: desk.run("training", ["hang"], told=pids, **bounds))
        await pids.told.wait()
        with pytest.raises(SideBusyError, match="training is running already"):
            await desk.run("training", ["facts"], **bounds)
        other = Pids()
        nursery.start_soon(lambda: desk.run("plan", ["hang"], told=other, **bounds))
        await other.told.wait()
        with pytest.raises(SideBusyError, match="busy with training, plan"):
            await desk.run("search", ["facts"], **bounds)
        assert set(desk.running) == {"training", "plan"}
        nursery.cancel_scope.cancel()
    assert not desk.running
    await desk.run("training", ["facts"], **bounds)
    with pytest.raises(SideProcessError):
        await desk.run("training", ["raise"], **bounds)
    assert not desk.running


def test_memory_is_told_of_this_process_and_none_of_one_that_is_gone():
    assert resident_mb(os.getpid()) > 10
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert resident_mb(gone.pid) == 0
