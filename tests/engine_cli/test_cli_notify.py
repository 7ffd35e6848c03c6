"""`polycopy notify` of an operator, and addresses of users."""

from pathlib import Path

import pytest
import trio
from crash.engine_process import engine_process
from crash.notify_engines import notify_world
from engine_cli.cli_process import invoke, json_of, polycopy
from engine_postgres.server_fixtures import fetch

ADMIN = "bootstrap-token-of-a-test-engine"
DELIVERY = """
WITH made AS (
    INSERT INTO notifications (user_id, kind, subject_key, routed_at)
    SELECT id, 'drift', gen_random_uuid()::text, now() FROM profiles WHERE user_name = 'admin'
    RETURNING notification_id, user_id
)
INSERT INTO notification_deliveries (notification_id, channel, user_id, status, last_error)
SELECT notification_id, $1, user_id, $2, $3 FROM made
"""


@pytest.fixture
def command(database, own_logging):
    return lambda *arguments, **env: invoke(*arguments, env={"POLYCOPY_DATABASE__URL": database.dsn, **env})


def test_status_shows_channels_and_retry_tries_again_what_was_given_up(command, database):
    for channel, status, error in (("ops", "failed", "HTTP 404"), ("ops", "pending", None), ("old", "failed", "x")):
        fetch(database.dsn, DELIVERY, channel, status, error)
    on = {"POLYCOPY_NOTIFY__ENABLED": "true", "POLYCOPY_NOTIFY__CHANNELS__NEW__URL": "json://h.example.org/SECRET"}
    said = json_of(command("notify", "status", "--json", **on))
    shown = {one["channel"]: (one["pending"], one["failed"], one.get("error")) for one in said["channels"]}
    assert shown == {"new": (0, 0, None), "ops": (1, 1, "HTTP 404"), "old": (0, 1, "x")}
    table = command("notify", "status", **on)
    assert "HTTP 404" in table.stdout
    assert "SECRET" not in table.stdout + table.stderr
    assert "notify.enabled is false" in command("notify", "status").stderr
    assert json_of(command("notify", "retry", "ops", "--json")) == {"retried": 1}
    assert command("notify", "retry").stdout == "1 deliveries are tried again\n"


def test_preferences_of_a_user_are_shown_and_changed(command):
    assert json_of(command("notify", "preferences", "admin", "--json"))["drift"] is True
    changed = json_of(
        command(
            "notify", "preferences", "admin", "--set", "drift=false", "--set", "quiet_from=22:00", "--set", "quiet_to=07:00",
            "--set", "timezone=Europe/Berlin", "--json",
        )
    )  # fmt: skip
    assert (changed["drift"], changed["quiet_from"], changed["timezone"]) == (False, "22:00", "Europe/Berlin")
    assert "Europe/Berlin" in command("notify", "preferences", "admin").stdout
    off = ("--set", "quiet_from=none", "--set", "quiet_to=none")
    assert json_of(command("notify", "preferences", "admin", *off, "--json"))["quiet_to"] is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("preferences", "nobody"), "there is no user 'nobody'"),
        (("preferences", "admin", "--set", "drift"), "NAME=VALUE"),
        (("preferences", "admin", "--set", "user_id=x"), "NAME=VALUE"),
        (("preferences", "admin", "--set", "drift=maybe"), "drift is true or false"),
        (("preferences", "admin", "--set", "quiet_from=22:00"), "go together"),
        (("preferences", "admin", "--set", "quiet_from=late", "--set", "quiet_to=07:00"), "a time of day"),
        (("preferences", "admin", "--set", "timezone=No/Where"), "no time zone"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(command, arguments, reason):
    done = command("notify", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr


def test_the_address_of_a_user_is_set_and_taken_away(command, database):
    assert command("users", "email", "admin", "admin@example.org").returncode == 0
    assert fetch(database.dsn, "SELECT email FROM profiles") == [("admin@example.org",)]
    assert json_of(command("users", "email", "admin", "--clear", "--json")) == {"user_name": "admin", "email": None}
    assert fetch(database.dsn, "SELECT email FROM profiles") == [(None,)]
    for arguments in (
        ("admin",),
        ("admin", "a@example.org", "--clear"),
        ("admin", "a@b, c@d"),
        ("nobody", "a@example.org"),
    ):
        assert command("users", "email", *arguments).returncode == 2


async def test_a_test_goes_through_the_running_engine(database, tmp_path: Path):
    token = tmp_path / "admin-token"
    token.write_text(ADMIN)
    token.chmod(0o600)
    async with notify_world(database, tmp_path) as world:
        await world.world.fetch("UPDATE profiles SET email = 'admin@example.org' WHERE user_name = 'admin'")
        settings = {**world.settings, "http.admin_token_file": str(token)}
        async with engine_process(settings) as engine:
            await engine.until_ready()
            pairs = ("--set", f"http.port={engine.port}", "--set", f"http.admin_token_file={token}")
            done = await trio.to_thread.run_sync(lambda: polycopy(*pairs, "notify", "test", "--json"))
            assert [(one["channel"], one["status"]) for one in json_of(done)["deliveries"]] == [("mail", "sent")]
            assert done.returncode == 0
            world.mails.refuse = "550 no"
            done = await trio.to_thread.run_sync(lambda: polycopy(*pairs, "notify", "test"))
            assert done.returncode == 1
            assert "the channel answered SMTP 550" in done.stdout
    [mail] = world.mails.mails
    assert mail.message["Subject"] == "[Polycopy] This is a test"
