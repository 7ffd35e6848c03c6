"""What an operator does: jobs run, settings change with history and undo, capacities follow while the engine runs."""

import re
from pathlib import Path

import pytest
from browser.demo_site import ADMIN_TOKEN
from browser.looking import PATIENCE_MS
from playwright.sync_api import expect

ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Cookie": ""}
INTENTS, WRITER = "channels.intents.capacity", "channels.writer.capacity"


def field(page, path):
    return page.locator(f"[id='{path}']")


def save(eyes):
    page = eyes.page
    page.get_by_role("button", name="Save the changes").press("Enter")
    page.locator("dialog[open]").get_by_role("button", name="Write", exact=True).press("Enter")


def undo(eyes):
    eyes.acts(eyes.page.get_by_role("button", name="Undo the newest change"), yes="Put it back")
    eyes.is_told("undone")


@pytest.fixture
def file(once):
    """The configuration's file, put back afterwards."""
    told = once.page.request.get("/api/admin/config", headers=ADMIN).json()["file"]
    path = Path(told["path"])
    before = path.read_text()
    yield path
    path.write_text(before)


def test_a_job_runs_when_asked_and_its_run_is_listed(hands):
    page = hands.go("/jobs/trader-stats")
    runs = page.locator("[data-run]")
    newest = int(runs.first.get_attribute("data-run")) if runs.count() else 0
    button = page.get_by_role("button", name="Run trader-stats now")
    expect(button).to_be_enabled()
    hands.acts(button)
    hands.is_told("was asked to run")

    def by_hand():
        page.reload()
        mine = page.locator("[data-run]", has_text="by hand").first
        return mine.count() and int(mine.get_attribute("data-run")) > newest and "succeeded" in mine.inner_text()

    assert hands.comes(by_hand)
    assert "admin" in page.locator("[data-run]", has_text="by hand").first.inner_text()


def test_filters_of_settings_are_in_the_address_and_back_works(hands):
    page = hands.go("/engine/config")
    everything = page.locator("[data-setting]").count()
    page.fill("#q", "intents")
    page.press("#q", "Enter")
    page.wait_for_url("**/engine/config?q=intents")
    assert 0 < page.locator("[data-setting]").count() < everything
    page.select_option("#only", "changed")
    page.wait_for_url(re.compile("only=changed"))
    page.go_back()
    page.wait_for_url("**/engine/config?q=intents")
    page.go_back()
    page.wait_for_url("**/engine/config")
    assert page.locator("[data-setting]").count() == everything


def test_a_refused_value_is_said_beside_its_field_and_the_others_stay(hands):
    page = hands.go("/engine/config?q=capacity")
    field(page, INTENTS).fill("0")
    field(page, WRITER).fill("2048")
    expect(page.locator("[data-save-count]")).to_have_text("2 changes")
    save(hands)
    expect(field(page, INTENTS)).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
    expect(field(page, INTENTS)).to_be_focused()
    assert page.locator(".setting .wrong").count() == 1
    assert field(page, WRITER).input_value() == "2048"
    page.get_by_role("button", name="Discard").press("Enter")
    expect(page.locator("[data-save-bar]")).to_be_hidden()
    assert field(page, INTENTS).input_value() == "1000"
    assert field(page, INTENTS).get_attribute("aria-invalid") is None
    hands.forgives("400 (Bad Request)", "422")


def test_a_question_answered_with_escape_changes_nothing(hands):
    page = hands.go("/engine/config?q=capacity")
    history = page.locator("section[aria-labelledby='history']").inner_text()
    field(page, WRITER).fill("2048")
    page.get_by_role("button", name="Save the changes").press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Save the changes")).to_be_focused()
    page.get_by_role("button", name="Discard").press("Enter")
    hands.go("/engine/config?q=capacity")
    assert page.locator("section[aria-labelledby='history']").inner_text() == history


def test_a_capacity_changes_on_the_page_of_the_engine_without_loading_it_anew(once, windows, file):
    watching = once.page.context.new_page()
    watching.goto("/engine")
    cell = watching.locator("[data-channel-row='intents'] [data-cell='capacity']")
    expect(cell).to_have_text("1,000")
    watching.evaluate("window.__same = true")
    page = once.go("/engine/config?q=capacity")
    field(page, INTENTS).fill("1500")
    save(once)
    once.is_told("Written")
    assert field(page, INTENTS).input_value() == "1500"
    assert "1500" in file.read_text().replace("_", "").replace(",", "")
    expect(cell).to_have_text("1,500", timeout=PATIENCE_MS)
    row = page.locator("section[aria-labelledby='history'] tbody tr").first
    expect(row).to_contain_text(f"{INTENTS}: the default → 1500")
    expect(row).to_contain_text("admin")
    undo(once)
    assert field(page, INTENTS).input_value() == "1000"
    expect(cell).to_have_text("1,000", timeout=PATIENCE_MS)
    assert watching.evaluate("window.__same") is True
    watching.close()


def test_back_to_the_default(once, file):
    page = once.go("/engine/config?q=capacity")
    field(page, INTENTS).fill("1200")
    save(once)
    once.is_told("Written")
    page.locator(f"[data-default='{INTENTS}']").press("Enter")
    expect(page.locator("[data-save-count]")).to_have_text("1 change")
    save(once)
    once.is_told("Written")
    expect(page.locator(f"[data-default='{INTENTS}']")).to_have_count(0, timeout=PATIENCE_MS)
    assert field(page, INTENTS).input_value() == "1000"
    assert INTENTS.rpartition(".")[0] not in file.read_text() or "1200" not in file.read_text()


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(once, file):
    page = once.go("/engine/config?q=capacity")
    theirs = file.read_text() + "\n# written by somebody else\n"
    file.write_text(theirs)
    field(page, INTENTS).fill("1300")
    save(once)
    expect(page.locator(".toast.bad")).to_contain_text("changed", timeout=PATIENCE_MS)
    assert file.read_text() == theirs
    assert field(page, INTENTS).input_value() == "1300"
    once.forgives("409 (Conflict)")
    page.get_by_role("button", name="Discard").press("Enter")


def test_the_engine_is_seen_at_work_and_nothing_moves(hands):
    page = hands.go("/engine")
    expect(page.locator("[data-stream-state]")).to_have_text("Live.", timeout=PATIENCE_MS)
    boxes = hands.boxes()
    lag = page.locator("[data-channel-row='raw_trades'] [data-cell='sent']")
    before = lag.inner_text()
    expect(lag).not_to_have_text(before, timeout=PATIENCE_MS)
    assert hands.boxes() == boxes
