import subprocess

import pytest
from engine_cli.cli_process import NOT_THERE, PROGRAM, environment, free_port, invoke, json_of, polycopy
from engine_postgres.server_fixtures import scratch_directory

from engine.adapters.postgres.postmaster import live_postmaster

ONE, TWO, THREE = (f"0x{digit * 40}" for digit in "abc")


@pytest.fixture(scope="module")
def home():
    """A directory with an embedded database that nobody runs, in which ONE is followed."""
    with scratch_directory() as directory:
        (directory / "polycopy.toml").write_text(
            f'[database]\ndata_dir = "{directory / "postgres"}"\n[http]\nport = {free_port()}\n'
            f'[venue]\ngamma_url = "{NOT_THERE}"\n'
        )
        done = polycopy("--config", directory / "polycopy.toml", "follow", "add", ONE)
        assert done.stdout == f"1 now followed:\n  {ONE}\n"
        yield directory


def ours(home, *arguments):
    return polycopy("--config", home / "polycopy.toml", *arguments)


def test_the_first_follow_makes_the_database_and_leaves_nothing_running(home):
    assert live_postmaster(home / "postgres" / "cluster") is None
    assert ONE in {row["wallet"] for row in json_of(ours(home, "follow", "list", "--json"))}
    assert live_postmaster(home / "postgres" / "cluster") is None


def test_commands_at_the_same_time_share_one_server(home):
    wallets = [f"0x{number:040x}" for number in range(3)]
    command = [*PROGRAM, "--config", str(home / "polycopy.toml"), "follow", "add"]
    running = [
        subprocess.Popen([*command, wallet], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
        for wallet in wallets
    ]
    for process in running:
        text, _ = process.communicate(timeout=60)
        assert process.returncode == 0, text
    listed = {row["wallet"] for row in json_of(ours(home, "follow", "list", "--json"))}
    assert listed == {ONE, *wallets}
    assert live_postmaster(home / "postgres" / "cluster") is None


def test_status_shows_the_database_while_the_engine_is_down(home):
    done = ours(home, "status", "--json")
    assert done.returncode == 1
    document = json_of(done)
    assert document["database"]["place"] == f"the embedded server in {home / 'postgres'}"
    assert document["engine"]["error"].startswith("no engine answers at http://127.0.0.1:")
    assert document["engine"]["reachable"] is False
    assert document["database"]["migrations_pending"] == []
    assert (document["database"]["trades"], document["database"]["leases"]) == (0, [])


def test_top_shows_that_nothing_runs_and_starts_nothing(home):
    done = ours(home, "top", "--once")
    assert done.returncode == 1
    assert "no engine answers at http://127.0.0.1:" in done.stdout
    assert "the embedded database does not run" in done.stdout


def test_status_where_nothing_ever_ran_makes_nothing(tmp_path, own_logging):
    done = invoke("--set", f"database.data_dir={tmp_path / 'pg'}", "--set", f"http.port={free_port()}", "status")
    assert done.returncode == 1
    assert f"database: not reachable (there is no database in {tmp_path / 'pg'} yet" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("follow", "list"), ("follow", "rm", ONE)])
def test_looking_and_removing_make_nothing(tmp_path, own_logging, command):
    done = invoke("--set", f"database.data_dir={tmp_path / 'pg'}", *command)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: there is no database in ")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_used_is_told_without_a_traceback(tmp_path, own_logging):
    (tmp_path / "file").write_text("")
    done = invoke("--set", f"database.data_dir={tmp_path / 'file'}", "follow", "add", ONE)
    assert done.returncode == 1
    assert "is not a directory" in done.stderr


def test_port_zero_is_explained(home):
    done = ours(home, "--set", "http.port=0", "top", "--once")
    assert done.returncode == 1
    assert "http.port is 0" in done.stderr
