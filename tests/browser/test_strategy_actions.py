"""Bots and live strategies, as their owner handles them; the log beside them."""

import re
import time

from browser.looking import PATIENCE_MS
from playwright.sync_api import expect


def test_a_bot_is_made_its_settings_change_and_it_is_put_away(hands):
    name = f"ACT_{hands.width}_{time.time_ns() // 1_000_000}"  # no name is ever free again
    page = hands.go("/v2/new-bot")
    page.fill("#walletId", name)
    page.fill("#balance", "500")
    page.press("#balance", "Enter")
    page.wait_for_url(re.compile(rf"/v2/bots/{name}"))
    hands.go(f"/v2/bots/{name}?tab=settings")
    stake = page.locator("[name='settings.bet_size']")
    stake.fill("2.5")
    hands.acts(page.get_by_role("button", name=re.compile("Save as version")))
    hands.is_told("Settings saved")
    assert float(stake.input_value()) == 2.5
    hands.go(f"/v2/bots/{name}?tab=versions")
    expect(page.locator("main")).to_contain_text("bet_size")
    hands.go(f"/v2/bots/{name}?tab=settings")
    hands.acts(page.get_by_role("button", name=re.compile("Put this bot away")), yes="Put it away")
    page.wait_for_url(re.compile("/v2/bots$"))


def test_a_setting_out_of_range_is_said_beside_it(hands):
    page = hands.go("/v2/bots")
    page.locator("main a[href^='/v2/bots/']").first.click()
    page.wait_for_url(re.compile(r"/v2/bots/[^/]+$"))
    hands.go(page.url.removeprefix(hands.address) + "?tab=settings")
    field = page.locator("[name='settings.min_price'], [name='settings.price_min']").first
    field.evaluate("one => { one.removeAttribute('max'); one.removeAttribute('min'); }")
    field.fill("7")
    hands.acts(page.get_by_role("button", name=re.compile("Save as version")))
    expect(field).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
    hands.forgives("400 (Bad Request)", "422")


def test_strategies_are_compared(hands):
    page = hands.go("/ft")
    boxes = page.locator("main input[type=checkbox][name='id']")
    boxes.nth(0).press("Space")
    boxes.nth(1).press("Space")
    page.get_by_role("button", name=re.compile("Compare")).first.press("Enter")
    page.wait_for_url(re.compile(r"/ft/compare\?.*id="))
    expect(page.locator("main svg").first).to_be_visible()


def test_a_live_strategy_pauses_and_goes_on(hands):
    page = hands.go("/lt")
    card = page.locator("[data-live]").first
    strategy = card.get_attribute("data-live")
    here = page.locator(f"[data-live='{strategy}']")
    if here.get_by_role("button", name=re.compile("^Resume")).count():
        hands.acts(here.get_by_role("button", name=re.compile("^Resume")), yes="Resume")
        hands.is_told("It enters again")
    hands.acts(here.get_by_role("button", name="Pause"))
    hands.is_told("Paused")
    hands.acts(here.get_by_role("button", name=re.compile("^Resume")), yes="Resume")
    hands.is_told("It enters again")
    expect(here.get_by_role("button", name="Pause")).to_be_visible()


def test_a_halt_needs_a_reason_is_seen_everywhere_and_ends(hands):
    page = hands.go("/lt")
    button = page.get_by_role("button", name=re.compile("Halt all entries"))
    hands.acts(button)
    expect(page.locator("dialog")).to_have_count(0)
    assert page.locator("#reason:invalid").count() == 1
    page.fill("#reason", "a test <b> of the halt")
    hands.acts(button, yes="Halt")
    halt = page.locator("[data-halt]")
    expect(halt).to_contain_text("a test <b> of the halt", timeout=PATIENCE_MS)
    hands.has_no_barriers()
    hands.acts(halt.get_by_role("button"), yes="End the halt")
    expect(halt).to_have_count(0, timeout=PATIENCE_MS)


def test_the_log_is_filtered_paused_and_leads_to_a_story(hands):
    page = hands.go("/lt/logs")
    pause = page.locator("[data-log-pause]")
    pause.press("Enter")
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.select_option("#level", "info")
    page.wait_for_url(re.compile("level=info"))
    page.get_by_role("navigation", name="Stage").get_by_role("link").nth(1).press("Enter")
    page.wait_for_url(re.compile("prefix="))
    page.go_back()
    page.wait_for_url(re.compile(r"level=info$"))
    story = page.locator("main a[href^='/lt/logs/']").first
    story.press("Enter")
    page.wait_for_url(re.compile("/lt/logs/.+"))
    expect(page.locator("h1")).to_be_visible()
