"""The feed and what leads from it: trades that come by themselves, filters, pins, follows, and a quick copy to its end."""

import re

from browser.looking import PATIENCE_MS
from playwright.sync_api import expect

CARD = "[data-feed] [data-trade]"
FACTS = """(card) => [...card.querySelectorAll(".trade-facts, .trade-facts > div")].flatMap(
  (one) => [one.offsetWidth, one.offsetHeight]
)"""
"""How large the figures of a card are; the card itself may move when others come before it."""


def live(eyes, path="/v2/feed"):
    page = eyes.go(path)
    expect(page.locator("[data-feed-state]")).to_contain_text("Live", timeout=PATIENCE_MS)
    return page


def test_trades_come_by_themselves_and_what_is_read_stays_where_it_is(hands):
    page = live(hands)
    count = len(page.locator(CARD).all())
    page.mouse.wheel(0, 700)
    assert hands.comes(lambda: page.evaluate("scrollY") > 300)
    newest = page.locator(CARD).first.get_attribute("data-trade")
    inside = page.evaluate(
        "() => [...document.querySelectorAll('[data-trade]')].find((one) => one.getBoundingClientRect().top > 60).dataset.trade"
    )
    read = page.locator(f"{CARD}[data-trade='{inside}']")
    before = read.bounding_box()
    fresh = page.locator("[data-new-trades]")
    assert hands.comes(lambda: fresh.is_visible() or page.locator(CARD).first.get_attribute("data-trade") != newest)
    after = read.bounding_box()
    assert abs(after["y"] - before["y"]) <= 1, (before, after)
    if fresh.is_visible():
        fresh.press("Enter")
        expect(fresh).to_be_hidden()
    assert hands.comes(lambda: page.locator(CARD).first.get_attribute("data-trade") != newest)
    assert count > 0


def card_at(page, place):
    """The card that stands there now, by its trade: as soon as a trade arrives another one does."""
    trade = page.locator(CARD).nth(place).get_attribute("data-trade")
    return page.locator(f"{CARD}[data-trade='{trade}']")


def test_prices_tick_without_moving_anything_else(hands):
    page = live(hands)
    prices = "() => [...document.querySelectorAll('[data-now-price]')].slice(0, 12).map((one) => one.textContent)"
    assert hands.comes(lambda: any("¢" in one for one in page.evaluate(prices)))
    card = card_at(page, 1)
    sizes = card.evaluate(FACTS)
    before = page.evaluate(prices)
    assert hands.comes(lambda: page.evaluate(prices) != before)
    assert card.evaluate(FACTS) == sizes


def test_filters_are_in_the_address_and_back_works(hands):
    page = live(hands)
    page.locator(".feed-filters summary").press("Enter")
    side = page.locator("#side")
    expect(side).to_be_visible(timeout=PATIENCE_MS)
    side.select_option("SELL")
    page.wait_for_url(re.compile(r"side=SELL"))
    for badge in page.locator(f"{CARD} .trade-side").all()[:10]:
        assert "Sell" in badge.inner_text()
    page.go_back()
    page.wait_for_url(re.compile(r"/v2/feed$"))


def test_why_says_what_every_strategy_made_of_it(hands):
    page = live(hands)
    hands.acts(page.locator(CARD).first.get_by_role("button", name="Why?"))
    drawer = page.locator("dialog.drawer[open]")
    expect(drawer.locator("[aria-busy]")).to_have_count(0, timeout=PATIENCE_MS)
    expect(drawer.get_by_role("heading").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_card_is_pinned_and_stays_on_top(hands):
    page = live(hands)
    card = card_at(page, 0)
    trade = card.get_attribute("data-trade")
    hands.acts(card.locator("[data-pin]"))
    pinned = page.locator(f"[data-pinned-cards] [data-trade='{trade}']")
    expect(pinned).to_be_visible(timeout=PATIENCE_MS)
    page.reload()
    expect(pinned).to_be_visible(timeout=PATIENCE_MS)
    hands.acts(pinned.locator("[data-pin]"))
    expect(page.locator("[data-pinned]")).to_be_hidden(timeout=PATIENCE_MS)


def test_following_ends_and_begins_again(hands):
    page = hands.go("/following")
    row = page.locator("tr[data-row]").first
    wallet = row.get_attribute("data-row")
    button = row.get_by_role("button")
    expect(button).to_have_attribute("aria-pressed", "true")
    hands.acts(button)
    expect(button).to_have_attribute("aria-pressed", "false", timeout=PATIENCE_MS)
    hands.go(f"/v2/trader/{wallet}")
    follow = page.locator(".follow button").first
    expect(follow).to_have_attribute("aria-pressed", "false")
    hands.acts(follow)
    expect(follow).to_have_attribute("aria-pressed", "true", timeout=PATIENCE_MS)
    hands.go("/following")
    expect(page.locator(f"tr[data-row='{wallet}']")).to_have_count(1)


def test_what_is_no_wallet_is_said_before_it_is_sent(hands):
    page = hands.go("/following")
    page.fill("#wallets", "0x123 nonsense")
    expect(page.locator("[data-wallet-count]")).to_contain_text("is not a wallet")
    page.fill("#wallets", "0x" + "ab" * 20)
    expect(page.locator("[data-wallet-count]")).to_contain_text("1 wallet")
    hands.acts(page.get_by_role("button", name="Follow all"))
    row = page.locator(f"tr[data-row='{'0x' + 'ab' * 20}']")
    expect(row).to_have_count(1, timeout=PATIENCE_MS)
    hands.acts(row.get_by_role("button"))
    expect(row.get_by_role("button")).to_have_attribute("aria-pressed", "false", timeout=PATIENCE_MS)


def test_a_quick_copy_is_checked_then_placed_once(hands):
    page = live(hands, "/v2/feed?side=BUY") if hands.width < 1_000 else live(hands)
    part = page.locator("dialog[open] [data-quick-copy]")
    for number in range(8):
        hands.acts(page.locator(CARD).nth(number).get_by_role("button", name="Copy", exact=True))
        expect(part).to_be_visible(timeout=PATIENCE_MS)
        if part.locator("[data-copy-form]").count():
            part.locator("[name='amount']").fill("5")
            hands.acts(part.get_by_role("button", name="Check without sending"))
            expect(part.locator("[data-fate]")).not_to_have_text(re.compile(r"^(Checking.*)?$"), timeout=PATIENCE_MS)
            if part.locator("[data-place]").is_visible():
                break
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
    facts = part.locator("[data-checked-facts]")
    expect(facts).to_contain_text("Fee, at most")
    expect(facts).to_contain_text("Costs at most")
    place = part.locator("[data-place]")
    expect(place).to_be_focused()
    place.press("Enter")
    expect(part.locator("[data-fate]")).to_contain_text(
        re.compile("Bought|on its way|venue has it|part (is|was) bought|cancelled|refused"), timeout=PATIENCE_MS
    )
    expect(place).to_be_hidden()
    page.keyboard.press("Escape")
    hands.forgives("409", "400", "422", "503")


def test_a_copy_made_elsewhere_is_recorded(hands):
    page = live(hands)
    card = card_at(page, 0)
    condition = card.get_attribute("data-condition")
    outcome = card.locator(".trade-side bdi").first.inner_text()
    hands.go("/portfolio/record")
    page.fill("#conditionId", condition)
    page.fill("#outcome", outcome)
    page.fill("#price", "0.42")
    page.fill("#shares", "10")
    expect(page.locator("[data-sum]")).to_contain_text("4.20")
    hands.acts(page.get_by_role("button", name="Record it"))
    page.wait_for_url(re.compile(r"/portfolio\?tab=trades"))
    hands.is_told("recorded")
