"""The way in and out, and the frame around every page: theme, skip link, navigation, dialogs."""

import re

from browser.demo_site import PASSWORD
from browser.looking import PATIENCE_MS
from playwright.sync_api import expect


def test_a_wrong_password_is_said_and_the_right_one_leads_where_one_wanted(stranger):
    page = stranger.page
    page.goto("/jobs?x=1")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    expect(page.locator("#user_name")).to_be_focused()
    stranger.log_in("admin", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("do not fit together")
    expect(page.locator("#password")).to_be_focused()
    assert page.input_value("#user_name") == "admin"
    assert page.input_value("#password") == ""
    stranger.log_in("admin", PASSWORD)
    page.wait_for_url("**/jobs?x=1")
    stranger.forgives("401 (Unauthorized)")
    # Who is in is not asked again; who leaves is out, also with the back button.
    page.goto("/login")
    page.wait_for_url("**/v2/feed")
    page.get_by_role("button", name="Log out").press("Enter")
    page.wait_for_url("**/login")
    page.go_back()
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/settings")
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fsettings"))
    stranger.forgives("401 (Unauthorized)")


def test_a_login_leads_to_no_other_site(stranger):
    page = stranger.page
    page.goto("/login?next=//evil.example/x")
    stranger.log_in("admin", PASSWORD)
    page.wait_for_url("**/v2/feed")


def test_what_acts_after_the_session_has_ended_leads_to_the_login_and_back(stranger):
    page = stranger.page
    page.goto("/login?next=/settings")
    stranger.log_in("admin", PASSWORD)
    page.wait_for_url("**/settings")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").press("Enter")
    page.wait_for_url("**/login?next=%2Fsettings")
    stranger.forgives("401 (Unauthorized)", "403 (Forbidden)")


def test_the_theme_that_was_chosen_is_kept(hands):
    page = hands.go("/settings")
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    switch = page.locator("[data-theme-switch]")
    switch.focus()
    page.keyboard.press("Enter")
    other = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert other != back
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == other
    hands.go("/jobs")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == other
    hands.has_no_barriers()
    page.locator("[data-theme-switch]").press("Enter")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == back
    page.context.clear_cookies(name="polycopy_theme")


def test_the_first_key_skips_to_the_content(hands):
    page = hands.go("/engine/config")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_every_control_is_reached_by_keyboard_and_seen(hands):
    page = hands.go("/settings")
    wanted = page.locator("main :is(button, input, select, a[href]):visible").count()
    page.locator("main").focus()
    seen = set()
    for _ in range(wanted + 30):
        page.keyboard.press("Tab")
        name = page.evaluate(
            """() => {
              const one = document.activeElement;
              if (!document.querySelector("main").contains(one)) return null;
              const style = getComputedStyle(one);
              const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              return [[...document.querySelectorAll("main *")].indexOf(one), one.outerHTML.slice(0, 90), isSeen];
            }"""
        )
        if name is None:
            break
        assert name[2], name
        seen.add(name[0])
    assert len(seen) >= wanted


def test_the_page_that_is_shown_is_in_sight_in_the_navigation(hands):
    page = hands.go("/settings")
    current = page.locator(".nav a[aria-current='page']")
    expect(current).to_have_text("Settings")
    expect(current).to_be_in_viewport(ratio=0.9)


def test_drawers_close_by_escape_and_give_the_focus_back(hands):
    page = hands.go("/v2/feed")
    # The first one is another as soon as a trade arrives.
    address = page.locator("[data-drawer]:visible").first.get_attribute("data-drawer")
    opener = page.locator(f"[data-drawer='{address}']:visible").first
    opener.focus()
    page.keyboard.press("Enter")
    drawer = page.locator("dialog.drawer[open]")
    expect(drawer).to_be_visible()
    expect(drawer.locator("[aria-busy]")).to_have_count(0, timeout=PATIENCE_MS)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_an_address_that_does_not_exist_says_so(once):
    answer = once.page.goto("/no/such/page")
    assert answer.status == 404
    expect(once.page.get_by_role("alert")).to_contain_text("no page at this address")
    once.has_no_barriers()
    once.forgives("404 (Not Found)")
