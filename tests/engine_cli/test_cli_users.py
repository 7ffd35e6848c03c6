import pytest
from engine_cli.cli_process import invoke, json_of
from engine_postgres.server_fixtures import fetch

from protocols.users import token_digest

TOKEN_ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def polycopy(database, own_logging):
    env = {"POLYCOPY_DATABASE__URL": database.dsn}
    return lambda *arguments, **options: invoke(*arguments, env=env, **options)


def test_users_are_listed_added_and_disabled(polycopy):
    assert [row["user_name"] for row in json_of(polycopy("users", "list", "--json"))] == ["admin"]
    assert polycopy("users", "add", "ann").stdout == "ann added\n"
    bob = json_of(polycopy("users", "add", "bob", "--admin", "--json"))
    assert (bob["user_name"], bob["is_admin"], bob["disabled_at"]) == ("bob", True, None)
    assert polycopy("users", "disable", "ann").stdout == "ann disabled\n"
    assert json_of(polycopy("users", "disable", "bob", "--json"))["disabled_at"] is not None
    table = polycopy("users", "list").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["user", "admin", "ann", "bob"]
    assert table[1].split()[1] == "admin"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("users", "add", "admin"), 1, "there is a user 'admin' already"),
        (("users", "add", "a b"), 2, "1 to 64 letters"),
        (("users", "disable", "nobody"), 2, "there is no user 'nobody'"),
        (("users", "disable", "admin"), 2, "the user admin stays"),
        (("tokens", "add", "x", "--user", "nobody"), 2, "there is no user 'nobody', or he is disabled"),
        (("tokens", "add", "a\nb"), 2, "1 to 80 characters"),
        (("tokens", "add", "x", "--scope", "root"), 2, "root"),
        (("tokens", "add", "x", "--expires-in-days", "0"), 2, "1<=x<=3650"),
        (("tokens", "list", "--user", "nobody"), 2, "there is no user 'nobody'"),
        (("tokens", "revoke", TOKEN_ID), 1, f"no such token, or revoked already: {TOKEN_ID}"),
        (("tokens", "revoke", "nonsense\x1b[2J"), 1, "revoked already: nonsense?[2J"),
    ],
)
def test_what_cannot_be_done_is_told(polycopy, arguments, code, reason):
    done = polycopy(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


def test_a_token_is_shown_once_and_revoked_by_its_id(polycopy, database):
    made = polycopy("tokens", "add", "my bot", "--scope", "read", "--scope", "trade")
    token = made.stdout.strip()
    assert (len(token), token[:4]) == (47, "pcy_")
    assert "not shown again" in made.stderr
    assert fetch(database.dsn, "SELECT token_digest FROM api_tokens") == [(token_digest(token.encode()),)]
    listed = polycopy("tokens", "list", "--json")
    assert token not in listed.stdout
    (row,) = json_of(listed)
    assert (row["name"], row["user_name"], row["scopes"]) == ("my bot", "admin", ["read", "trade"])
    assert polycopy("tokens", "list").stdout.splitlines()[0].split() == [
        "token",
        "user",
        "name",
        "scopes",
        "made",
        "ends",
    ]
    revoked = json_of(polycopy("tokens", "revoke", row["token_id"], "--json"))
    assert revoked == {"revoked": [row["token_id"]], "unknown": []}
    assert json_of(polycopy("tokens", "list", "--json")) == []
    assert "tokens add" in polycopy("tokens", "list").stderr


def test_a_token_ends_when_it_was_said(polycopy, database):
    polycopy("users", "add", "ann")
    made = json_of(polycopy("tokens", "add", "x", "--user", "ann", "--expires-in-days", "2", "--json"))
    assert made["token"].startswith("pcy_")
    assert made["scopes"] == ["read"]
    left = fetch(database.dsn, "SELECT round(extract(epoch FROM expires_at - now()) / 86400)::int FROM api_tokens")
    assert left == [(2,)]
    assert [row["name"] for row in json_of(polycopy("tokens", "list", "--user", "ann", "--json"))] == ["x"]
    assert json_of(polycopy("tokens", "list", "--user", "admin", "--json")) == []


def test_the_commands_are_listed(polycopy):
    text = polycopy("--help").stdout
    assert "users" in text
    assert "tokens" in text


def phc_of(database, name):
    rows = fetch(
        database.dsn,
        "SELECT phc, changed_at FROM user_passwords JOIN profiles ON profiles.id = user_id WHERE user_name = $1",
        name,
    )
    return rows[0] if rows else None


def test_a_password_is_set_from_standard_input_and_ends_sessions(polycopy, database):
    polycopy("users", "add", "ann")
    assert (
        polycopy("users", "password", "ann", "--stdin", stdin="four plain words here\n").stdout
        == "password of ann set\n"
    )
    first = phc_of(database, "ann")
    assert first[0].startswith("$argon2id$")
    session = """
        INSERT INTO web_sessions
            (user_id, secret_digest, kind, created_at, last_seen_at, expires_at, user_agent, address)
        SELECT id, sha256('x'), 'password', now(), now(), now() + interval '1 day', '', '' FROM profiles
        WHERE user_name = $1 RETURNING 1
    """
    fetch(database.dsn, session, "ann")
    again = polycopy("users", "password", "ann", "--stdin", "--json", stdin="another phrase entirely\r\n")
    assert json_of(again) == {"user_name": "ann", "sessions_ended": 1}
    second = phc_of(database, "ann")
    assert first[0] != second[0]
    assert first[1] < second[1]
    assert fetch(database.dsn, "SELECT count(*) FROM web_sessions") == [(0,)]


def test_a_password_is_asked_for_twice(polycopy, database):
    done = polycopy("users", "password", "admin", stdin="four plain words here\nfour plain words here\n")
    assert done.returncode == 0
    assert "password of admin set" in done.stdout
    assert "plain words" not in done.stdout + done.stderr
    assert phc_of(database, "admin") is not None
    differs = polycopy("users", "password", "admin", stdin="one phrase of words\nanother phrase\n")
    assert differs.returncode == 1


@pytest.mark.parametrize(
    ("name", "typed", "code", "reason"),
    [
        ("admin", "short\n", 1, "at least 10 characters"),
        ("admin", "password1234\n", 1, "everybody tries first"),
        ("admin", "", 1, "at least 10 characters"),
        ("nobody", "four plain words here\n", 2, "there is no user 'nobody'"),
    ],
)
def test_a_password_that_cannot_be_set(polycopy, database, name, typed, code, reason):
    done = polycopy("users", "password", name, "--stdin", stdin=typed)
    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr
    assert not typed.strip() or typed.strip() not in done.stderr
    assert phc_of(database, name) is None


def test_a_user_becomes_an_administrator_and_is_none_again(polycopy):
    polycopy("users", "add", "ann")
    assert polycopy("users", "admin", "ann", "--on").stdout == "ann is an administrator\n"
    assert json_of(polycopy("users", "admin", "ann", "--off", "--json"))["is_admin"] is False
    assert "the user admin stays one" in polycopy("users", "admin", "admin", "--off").stderr
    assert "there is no user 'nobody'" in polycopy("users", "admin", "nobody", "--on").stderr
    assert polycopy("users", "admin", "ann").returncode == 2
