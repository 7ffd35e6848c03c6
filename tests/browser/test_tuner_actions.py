"""Proposals of the tuner, as a person decides them."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser.looking import PATIENCE_MS
from playwright.sync_api import expect


@pytest.fixture
def proposed(demo, hands):
    """Two bots with a proposal each."""
    data_dir = next((found[1] for line in demo.log if (found := re.search(r'"data_dir": "([^"]+)"', line))), None)
    if data_dir is None:
        pytest.skip("the demo was started elsewhere, and does not say where its database is")
    stamp = time.time_ns() // 1_000_000
    names = [f"TUNED_{hands.width}_{stamp}_{letter}" for letter in "AB"]
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "browser.tuner_rows", data_dir, *names], cwd=tests.parent, capture_output=True, text=True,
        env={"PYTHONPATH": f"{tests.parent}:{tests}", "PATH": "/usr/bin:/bin"}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return names


def test_a_proposal_is_approved_and_another_turned_down(hands, proposed):
    page, (first, second) = hands.go("/v2/tuner"), proposed
    cards = page.locator("[data-proposal]")
    one = cards.filter(has_text=first)
    expect(one).to_contain_text("price_min")
    expect(one.locator("[data-evidence]")).to_contain_text("Proved, after")
    hands.acts(one.get_by_role("button", name="Approve"), yes="Approve")
    hands.is_told("Applied")
    expect(cards.filter(has_text=first)).to_have_count(0, timeout=PATIENCE_MS)
    other = cards.filter(has_text=second)
    other.get_by_placeholder("Why, if you like").fill("not now")
    hands.acts(other.get_by_role("button", name="Reject"), yes="Reject")
    hands.is_told("Turned down")
    hands.go("/v2/tuner?tab=history")
    rows = page.locator("[data-history] tr")
    expect(rows.filter(has_text=first)).to_contain_text("Applied")
    expect(rows.filter(has_text=second)).to_contain_text("not now")
    hands.go(f"/v2/bots/{first}?tab=versions")
    expect(page.locator("main")).to_contain_text("tuner proposal")
    hands.go("/v2/tuner?tab=notes")
    expect(page.locator("[data-notes]")).to_contain_text("It did better.")
