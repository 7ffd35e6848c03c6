"""Looks at the Engine page of a running engine, in every look: `python -m tests.browser.cluster_looking DIR ADDRESS`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.demo_site import DemoSite
from browser.looking import FLAGS, LOOKS, Eyes, chromium_path
from playwright.sync_api import sync_playwright

SETTLE_MS = 12_000
"""Until the list of engines has been drawn again once."""


def look(site: DemoSite, where: Path) -> None:
    """Takes the pictures, and tells what was wrong beside them."""
    where.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        for theme, width in LOOKS:
            with Eyes.opened(browser, site, theme=theme, width=width) as eyes:
                eyes.go("/engine")
                eyes.page.wait_for_timeout(SETTLE_MS)
                eyes.page.screenshot(path=where / f"engine-cluster-{theme}-{width}.png", full_page=True)
                print(theme, width, *eyes.wrong)
                eyes.wrong.clear()
        browser.close()


if __name__ == "__main__":
    look(DemoSite(sys.argv[2], []), Path(sys.argv[1]))
