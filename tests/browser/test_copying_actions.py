"""What copying a trader would have made, asked at one's own size in a real browser."""

import re

from playwright.sync_api import expect

COMPUTED_MS = 90_000
"""A computation starts a process of its own; a busy machine takes its time."""


def test_a_size_is_typed_and_the_answer_says_what_it_rests_on(hands):
    page = hands.go("/following")
    profile = page.locator("main a[href^='/v2/trader/']").first.get_attribute("href")
    page = hands.go(profile)
    page.get_by_role("link", name="Copying him", exact=True).press("Enter")
    page.wait_for_url(re.compile(r"tab=copying"))
    page.set_default_navigation_timeout(COMPUTED_MS)
    page.locator("#copy-size").fill("7.50")
    page.locator("#copy-days").fill("3")
    page.get_by_role("button", name="Compute at my size").press("Enter")
    page.wait_for_url(re.compile(r"size=7\.50&days=3"), timeout=COMPUTED_MS)
    expect(page.locator("[data-copyability]")).to_contain_text("7.50 USD a trade", timeout=COMPUTED_MS)
    expect(page.locator("main")).to_contain_text("What this rests on")
    expect(page.locator("#copy-size")).to_have_value("7.50")
    hands.fits()
    # The browser itself keeps from asking what the engine would refuse.
    page.locator("#copy-size").fill("a lot")
    page.get_by_role("button", name="Compute at my size").press("Enter")
    assert page.locator("#copy-size").evaluate("one => one.validity.patternMismatch")
    assert "size=7.50" in page.url


def test_the_most_copyable_are_sorted_by_a_choice(hands):
    page = hands.go("/discover/most-copyable")
    page.locator("#option").select_option("capacity")
    page.wait_for_url(re.compile(r"sort=capacity"))
    expect(page.locator("#option")).to_have_value("capacity")
    hands.fits()
