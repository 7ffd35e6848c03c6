import pytest
from engine_cli.cli_process import invoke, json_of, polycopy
from engine_postgres.server_fixtures import fetch

from engine.adapters.postgres.migrate import migrations


@pytest.fixture
def empty(postgres, own_logging):
    with postgres.database() as dsn:
        yield {"POLYCOPY_DATABASE__URL": dsn}


def test_a_new_database_is_migrated_once(empty):
    versions = [migration.version for migration in migrations()]
    before = json_of(polycopy("db", "status", "--json", env=empty))
    assert before["applied"] == []
    assert [pending["version"] for pending in before["pending"]] == versions
    first = invoke("db", "migrate", env=empty)
    assert first.returncode == 0
    assert len(first.stdout.splitlines()) == len(versions)
    assert "Nothing to do" in invoke("db", "migrate", env=empty).stdout
    after = json_of(invoke("db", "status", "--json", env=empty))
    assert (after["applied"], after["pending"]) == (versions, [])
    assert after["place"] == "the server of database.url"


def test_status_is_readable(empty):
    done = invoke("db", "status", env=empty)
    assert done.returncode == 0
    assert done.stdout.startswith("PostgreSQL 1")
    assert "pending: 1 ingest" in done.stdout


def test_a_database_of_a_newer_program_is_refused_in_one_line(database, own_logging):
    fetch(database.dsn, "INSERT INTO schema_migrations VALUES (9999, 'later', 'x') RETURNING 1")
    for command in ("status", "migrate"):
        done = invoke("db", command, env={"POLYCOPY_DATABASE__URL": database.dsn})
        assert done.returncode == 1
        assert done.stderr.startswith("Error: the database has migration 9999")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["mysql://me:geheim@host/x", "geheim"])
def test_an_address_of_something_else_is_refused_without_being_shown(url):
    done = invoke("db", "status", env={"POLYCOPY_DATABASE__URL": url})
    assert done.returncode == 2
    assert "database.url: must be an address that begins with postgresql://" in done.stderr
    assert "geheim" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:geheim@127.0.0.1:9/x",
        "postgresql://me:geheim@host:geheim/x",
        "postgresql://me:geheim@[::1/x",
    ],
)
def test_a_database_that_does_not_answer_is_one_line_without_its_password(url, own_logging):
    done = invoke("db", "status", env={"POLYCOPY_DATABASE__URL": url})
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert "geheim" not in done.stdout + done.stderr


def test_looking_makes_no_database(tmp_path, own_logging):
    place = tmp_path / "postgres"
    done = invoke("--set", f"database.data_dir={place}", "db", "status")
    assert done.returncode == 1
    assert done.stderr == f"Error: there is no database in {place} yet; `polycopy run` makes it\n"
    assert not place.exists()
