"""Texts that mean harm, in the database as venue, browsers and users bring them: on the pages they are text, all of it."""

import gzip
import hashlib
import json
import re
from html import unescape

import pytest
import trio
from browser.payloads import PAYLOADS
from engine_postgres.profile_world import condition, wallet
from pages.drawn_shape import pieces_of, text_of
from pages.page_world import ago, feed_trade, page_world

from actors.rules.notices.plain_text import one_line
from protocols.users import Scope

PAGES_MAX, TOKENS = 40, 90
SHORT = tuple(text for text in PAYLOADS if len(text) <= 80)


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


async def every_page(world, path, user) -> str:
    """The page and all that its link to the next one leads to."""
    found, where = "", path
    for _ in range(PAGES_MAX):
        drawn = await world.get(where, user)
        assert drawn.status == 200, drawn.text
        assert drawn.is_harmless()
        found += drawn.html
        link = re.search(r'rel="next" href="([^"]+)"', drawn.html)
        if link is None:
            return found
        where = path.partition("?")[0] + unescape(link[1])
    raise AssertionError("it has no end")


async def the_same_with_plain_names(world, path, user, html) -> None:
    """Elements and attributes are those that the page has with names that mean nothing."""
    plain = await every_page(world, path, user)
    assert [one.shape for one in pieces_of(html)] == [one.shape for one in pieces_of(plain)]


def missing(html: str, texts=PAYLOADS) -> list[str]:
    shown = text_of(html)
    return [text for text in texts if text not in shown]


async def test_trades_of_the_feed(world):
    root = await world.visitor("root", *Scope)
    count = len(PAYLOADS)
    rows = [
        feed_trade(
            number, trader=number % 9, age_s=number, trader_name=text, market_title=PAYLOADS[number - 1],
            outcome=PAYLOADS[number - 2], market_slug=PAYLOADS[number - 3], trader_image=PAYLOADS[number - 4],
        )
        for number, text in enumerate(PAYLOADS)
    ]  # fmt: skip
    await world.trades(rows, followed_by=root)
    html = await every_page(world, "/v2/feed", root)
    assert len(re.findall(r"<article", html)) == count
    assert missing(html) == []
    await world.rows.run(
        "UPDATE trades_public SET trader_name = 'x', market_title = 'y', outcome = 'z', market_slug = 's', trader_image = 'i'"
    )
    await the_same_with_plain_names(world, "/v2/feed", root, html)


async def test_browsers_that_logged_in(world):
    root = await world.visitor("root", *Scope)
    rows = [
        {
            "user_id": root.user_id, "secret_digest": "\\x" + hashlib.sha256(str(number).encode()).hexdigest(),
            "kind": "password", "created_at": ago(seconds=number), "last_seen_at": ago(), "expires_at": ago(days=-1),
            "user_agent": text[:200], "address": text[:64],
        }
        for number, text in enumerate(PAYLOADS)
    ]  # fmt: skip
    await world.rows.put("web_sessions", rows)
    async with trio.open_nursery() as nursery:
        await nursery.start(world.services.session_registry.run)
        html = await every_page(world, "/settings/access", root)
        assert missing(html, [text for text in PAYLOADS if len(text) <= 200]) == []
        nursery.cancel_scope.cancel()
    await world.rows.run("UPDATE web_sessions SET user_agent = 'x', address = 'y'")
    async with trio.open_nursery() as nursery:
        await nursery.start(world.services.session_registry.run)
        await the_same_with_plain_names(world, "/settings/access", root, html)
        nursery.cancel_scope.cancel()


async def test_names_of_tokens_are_what_was_typed_or_refused(world):
    root = await world.visitor("root", *Scope)
    taken = 0
    for first in range(0, len(SHORT), TOKENS):
        await world.rows.run("DELETE FROM api_tokens")
        names = [text for text in SHORT[first : first + TOKENS] if await named(world, root, text)]
        taken += len(names)
        html = await every_page(world, "/settings/access", root)
        assert missing(html, names) == []
        await world.rows.run("UPDATE api_tokens SET name = 'x'")
        await the_same_with_plain_names(world, "/settings/access", root, html)
    assert taken > len(SHORT) * 0.8


async def named(world, root, text) -> bool:
    answer = await world.ask("POST", "/api/tokens", root, json={"name": text, "scopes": ["read"]})
    assert answer.status_code == 200 or (answer.status_code, answer.json()["error"]["field"]) == (400, "name"), (
        answer.text
    )
    return bool(answer.status_code == 200)


async def test_names_of_users_are_refused(world):
    root = await world.visitor("root", *Scope)
    made = [
        text
        for text in SHORT
        if (await world.ask("POST", "/api/admin/users", root, json={"userName": text})).is_success
    ]
    html = await every_page(world, "/users", root)
    assert missing(html, made) == []
    assert not any(set(text) & set("<>\"'&") for text in made)


async def test_errors_and_figures_of_jobs(world):
    root = await world.visitor("root", *Scope)
    rows = [
        {
            "job": "coverage-audit", "slot": None, "attempt": 1, "status": "failed", "owner": "x", "holder": text,
            "requested_by": text, "started_at": ago(seconds=number), "ended_at": ago(), "error": text, "figures": {text: text},
        }
        for number, text in enumerate(PAYLOADS)
    ]  # fmt: skip
    await world.rows.put("job_runs", rows)
    html = await every_page(world, "/jobs/coverage-audit", root)
    assert missing(html) == []
    assert missing(await every_page(world, "/jobs", root), [PAYLOADS[-1]]) == []
    await world.rows.run(
        "UPDATE job_runs SET holder = 'x', requested_by = 'y', error = 'z', figures = '{\"f\": \"1\"}'"
    )
    await the_same_with_plain_names(world, "/jobs/coverage-audit", root, html)


async def test_notices_of_everything(world):
    root = await world.visitor("root", *Scope)
    rows = [
        {"user_id": root.user_id, "kind": "order_rejected", "subject_key": str(number), "happened_at": ago(seconds=number),
         "payload": {"market_title": text, "reason": text, "detail": text, "strategy": text, "title": text, "market": text}}
        for number, text in enumerate(PAYLOADS)
        if one_line(text)  # nothing is left of marks that nobody sees, and then nothing is said
    ]  # fmt: skip
    await world.rows.put("notifications", rows)
    html = await every_page(world, "/settings/notices", root)
    assert missing(html, [one_line(text) for text in PAYLOADS]) == []
    await world.rows.run("""UPDATE notifications SET payload = '{"market_title": "a", "reason": "b", "detail": "c",
        "strategy": "d", "title": "e", "market": "f"}'""")
    await the_same_with_plain_names(world, "/settings/notices", root, html)


async def test_errors_of_the_audit(world):
    root = await world.visitor("root", *Scope)
    rows = [
        {"wallet": wallet(number), "lane": 1, "audited_until": ago(), "tried_at": ago(), "failures": 1, "last_error": text}
        for number, text in enumerate(PAYLOADS)
    ]  # fmt: skip
    await world.rows.put("coverage_wallets", rows)
    window = {"lane": 1, "since_at": ago(hours=2), "until_at": ago(hours=1), "expected": 1, "by_stream": 1, "by_gap": 0,
              "by_poller": 0, "by_unknown": 0, "missed": 0, "unconfirmed": 0, "malformed": 0, "skipped_s": 0}  # fmt: skip
    await world.rows.put("coverage_windows", [{"wallet": row["wallet"], **window} for row in rows])
    html = await every_page(world, "/coverage", root)
    assert missing(html) == []
    assert condition(1) not in html
    await world.rows.run("UPDATE coverage_wallets SET last_error = 'x'")
    await the_same_with_plain_names(world, "/coverage", root, html)


def recorded_texts(folder) -> list[str]:
    """Names, titles and outcomes of the recordings that are not plain letters, each once."""
    found = {}
    for path in sorted(
        [*folder.glob("data/**/*.jsonl.gz"), *folder.glob("data/**/*.json"), *folder.glob("payloads/**/*.json")]
    ):
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        for match in re.finditer(r'"(?:name|pseudonym|title|outcome|question)": ?("(?:[^"\\]|\\.)*")', text):
            try:
                value = json.loads(match[1])
            except ValueError:
                continue
            if value and (not value.isascii() or set(value) & set("<>&\"'{}")):
                found[value] = None
    return list(found)


async def test_names_of_the_recordings(world, recorded):
    root = await world.visitor("root", *Scope)
    texts = recorded_texts(recorded)[:600]
    assert len(texts) > 20
    rows = [
        feed_trade(number, age_s=number / 10, trader_name=text, market_title=text, outcome=text)
        for number, text in enumerate(texts)
    ]
    await world.trades(rows, followed_by=root)
    html = await every_page(world, "/v2/feed", root)
    assert missing(html, texts) == []
