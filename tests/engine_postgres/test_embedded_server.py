import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import trio
from engine_postgres.server_fixtures import engine_process, fetch, scratch_directory

from engine.adapters.postgres.embedded_server import (
    EmbeddedServerBusy,
    EmbeddedServerError,
    find_embedded_binaries,
    find_system_binaries,
    run_embedded_server,
    running_server_dsn,
)
from engine.adapters.postgres.privileges import claim_data_dir
from engine.adapters.postgres.server_process import LOG_BYTES_MAX

run_server = partial(run_embedded_server, durable=False, cache_dir=Path("/proc/none"))


async def ask(dsn, sql):
    return await trio.to_thread.run_sync(fetch, dsn, sql)


async def until(condition):
    with trio.fail_after(20):
        while not await condition():
            await trio.sleep(0.01)


def copy(source, target):
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    return target


def is_there(pid):
    return Path("/proc", str(pid)).exists()


@pytest.fixture(scope="module")
def made_data_dir() -> Iterator[Path]:
    async def make(path):
        async with run_server(data_dir=path) as server:
            await ask(server.dsn, "CREATE TABLE kept (value int); INSERT INTO kept VALUES (7);")

    with scratch_directory() as directory:
        trio.run(make, directory / "made")
        yield directory / "made"


@pytest.fixture
def scratch() -> Iterator[Path]:
    with scratch_directory() as directory:
        yield directory


@pytest.fixture
def data_dir(made_data_dir, scratch) -> Path:
    """A cluster at rest that holds `kept`; a copy, because initdb takes longer than all the rest."""
    return copy(made_data_dir, scratch / "data")


@contextmanager
def process_of_the_server_s_user(data_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """PostgreSQL alone would take such a process for the server that a lock file names."""
    with subprocess.Popen(["/bin/sleep", "100"], **claim_data_dir(data_dir).popen_options()) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("major", [18, 15])
async def test_data_survives_stop_and_restart(scratch, major):
    binaries = find_embedded_binaries() if major == 18 else find_system_binaries(major)
    if binaries is None:
        pytest.skip(f"PostgreSQL {major} is not installed")
    async with run_server(data_dir=scratch / "data", binaries=binaries) as server:
        await ask(server.dsn, "CREATE TABLE kept (value int); INSERT INTO kept VALUES (1);")
        dsn = server.dsn
        await server.restart()
        assert server.dsn == dsn
        assert await ask(server.dsn, "SELECT value FROM kept") == [(1,)]
    async with run_server(data_dir=scratch / "data", binaries=binaries) as server:
        assert await ask(server.dsn, "SELECT value FROM kept") == [(1,)]
        facts = "SELECT current_user, current_database(), current_setting('server_encoding'), lower('É'), 'a' > 'B'"
        assert await ask(server.dsn, facts) == [("polycopy", "polycopy", "UTF8", "é", True)]
        assert not server.adopted


async def test_settings_go_over_ours_and_reach_the_server(data_dir):
    async with run_server(
        data_dir=data_dir, settings={"max_connections": "17", "application_name": "a 'b' \"c\""}
    ) as server:
        assert await ask(server.dsn, "SHOW max_connections") == [("17",)]
        assert await ask(server.dsn, "SHOW jit") == [("off",)]
        assert await ask(server.dsn, "SHOW application_name") == [("a 'b' \"c\"",)]


async def test_settings_that_decide_where_it_listens_are_refused(data_dir):
    with pytest.raises(ValueError, match="listen_addresses"):
        async with run_server(data_dir=data_dir, settings={"listen_addresses": "*"}):
            pass
    assert await running_server_dsn(data_dir) is None


async def test_a_running_server_is_found_and_a_stopped_one_is_not(data_dir):
    assert await running_server_dsn(data_dir / "missing") is None
    async with run_server(data_dir=data_dir) as server:
        assert await running_server_dsn(data_dir) == server.dsn
    assert await running_server_dsn(data_dir) is None


async def test_cancellation_stops_the_server_first(data_dir):
    with trio.CancelScope() as scope:
        async with run_server(data_dir=data_dir) as server:
            pid = server.pid
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not is_there(pid)
    assert "database system is shut down" in (data_dir / "server.log").read_text()


async def test_an_error_of_the_body_comes_out_as_it_is(data_dir):
    with pytest.raises(ZeroDivisionError):
        async with run_server(data_dir=data_dir):
            raise ZeroDivisionError


async def test_the_terminal_s_interrupt_does_not_reach_the_server(data_dir):
    async with run_server(data_dir=data_dir) as server:
        assert os.getsid(server.pid) == server.pid != os.getsid(0)


async def test_a_killed_server_is_noticed_and_restarted(data_dir):
    async with run_server(data_dir=data_dir) as server:
        await ask(server.dsn, "INSERT INTO kept VALUES (8);")
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.wait_dead)
                os.kill(server.pid, signal.SIGKILL)
        assert not server.is_alive()
        await server.restart()
        assert await ask(server.dsn, "SELECT value FROM kept ORDER BY 1") == [(7,), (8,)]


async def test_a_busy_session_that_outlives_its_postmaster_does_not_block_the_restart(data_dir):
    async with run_server(data_dir=data_dir) as server:

        async def spin():
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await ask(server.dsn, "DO $$ BEGIN LOOP END LOOP; END $$;")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(spin)
            await until(partial(ask, server.dsn, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO%'"))
            os.kill(server.pid, signal.SIGKILL)
            await server.wait_dead()
            await server.restart()
        assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]


async def test_a_server_that_ignores_the_stop_is_killed(data_dir):
    async with run_server(data_dir=data_dir) as server:
        pid, server.stop_timeout_s, server.quit_timeout_s = server.pid, 0.1, 0.1
        os.kill(pid, signal.SIGSTOP)
    assert not is_there(pid)
    async with run_server(data_dir=data_dir) as server:
        assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]


async def test_the_server_of_a_killed_engine_is_adopted_and_stopped(data_dir):
    with engine_process(data_dir) as (process, said):
        process.kill()
        process.wait()
        assert await running_server_dsn(data_dir) == said["dsn"]
        async with run_server(data_dir=data_dir) as server:
            assert (server.adopted, server.pid, server.dsn) == (True, said["pid"], said["dsn"])
            assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]
        assert await running_server_dsn(data_dir) is None


async def test_an_adopted_server_that_dies_is_noticed_and_restarted(data_dir):
    with engine_process(data_dir) as (process, said):
        process.kill()
        process.wait()
        async with run_server(data_dir=data_dir) as server:
            os.kill(said["pid"], signal.SIGKILL)
            with trio.fail_after(30):
                await server.wait_dead()
            await server.restart()
            assert not server.adopted
            assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]


async def test_a_second_engine_is_told_that_the_directory_is_in_use(data_dir):
    with engine_process(data_dir) as (process, said):
        with pytest.raises(EmbeddedServerBusy, match=f"process {process.pid}: .*database.data_dir"):
            async with run_server(data_dir=data_dir):
                pass
        assert await ask(said["dsn"], "SELECT value FROM kept") == [(7,)]
    async with run_server(data_dir=data_dir):
        with pytest.raises(EmbeddedServerBusy):
            async with run_server(data_dir=data_dir):
                pass


@pytest.mark.parametrize("pid_in_use", [False, True])
async def test_lock_files_left_by_a_crash_of_the_machine_do_not_block(data_dir, pid_in_use):
    async with run_server(data_dir=data_dir) as server:
        files = {
            path: path.read_bytes().split(b"\n", 1)[1]
            for path in (server.cluster_dir / "postmaster.pid", server.cluster_dir / ".s.PGSQL.5432.lock")
        }
    with process_of_the_server_s_user(data_dir) as stranger:
        if not pid_in_use:
            stranger.kill()
            stranger.wait()
        for path, rest in files.items():
            path.write_bytes(b"%d\n%s" % (stranger.pid, rest))
            shutil.chown(path, data_dir.stat().st_uid)
        assert await running_server_dsn(data_dir) is None
        async with run_server(data_dir=data_dir) as server:
            assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]


@pytest.mark.parametrize("name", ["d" * 120, "a, b", "sp ace%41'\"&?#é"])
async def test_paths_that_are_long_or_odd(made_data_dir, scratch, name):
    data_dir = copy(made_data_dir, scratch / name)
    async with run_server(data_dir=data_dir) as server:
        assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]
        assert await running_server_dsn(data_dir) == server.dsn
        assert server.socket_dir.stat().st_mode & 0o077 == 0
        await server.restart()
        assert await ask(server.dsn, "SELECT value FROM kept") == [(7,)]
    assert server.socket_dir.exists() == (server.socket_dir == server.cluster_dir)


async def test_an_initdb_that_was_cut_short_is_made_again(scratch):
    (scratch / "data").mkdir()
    claim_data_dir(scratch / "data")
    left = scratch / "data" / "cluster.new.1"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    async with run_server(data_dir=scratch / "data") as server:
        assert await ask(server.dsn, "SELECT 1") == [(1,)]
    assert not left.exists()


async def test_a_cluster_of_another_version_is_named_with_the_remedy(data_dir):
    (data_dir / "cluster" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 14, .* are 18\.\d+: dump it"):
        async with run_server(data_dir=data_dir):
            pass


async def test_a_directory_that_is_no_cluster_is_named_with_the_remedy(data_dir):
    (data_dir / "cluster" / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedServerError, match=r"not a PostgreSQL cluster .*move it away"):
        async with run_server(data_dir=data_dir):
            pass


async def test_a_broken_cluster_is_reported_with_the_last_lines_of_the_log(data_dir):
    (data_dir / "cluster" / "global" / "pg_control").write_bytes(b"\0" * 8192)
    with pytest.raises(EmbeddedServerError, match=r"ended with code 1; last lines of .*server\.log:\n(.|\n)*FATAL:"):
        async with run_server(data_dir=data_dir):
            pass


async def test_the_log_is_bounded_while_the_server_runs(data_dir):
    async with run_server(data_dir=data_dir) as server:
        server.log_check_s = 0.01
        with server.log_path.open("ab") as log:
            log.write(b"0123456789\n" * (LOG_BYTES_MAX // 10))

        async def is_short():
            return server.log_path.stat().st_size <= LOG_BYTES_MAX

        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.wait_dead)
            await until(is_short)
            nursery.cancel_scope.cancel()
        await server.restart()
        text = server.log_path.read_text()
        assert text.startswith("0123456789\n")
        assert "received fast shutdown request" in text
