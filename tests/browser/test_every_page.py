"""Every page opens without an error, is as wide as the window, and has no serious barrier."""

import re

import pytest

from engine.pages.site import all_pages

PLAIN = sorted(page.path for page in all_pages() if "{" not in page.path and not page.part)
DETAILS = sorted(page.path for page in all_pages() if "{" in page.path and not page.part)


@pytest.mark.parametrize("path", PLAIN)
def test_a_page(eyes, path):
    eyes.go(path)
    eyes.page.wait_for_timeout(300)
    eyes.has_no_barriers()


def test_pages_of_single_things_are_reached_by_links(eyes):
    links = set()
    for path in PLAIN:
        eyes.go(path)
        links |= set(
            eyes.page.eval_on_selector_all("main a[href^='/']", "all => all.map(one => one.getAttribute('href'))")
        )
    for path in DETAILS:
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/?#]+", path))
        found = sorted(link for link in links if pattern.fullmatch(link.partition("?")[0]))
        assert found, f"no link leads to {path}"
        eyes.go(found[0])
        eyes.page.wait_for_timeout(300)
        eyes.has_no_barriers()
        links |= set(
            eyes.page.eval_on_selector_all("main a[href^='/']", "all => all.map(one => one.getAttribute('href'))")
        )


def test_login_is_open_to_everybody_and_has_no_barrier(eyes):
    eyes.page.context.clear_cookies()
    eyes.go("/login")
    eyes.has_no_barriers()
