"""Pictures of every page: `python -m tests.browser.screenshots DIR [ADDRESS]`, and those of the README with `--readme`.

Starts a demo, or looks at one that `browser.demo_site` has started; each page in both themes and both widths, whole.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.demo_site import DemoSite, demo_site
from browser.looking import FLAGS, LOOKS, Eyes, chromium_path
from playwright.sync_api import Browser, sync_playwright

from engine.pages.site import all_pages

PICTURES = Path(__file__).parent / "pictures"
README = {"feed": "/v2/feed", "engine": "/engine", "bot": "/v2/bots/{wallet_id}", "live": "/lt"}
"""The pages that the README shows, in light and wide."""
SETTLE_MS = 2_500
"""Until prices have come and drawings stand: nobody measures here."""
BOTS_PLAY_MS = 20_000
LINKS = "all => all.map((one) => one.getAttribute('href'))"


def take_all(browser: Browser, site: DemoSite, where: Path) -> None:
    """Every page in every look."""
    where.mkdir(parents=True, exist_ok=True)
    for theme, width in LOOKS:
        with Eyes.opened(browser, site, theme=theme, width=width) as eyes:
            for path in addresses(eyes):
                name = re.sub(r"[^a-z0-9]+", "-", path.partition("0x")[0].lower()).strip("-")
                eyes.go(path)
                eyes.page.wait_for_timeout(SETTLE_MS)
                eyes.page.screenshot(path=where / f"{name}-{theme}-{width}.png", full_page=True)
                print(path, theme, width, *eyes.wrong)
                eyes.wrong.clear()


def addresses(eyes: Eyes) -> list[str]:
    """Returns an address of every page, found by following links, and those of their tabs."""
    pages = [page.path for page in all_pages() if not page.part]
    links: set[str] = set()
    for path in [one for one in pages if "{" not in one] + ["tabs"]:
        for other in [path] if path != "tabs" else sorted(one_of_each(links, pages)):
            eyes.go(other)
            links |= set(eyes.page.eval_on_selector_all("main a[href^='/']", LINKS))
    tabs = {link for link in links if re.search(r"\?(tab|range)=", link)}
    plain = [path for path in pages if "{" not in path]
    single = one_of_each(links, pages)
    return [*plain, *single, *sorted(tab for tab in tabs if tab.partition("?")[0] in {*plain, *single})]


def one_of_each(links: set[str], pages: list[str]) -> list[str]:
    """Returns one address for each page of a single thing."""
    found = []
    for path in [one for one in pages if "{" in one]:
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/?#]+", path))
        fitting = sorted(link for link in links if pattern.fullmatch(link) and link not in pages)
        found += fitting[:1]
    return found


def take_for_readme(browser: Browser, site: DemoSite) -> None:
    """A few pages as one sees them first, small enough for the tree."""
    PICTURES.mkdir(exist_ok=True)
    with Eyes.opened(browser, site, theme="light", width=1_440) as eyes:
        eyes.page.wait_for_timeout(BOTS_PLAY_MS)
        found = dict(zip([one.path for one in all_pages()], [one.path for one in all_pages()], strict=True))
        eyes.go("/v2/bots")
        first = eyes.page.locator("main a[href^='/v2/bots/']").first.get_attribute("href")
        found["/v2/bots/{wallet_id}"] = first or "/v2/bots"
        for name, path in README.items():
            eyes.go(found[path])
            eyes.page.wait_for_timeout(SETTLE_MS)
            eyes.page.screenshot(path=PICTURES / f"{name}.png", clip={"x": 0, "y": 0, "width": 1_440, "height": 680})


def main() -> None:
    """Takes what the command line asks for."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    path = chromium_path()
    assert path, "no chromium is installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        if len(words) > 1:
            _take(browser, DemoSite(words[1], []), words)
        else:
            with demo_site() as site:
                _take(browser, site, words)
        browser.close()


def _take(browser: Browser, site: DemoSite, words: list[str]) -> None:
    if "--readme" in sys.argv:
        take_for_readme(browser, site)
    else:
        take_all(browser, site, Path(words[0] if words else "screenshots"))


if __name__ == "__main__":
    main()
