"""The process that sends, with the real library: mail to a real SMTP server, webhooks to a real HTTP server."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from engine_adapters.smtp_server import smtp_server
from engine_adapters.webhook_server import webhook_server

from actors.rules.notices.rendering import message_of
from config.secrets import Secret
from engine.adapters.notify_sender import NotifyProcess
from engine.notify_process import failure, with_address
from protocols.notifications import MAIL, Notice, NoticeKind, OutgoingMessage

PASSWORD = "s3cret-pass-of-mail"
SETTINGS = "https://copies.example.org/settings"
HOSTILE = (
    "Will it rain?\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script> 🌧️ \u202eevil\u202c هل ستمطر @everyone"
)


def mail_url(port):
    return Secret(f"mailto://sender:{PASSWORD}@127.0.0.1:{port}/?from=copies@example.org&mode=insecure")


def notice(number=1, kind=NoticeKind.ORDER_FILLED, **payload):
    return Notice(notification_id=number, kind=kind, payload=payload, happened_ms=1_795_000_000_000)


def message(number=0, channel=MAIL, address="ann@example.org", notices=None):
    return message_of(
        notices or [notice(side="BUY", market="Will it rain?", status="FILLED", shares="20", usd="10")],
        number=number, channel=channel, address=address, user_name="ann", settings_url=SETTINGS,
    )  # fmt: skip


async def sent(messages, urls, timeout_s=60, **options):
    results = []

    async def told(result):
        results.append(result)

    process = NotifyProcess(urls=urls, timeout_s=timeout_s, **options)
    await process.send(messages, told)
    return sorted(results, key=lambda one: one.number)


async def test_a_mail_arrives_as_text_and_html_with_the_settings_link():
    async with smtp_server() as server:
        [result] = await sent([message()], {MAIL: mail_url(server.port)})
        [mail] = server.mails
    assert (result.error, result.refused) == (None, False)
    assert (mail.sender, mail.recipients) == ("copies@example.org", ("ann@example.org",))
    found = mail.message
    assert found["Subject"] == "[Polycopy] Bought: Will it rain?"
    assert found["To"] == "ann@example.org"
    assert found.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        text = mail.part(kind)
        assert "Bought: Will it rain?" in text
        assert "20.00 shares" in text
        assert SETTINGS in text


async def test_a_title_of_a_stranger_adds_no_header_no_markup_and_turns_no_line():
    hostile = [notice(side="BUY", market=HOSTILE, status="FILLED", trader="0x1\r\nX-Evil: 1", reason=HOSTILE)]
    async with smtp_server() as server:
        await sent([message(notices=hostile)], {MAIL: mail_url(server.port)})
        [mail] = server.mails
    found = mail.message
    assert mail.recipients == ("ann@example.org",)
    assert {name for name in found if name.lower() in ("bcc", "cc", "x-evil")} == set()
    assert "Will it rain? Bcc: victim@" in found["Subject"]
    assert "🌧️" in found["Subject"]
    assert "هل ستمطر" in mail.part("html")
    assert "<script" not in mail.part("html").lower()
    assert "&lt;script&gt;" in mail.part("html")
    for text in (str(found["Subject"]), mail.part("plain"), mail.part("html")):
        assert not {c for c in text if c in "\u202e\u202c"}


async def test_a_webhook_gets_the_text_and_no_chat_is_called_together():
    async with webhook_server() as server:
        urls = {"ops": Secret(f"json://127.0.0.1:{server.port}/hook")}
        hostile = message(channel="ops", address=None, notices=[notice(market=HOSTILE, side="SELL", status="PARTIAL")])
        [result] = await sent([hostile], urls)
        [body] = server.bodies
    assert result.error is None
    assert body["title"].startswith("[Polycopy] ann: Sold in part: Will it rain?")
    assert SETTINGS in body["message"]
    assert "@everyone" not in body["title"] + body["message"]
    assert "@\u200beveryone" in body["message"]


async def test_each_message_has_its_own_fate_and_a_slow_channel_holds_up_no_other():
    async with (
        smtp_server() as mails,
        webhook_server(status=404) as gone,
        webhook_server(status=503) as broken,
        webhook_server(delay_s=1) as slow,
    ):
        urls = {
            MAIL: mail_url(mails.port),
            "gone": Secret(f"json://127.0.0.1:{gone.port}/x"),
            "broken": Secret(f"json://127.0.0.1:{broken.port}/x"),
            "slow": Secret(f"json://127.0.0.1:{slow.port}/x"),
            "closed": Secret("json://127.0.0.1:1/x"),
            "nonsense": Secret("nosuchservice://x"),
        }
        messages = [message(n, name, "ann@example.org" if name == MAIL else None) for n, name in enumerate(urls)]
        results = await sent(messages, urls)
    assert [(one.error, one.refused) for one in results] == [
        (None, False),
        ("the channel answered HTTP 404", True),
        ("the channel answered HTTP 503", False),
        (None, False),
        ("the channel could not be reached, or did not answer", False),
        ("the address of the channel makes no sense", True),
    ]


@pytest.mark.parametrize(
    ("options", "error", "refused"),
    [
        ({"refuse": "451 try later"}, "the channel answered SMTP 451", False),
        ({"refuse": "550 we do not want you"}, "the channel answered SMTP 550", True),
        ({"refuse_recipient": "550 no such user"}, "the channel answered SMTP 550", True),
        ({"drop_after_data": True}, "the channel could not be reached, or did not answer", False),
    ],
)
async def test_what_a_mail_server_answers_is_told_by_its_code(options, error, refused):
    async with smtp_server(**options) as server:
        [result] = await sent([message()], {MAIL: mail_url(server.port)})
    assert (result.error, result.refused) == (error, refused)


async def test_a_process_that_hangs_is_ended_and_its_message_has_no_fate():
    async with smtp_server(silent=True) as silent, webhook_server() as hook:
        urls = {MAIL: mail_url(silent.port), "ops": Secret(f"json://127.0.0.1:{hook.port}/x")}
        with trio.fail_after(20):
            results = await sent([message(0), message(1, "ops", None)], urls, timeout_s=4)
    assert [one.number for one in results] == [1]


@pytest.mark.parametrize(
    "script",
    [
        "import sys; sys.exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "print('no json'); print('{}'); print('[1]'); print('{\"number\": 7, \"error\": null, \"refused\": false}')",
        "import sys; sys.stdin.read(); sys.stdout.write('x' * (1 << 21)); sys.stdout.flush(); input()",
    ],
)
async def test_a_process_that_dies_or_talks_nonsense_tells_nothing(script):
    with trio.fail_after(20):
        assert await sent([message()], {MAIL: mail_url(1)}, program=(sys.executable, "-c", script)) == []


async def test_a_program_that_is_not_there_tells_nothing(caplog):
    assert await sent([message()], {MAIL: mail_url(1)}, program=("/nonexistent/program",)) == []
    assert "does not start" in caplog.text


async def test_no_credential_is_in_arguments_environment_results_or_logs(monkeypatch, caplog):
    """A program in place of the real one says what it was started with."""
    monkeypatch.setenv("POLYCOPY_NOTIFY__MAIL_URL", f"mailto://a:{PASSWORD}@example.org")
    script = """
import json, os, sys
json.load(sys.stdin)
text = repr(sys.argv) + repr(dict(os.environ)) + open('/proc/self/cmdline').read()
print(json.dumps({"number": 0, "error": "leak" if %r[::-1] in text else "none", "refused": False}))
"""
    caplog.set_level(logging.DEBUG)
    program = (sys.executable, "-c", script % PASSWORD[::-1])
    [result] = await sent([message()], {MAIL: mail_url(1)}, program=program)
    assert result.error == "none"
    # The real one, against a port that is closed, and against an address that makes no sense.
    results = await sent([message(0), message(1, "x", None)], {MAIL: mail_url(1), "x": Secret(f"nosuch://{PASSWORD}")})
    process = NotifyProcess(urls={MAIL: mail_url(1)}, timeout_s=5)
    assert PASSWORD not in repr(results) + caplog.text + repr(process)


def test_codes_decide_whether_a_channel_refused():
    assert failure([]) == ("the channel could not be reached, or did not answer", False)
    assert failure([("HTTP", 429)]) == ("the channel answered HTTP 429", False)
    assert failure([("HTTP", 500), ("HTTP", 401)]) == ("the channel answered HTTP 401", True)
    assert [failure([("SMTP", code)])[1] for code in (421, 535, 554)] == [False, True, True]


def test_a_recipient_is_one_address_of_the_servers_url():
    assert with_address("mailto://h?from=a", "a+b@example.org") == "mailto://h?from=a&to=a%2Bb%40example.org"
    assert with_address("mailtos://h", "a@b.c") == "mailtos://h?to=a%40b.c"


def test_a_message_says_nothing_of_its_channel():
    assert not {"url"} & {field.name for field in OutgoingMessage.__attrs_attrs__}


def test_every_example_of_the_documentation_is_an_address_that_the_library_knows():
    script = "import sys, apprise\nprint([apprise.Apprise.instantiate(url) is not None for url in sys.argv[1:]])"
    readme = Path(__file__).parents[2] / "config" / "README.md"
    section = readme.read_text().partition("## Notifications")[2].partition("\n## ")[0]
    rows = [line.rpartition(" | `")[2] for line in section.splitlines() if line.startswith("| ")]
    urls = [row.removesuffix("` |") for row in rows if "://" in row]
    assert len(urls) == 6
    done = subprocess.run([sys.executable, "-c", script, *urls], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str([True] * len(urls)), urls


def test_the_engine_itself_never_imports_the_library():
    script = "import sys, engine.lifecycle, engine.metrics, engine.notify_process\nprint('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
