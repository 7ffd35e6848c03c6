"""Every page opens without an error, is as wide as the window, and has no serious barrier."""

import re

import pytest
from browser.looking import CHOICE, Eyes

from engine.pages.site import all_pages

PLAIN = sorted(page.path for page in all_pages() if "{" not in page.path and not page.part)
DETAILS = sorted(page.path for page in all_pages() if "{" in page.path and not page.part)
NOT_IN_A_DEMO = ("/engine/models/{modelId}",)
"""Its days are too few to train a model; `tests/pages` has them with one."""
LINKS = "all => all.map((one) => one.getAttribute('href'))"


def look_at(eyes: Eyes, path: str) -> None:
    """Barriers are looked for once in each theme; how wide the page is, in every look."""
    eyes.go(path)
    eyes.fits()
    if eyes.look in eyes.LOOKED_AT_CLOSELY:
        eyes.has_no_barriers()
    eyes.links |= set(eyes.page.eval_on_selector_all("main a[href^='/']", LINKS))


@pytest.mark.parametrize("path", PLAIN)
def test_a_page(eyes, path):
    look_at(eyes, path)


@pytest.mark.parametrize("path", [path for path in DETAILS if path not in NOT_IN_A_DEMO])
def test_a_page_of_a_single_thing_is_reached_by_links(eyes, path):
    """The links are those of the pages above, or of pages that are opened now."""
    pattern = re.compile(re.sub(r"\{\w+\}", "[^/?#]+", path))

    def found() -> list[str]:
        links = sorted(link for link in eyes.links if pattern.fullmatch(link.partition("?")[0]))
        return [link for link in links if link.partition("?")[0] not in PLAIN]

    for other in PLAIN:
        if found():
            break
        eyes.go(other)
        eyes.links |= set(eyes.page.eval_on_selector_all("main a[href^='/']", LINKS))
    assert found(), f"no link leads to {path}"
    look_at(eyes, found()[0])


TABS = ("main .tabs a[href]", "main nav.chips a[href]")


@pytest.mark.parametrize("path", ["/v2/feed", "/v2/bots/{}", "/lt/{}", "/portfolio", "/v2/trader/{}"])
def test_every_tab_of_a_page(once, path):
    page = once.page
    if "{}" in path:
        begin = path.removesuffix("/{}")
        once.go({"/v2/bots": "/v2/bots", "/lt": "/lt", "/v2/trader": "/following"}[begin])
        path = page.locator(
            f"main a[href^='{begin}/']:not([href='/lt/orders'], [href='/lt/logs'], [href='/lt/new'])"
        ).first
        path = path.get_attribute("href")
    once.go(path)
    tabs = page.eval_on_selector_all(", ".join(TABS), LINKS)
    assert len(tabs) >= 3
    for tab in tabs:
        once.go(tab)
        once.has_no_barriers(contrast=CHOICE == "all")


def test_the_login_has_no_barrier(stranger):
    stranger.go("/login")
    stranger.has_no_barriers()
