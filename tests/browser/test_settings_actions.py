"""What a user sets for himself, as he does it: preferences, password, tokens, sessions; and users, for administrators."""

import re

from browser.demo_site import PASSWORD
from browser.looking import PATIENCE_MS
from playwright.sync_api import expect


def test_preferences_are_kept(hands):
    page = hands.go("/settings")
    box = page.get_by_label("A summary of each day")
    was = box.is_checked()
    box.focus()
    page.keyboard.press("Space")
    page.fill("#quietFrom", "22:30")
    page.fill("#quietTo", "06:15")
    page.select_option("#timezone", "Europe/Berlin")
    page.fill("#defaultBuySlippage", "2.5")
    page.press("#defaultBuySlippage", "Enter")
    hands.is_told("Saved.")
    page.reload()
    assert box.is_checked() is not was
    assert page.input_value("#quietFrom") == "22:30"
    assert page.input_value("#timezone") == "Europe/Berlin"
    assert float(page.input_value("#defaultBuySlippage")) == 2.5
    # Emptied, they are off.
    page.fill("#quietFrom", "")
    page.fill("#quietTo", "")
    page.fill("#defaultBuySlippage", "")
    box.click()
    hands.acts(page.get_by_role("button", name="Save"))
    hands.is_told("Saved.")
    page.reload()
    assert page.input_value("#quietFrom") == ""
    assert page.input_value("#defaultBuySlippage") == ""
    assert box.is_checked() is was


def test_what_is_refused_stands_beside_the_field_and_nothing_is_lost(hands):
    page = hands.go("/settings")
    page.fill("#defaultSellSlippage", "250")
    page.press("#defaultSellSlippage", "Enter")
    field = page.locator("#defaultSellSlippage")
    expect(field).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
    expect(field).to_be_focused()
    said = page.locator(f"#{field.get_attribute('aria-describedby')}")
    expect(said).to_contain_text("100")
    assert page.input_value("#defaultSellSlippage") == "250"
    hands.forgives("400 (Bad Request)")


def test_a_test_of_the_channels_says_what_became_of_it(once):
    page = once.go("/settings")
    once.acts(page.get_by_role("button", name="Send a test"))
    expect(page.locator("[data-test-result]")).not_to_be_empty(timeout=PATIENCE_MS)


def test_the_password_is_changed_with_the_old_one_only(once):
    page = once.go("/settings/access")
    other = "another password of the tests"

    def change(old, new):
        page.fill("#oldPassword", old)
        page.fill("#newPassword", new)
        page.press("#newPassword", "Enter")

    change("not my password", other)
    expect(page.locator("#oldPassword")).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
    once.forgives("403", "400", "401", "409", "422")
    change(PASSWORD, other)
    once.is_told("The password is changed")
    page.wait_for_load_state()
    change(other, PASSWORD)
    once.is_told("The password is changed")


def test_a_token_is_shown_once_and_revoked(hands):
    page = hands.go("/settings/access")
    page.fill("#tokenName", "for a test <b>")
    page.press("#tokenName", "Enter")
    shown = page.locator("[data-made-token]")
    expect(shown).to_have_text(re.compile(r"pcy_\w+"), timeout=PATIENCE_MS)
    token = shown.inner_text()
    asked = page.request.get("/api/me", headers={"Authorization": f"Bearer {token}", "Cookie": ""})
    assert asked.status == 200
    page.get_by_role("button", name="I have it").press("Enter")
    row = page.locator("tr", has_text="for a test <b>")
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    assert token not in page.content()
    hands.acts(row.get_by_role("button"), yes="Revoke")
    expect(row).to_have_count(0, timeout=PATIENCE_MS)
    asked = page.request.get("/api/me", headers={"Authorization": f"Bearer {token}", "Cookie": ""})
    assert asked.status == 401


def test_a_session_elsewhere_is_ended(once, stranger):
    stranger.page.goto("/login")
    stranger.log_in("admin", PASSWORD)
    stranger.page.wait_for_url("**/v2/feed")
    page = once.go("/settings/access")
    rows = page.locator("tr[data-session]")
    others = rows.filter(has_not=page.get_by_text("this one"))
    before = others.count()
    assert before >= 1
    once.acts(others.first.get_by_role("button"))
    expect(others).to_have_count(before - 1, timeout=PATIENCE_MS)
    stranger.page.goto("/settings")
    expect(stranger.page).to_have_url(re.compile(r"/login\?next=%2Fsettings$"))
    stranger.forgives("401")


def test_a_user_is_made_and_shut_out(hands):
    name = f"ann-{hands.width}"
    page = hands.go("/users")
    page.fill("#userName", name)
    page.press("#userName", "Enter")
    row = page.locator(f"[data-user='{name}']")
    expect(row).to_contain_text("active", timeout=PATIENCE_MS)
    hands.acts(row.get_by_role("button"), yes="Shut out")
    expect(row).to_contain_text("shut out", timeout=PATIENCE_MS)
    # The same name again is refused beside its field.
    page.fill("#userName", name)
    page.press("#userName", "Enter")
    expect(page.locator("#userName")).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
    hands.forgives("409 (Conflict)", "400 (Bad Request)")
