"""A real browser before pages full of texts that mean harm: nothing runs, nothing is loaded, all of it is read as text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser.looking import PATIENCE_MS
from browser.payloads import PAYLOADS
from playwright.sync_api import expect

TESTS = Path(__file__).parents[1]
PAGES = ("/v2/feed", "/jobs/coverage-audit", "/jobs", "/settings", "/settings/notices", "/settings/access", "/users")
PROBE = """() => ({
  ran: window.__ran ?? null,
  handlers: [...document.querySelectorAll("*")]
    .flatMap((one) => one.getAttributeNames())
    .filter((name) => /^on|^style$/.test(name)),
  scripts: [...document.scripts].filter((one) => !one.src.startsWith(`${location.origin}/static/`)).length,
  strange: [...document.querySelectorAll(
    "iframe, object, embed, base, style, plaintext, xmp, marquee, video, audio, math, template, img, x-element"
  )].map((one) => one.outerHTML.slice(0, 99)),
  links: [...document.querySelectorAll("a[href], form[action]")].map((one) => one.href ?? one.action).filter(
    (one) => typeof one === "string" && !one.startsWith(location.origin + "/") && !one.startsWith("https://polymarket.com/event/")
  ),
})"""


@pytest.fixture
def site(postgres, migrated_template):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS))),
        "PYTHONUNBUFFERED": "1",
    }
    with postgres.database(template=migrated_template) as dsn:
        argv = [sys.executable, "-m", "browser.hostile_site", dsn]
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=TESTS, env=environment, text=True, encoding="utf-8"
        )
        try:
            assert process.stdout is not None
            address, _, secret = process.stdout.readline().strip().partition(" ")
            assert secret, "it did not start"
            yield address, secret, process
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def as_read(text: str) -> str:
    """What a browser makes of line ends in HTML."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def names_of(page):
    return page.eval_on_selector_all("[data-trade] a.name bdi", "all => all.map((one) => one.textContent)")


def test_nothing_runs_and_all_is_text(chromium, site):
    address, secret, process = site
    context = chromium.new_context(base_url=address)
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "polycopy_session", "value": secret, "url": address}])
    page, seen, wrong = context.new_page(), [], []
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    # No venue answers here; that prices are not there is said by the page.
    page.on("pageerror", lambda error: wrong.append(str(error)))
    context.on("page", lambda other: wrong.append(other.url))

    def is_untouched():
        found = page.evaluate(PROBE)
        assert found == {"ran": None, "handlers": [], "scripts": 0, "strange": [], "links": []}, page.url
        assert page.locator("h1").count() == 1
        assert [url for url in seen if not url.startswith(address + "/")] == []
        assert [one for one in wrong if "503 (Service Unavailable)" not in one] == []

    for path in PAGES:
        answer = page.goto(path)
        assert answer.status == 200
        for opener in page.locator("[data-drawer]:visible").all()[:3]:
            opener.click()
            expect(page.locator("dialog.drawer[open] [aria-busy]")).to_have_count(0)
            is_untouched()
            page.keyboard.press("Escape")
        is_untouched()

    page.goto("/v2/feed")
    expect(page.locator("[data-feed-state]")).to_contain_text("Live", timeout=PATIENCE_MS)
    first = names_of(page)
    assert first == [as_read(text) for text in reversed(PAYLOADS)][: len(first)]
    assert len(first) >= 50
    process.stdin.write("more\n")
    process.stdin.flush()
    newest = page.locator(f"[data-trade='trade-{2 * len(PAYLOADS) - 1}']")
    expect(newest).to_have_count(1, timeout=PATIENCE_MS)
    is_untouched()
    shown = names_of(page)
    assert set(shown) <= {as_read(text) for text in PAYLOADS}
    assert len(shown) > len(first)
    context.close()
