"""A change of a bot, replayed on stored trades before it is saved."""

import re

from browser.looking import PATIENCE_MS
from playwright.sync_api import expect

BOT = "/v2/bots/DEMO_MIRROR?tab=settings"
PROCESS_MS = 120_000
"""For a process that starts and reads what is stored, beside everything else."""


def replay(hands):
    hands.acts(hands.page.get_by_role("button", name="Replay this change"))


def test_a_change_is_replayed_trade_by_trade_and_not_saved(hands):
    page = hands.go(BOT)
    version = page.locator("[data-settings] [name='version']").input_value()
    field = page.locator("[name='settings.price_max']")
    was = field.input_value()
    field.fill("0.55")
    page.select_option("[data-plan-days]", "3")
    replay(hands)
    shown = page.locator("[data-plan-place]")
    expect(shown.get_by_role("heading", name="What this change would have done")).to_be_visible(timeout=PROCESS_MS)
    expect(shown).to_contain_text(f"price_max: {was} → 0.55")
    expect(shown.get_by_role("heading", name="What this cannot know")).to_be_visible()
    expect(shown.locator("[data-plan-trades] tbody tr, .notice").first).to_be_visible()
    expect(page.get_by_role("button", name="Replay this change")).to_be_enabled()
    hands.has_no_barriers()
    assert field.input_value() == "0.55"
    hands.go(BOT)
    assert page.locator("[name='settings.price_max']").input_value() == was
    assert page.locator("[data-settings] [name='version']").input_value() == version


def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_begun(hands):
    page = hands.go(BOT)
    field = page.locator("[name='settings.price_max']")
    field.evaluate("one => { one.removeAttribute('max'); one.removeAttribute('min'); }")
    field.fill("7")
    replay(hands)
    expect(field).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
    expect(page.locator("[data-plan-place]")).to_be_hidden()
    hands.forgives("400 (Bad Request)")


def test_without_a_change_there_is_nothing_to_replay(hands):
    hands.go(BOT)
    replay(hands)
    hands.is_told("nothing is different")
    hands.forgives("400 (Bad Request)")


def test_a_replay_is_ended(hands):
    page = hands.go(BOT)
    page.locator("[name='settings.price_max']").fill("0.5")
    # It takes as long as it takes: here it is held up on its way to the page.
    page.route(re.compile("/api/ft/plans/"), lambda route: route.fulfill(json=RUNNING), times=1_000)
    replay(hands)
    end = page.get_by_role("button", name="End it")
    expect(end).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-plan-place]")).to_contain_text("5 of 10 stored trades", timeout=PATIENCE_MS)
    page.unroute(re.compile("/api/ft/plans/"))
    hands.acts(end)
    expect(page.locator("[data-plan-place]")).to_be_hidden(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Replay this change")).to_be_enabled()
    hands.forgives("404 (Not Found)")


RUNNING = {
    "planId": "0" * 16, "walletId": "DEMO_MIRROR", "days": 7, "state": "running", "played": 5, "total": 10, "error": None,
    "plan": None,
}  # fmt: skip
