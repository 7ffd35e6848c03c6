import pytest
import trio
from engine_cli.cli_process import NOT_THERE, PROGRAM, environment, invoke, json_of, polycopy
from engine_postgres.server_fixtures import fetch

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.tuner_process import is_installed
from protocols.jobs import JobOutcome, JobStatus

ADD_TRADE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw) VALUES ('1', 1, '0x1', '0x2', '3', '0x4', 'BUY', 1, 0.5, now() - interval '31 days', '{}')
"""
HOLD = """
WITH held AS (
    INSERT INTO engine_leases VALUES ('job:retention', 'them', 'far process 7', 1, now() + $1 * interval '1 second')
) INSERT INTO job_runs (job, attempt, status, owner, holder) VALUES ('retention', 1, 'running', 'them', 'far process 7')
"""


@pytest.fixture
def jobs(database, own_logging):
    """Runs `polycopy jobs …` on a database of the test's own; no engine runs there and the venue is not there."""
    env = {"POLYCOPY_DATABASE__URL": database.dsn, "POLYCOPY_VENUE__GAMMA_URL": NOT_THERE}
    return lambda *arguments: invoke("jobs", *arguments, env=env)


def test_the_list_names_every_job_and_says_that_nothing_runs_them(jobs):
    document = json_of(jobs("list", "--json"))
    assert {job["name"] for job in document["jobs"]} >= {"retention", "markets-refresh"}
    assert document["schedulers"] == []
    retention = next(job for job in document["jobs"] if job["name"] == "retention")
    assert (retention["cron"], retention["last_run"], retention["running_at"]) == ("0 4 * * *", None, None)
    text = jobs("list")
    assert "retention" in text.stdout
    assert "No engine runs jobs now" in text.stderr


def test_without_an_engine_a_job_runs_in_the_command(jobs, database):
    fetch(database.dsn, ADD_TRADE)
    done = jobs("run", "retention")
    assert (done.returncode, done.stdout.splitlines()[0].split(" after ")[0]) == (0, "retention succeeded here")
    assert "  followed: 1" in done.stdout.splitlines()
    assert fetch(database.dsn, "SELECT count(*) FROM trades_public") == [(0,)]
    [run] = json_of(jobs("history", "retention", "--json"))
    assert (run["status"], run["slot"], run["attempt"], run["figures"]["followed"]) == ("succeeded", None, 1, 1)
    assert run["requested_by"].endswith("by command")
    assert json_of(jobs("list", "--json"))["jobs"][0]["last_run"]["run_id"] == run["run_id"]


def test_a_job_that_needs_an_engine_is_refused_without_one(jobs, database):
    for name, place in (("coverage-audit", "ingests"), ("ft-resolve", "decides"), ("lt-execute", "trades live")):
        done = jobs("run", name)
        assert done.returncode == 1
        said = f"{name} needs an engine that {place}, and none runs now; nothing was asked for"
        assert done.stderr.strip() == f"Error: {said}"
    assert fetch(database.dsn, "SELECT * FROM job_requests") == []
    assert "needs an engine that ingests, and none runs now" in jobs("list").stdout


def test_the_agent_runs_and_finds_nothing_under_its_care(jobs):
    done = jobs("run", "alpha-agent")
    assert done.returncode == 0
    assert {"  searched: 0", "  managed: 0", f"  installed: {is_installed()}"} <= set(done.stdout.splitlines())
    [row] = [job for job in json_of(jobs("list", "--json"))["jobs"] if job["name"] == "alpha-agent"]
    note = None if is_installed() else "not installed"
    assert (row["note"], row["cron"], row["last_run"]["status"]) == (note, "0 6 * * *", "succeeded")


def test_a_job_that_fails_ends_the_command_with_exit_code_1(jobs, database):
    fetch(database.dsn, ADD_TRADE)
    fetch(database.dsn, "INSERT INTO markets (condition_id) VALUES ('0x4')")
    fetch(database.dsn, "UPDATE trades_public SET trade_timestamp = now()")
    done = jobs("run", "markets-refresh", "--json")
    assert done.returncode == 1
    run = json_of(done)["run"]
    assert run["status"] == "failed"
    assert run["error"].startswith("TransientError: gamma")
    assert "failed" in jobs("history").stdout


def test_a_running_scheduler_is_asked(jobs, database):
    fetch(database.dsn, "INSERT INTO job_schedulers VALUES ('x', 'far process 7', '{retention}')")
    asked = json_of(jobs("run", "retention", "--json"))
    assert (asked["where"], asked["run"]) == ("in the engine", None)
    assert jobs("run", "retention").stdout.startswith("retention was asked for; an engine starts it within seconds")
    assert fetch(database.dsn, "SELECT count(*) FROM job_requests WHERE run_id IS NULL") == [(1,)]


def test_a_job_that_is_held_is_not_run_here_but_kept_for_the_next_engine(jobs, database):
    fetch(database.dsn, HOLD, 60)
    done = jobs("run", "retention")
    assert done.returncode == 1
    assert "it is held by far process 7; what was asked for is kept" in done.stderr
    assert fetch(database.dsn, "SELECT run_id FROM job_requests") == [(None,)]


def test_only_a_dead_holders_job_is_unlocked_unless_forced(jobs, database):
    fetch(database.dsn, HOLD, 60)
    refused = jobs("unlock", "retention")
    assert refused.returncode == 1
    assert "held by far process 7, which is alive: nothing was changed" in refused.stderr
    assert jobs("unlock", "retention", "--force").stdout == "retention is free.\n"
    [run] = json_of(jobs("history", "--json"))
    assert run["status"] == "abandoned"
    assert run["error"].startswith("unlocked by ")
    assert jobs("run", "retention").returncode == 0


def test_an_expired_lease_is_unlocked(jobs, database):
    fetch(database.dsn, HOLD, -1)
    assert json_of(jobs("unlock", "retention", "--json"))["free"]
    assert json_of(jobs("history", "--json"))[0]["status"] == "abandoned"


@pytest.mark.parametrize("command", ["run", "history", "unlock"])
def test_an_unknown_job_is_a_usage_error_that_names_the_known_ones(jobs, command):
    done = jobs(command, "\x1b[2Jnothing")
    assert done.returncode == 2
    assert "there is no job '?[2Jnothing'; there are: retention" in done.stderr


def test_a_history_without_runs_says_so(jobs):
    assert json_of(jobs("history", "--json")) == []
    assert "Nothing has run yet." in jobs("history").stderr


def test_as_a_process(database):
    done = polycopy("jobs", "run", "retention", "--wait", "--json", env={"POLYCOPY_DATABASE__URL": database.dsn})
    assert (done.returncode, done.stderr) == (0, "")
    assert json_of(done)["run"]["status"] == "succeeded"


@pytest.mark.parametrize(("status", "exit_code"), [(JobStatus.SUCCEEDED, 0), (JobStatus.FAILED, 1)])
async def test_waiting_ends_with_the_run_in_the_engine(database, aio, status, exit_code):
    """The engine's part is played here."""
    connection = Connection(database, "engine")
    store = PostgresJobStore(connection)
    await store.announce("me", "host process 1", ["retention"])
    env = environment(POLYCOPY_DATABASE__URL=database.dsn)
    command = [*PROGRAM, "jobs", "run", "retention", "--wait"]
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:

            async def engine() -> None:
                while (await store.states(["retention"], slots_until_ms=0))["retention"].requested_by is None:
                    await trio.sleep(0.05)
                lease = await store.claim("retention", slot_ms=None, owner="me", holder="host process 1", ttl_s=30)
                await trio.sleep(0.5)
                await store.finish(lease, JobOutcome(status=status, error="why", figures={"deleted": 3}))

            nursery.start_soon(engine)
            done = await trio.run_process(command, env=env, capture_stdout=True, check=False)
    assert done.returncode == exit_code
    assert f"retention {status.value} in the engine after" in done.stdout.decode()
    assert "  deleted: 3" in done.stdout.decode()
    await connection.aclose()
