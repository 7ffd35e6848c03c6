"""What a user sees and does, and what must never happen beside it."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import attrs
import axe_playwright_python
from browser.demo_site import PASSWORD, DemoSite
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

CHOICE = os.environ.get("POLYCOPY_TEST_BROWSER", "")
LOOKS = [("light", 1_440), ("dark", 360), ("light", 360), ("dark", 1_440)]
# As root there is no sandbox to be had; without the other flags the browser calls home at every start.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES: dict[str, Any] = {"resultTypes": ["violations"]}
BUT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}
PATIENCE_MS = 40_000
"""For what takes milliseconds on a machine that has nothing else to do."""
BOXES = """() => Object.fromEntries([...document.querySelectorAll(
  "h1, h2, main section, main .stats > div, main table, main tbody tr, main form, [data-trade]"
)].map((one, place) => {
  const { left, top, width, height } = one.getBoundingClientRect();
  const isText = /^H\\d$/.test(one.tagName); // as wide as what is written beside it
  return [`${place} ${one.tagName} ${one.dataset.trade ?? one.id}`, [left, top, isText ? 0 : width, height].map(Math.round)];
}))"""
SERIOUS = ("serious", "critical")


def chromium_path() -> str | None:
    """Returns where a browser is installed."""
    return os.environ.get("POLYCOPY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@attrs.define(eq=False)
class Eyes:
    """One logged-in browser window."""

    LOOKED_AT_CLOSELY: ClassVar = frozenset({("light", 1_440), ("dark", 360)})
    """One look of each theme and of each width."""

    page: Page
    address: str
    width: int
    look: tuple[str, int] = ("light", 1_440)
    links: set[str] = attrs.field(factory=set)
    """Addresses of ours that pages have led to."""
    wrong: list[str] = attrs.field(factory=list)
    """What the console and the network said that they should not have."""

    @classmethod
    @contextmanager
    def opened(
        cls, browser: Browser, demo: DemoSite, *, theme: str, width: int, user: str | None = "admin"
    ) -> Iterator["Eyes"]:
        context = browser.new_context(
            base_url=demo.address,
            color_scheme=theme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
            storage_state=demo.sessions.get(user or ""),
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        eyes = cls(page, demo.address, width, (theme, width))
        page.on("console", lambda message: eyes._heard(message))
        page.on("pageerror", lambda error: eyes.wrong.append(f"{page.url}: {error}"))
        try:
            if user is not None and user not in demo.sessions:
                page.goto("/login?next=/settings")
                eyes.log_in(user, PASSWORD)
                page.wait_for_url("**/settings")
                demo.sessions[user] = context.storage_state()
            yield eyes
        finally:
            context.close()

    def go(self, path: str) -> Page:
        """Opens a page of the site and waits until it is drawn; streams may go on."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}\n{self.page.inner_text('main')}"
        return self.page

    def log_in(self, user: str, password: str) -> None:
        """Fills the form of the login and sends it, by keyboard."""
        self.page.fill("#user_name", user)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")

    def acts(self, button: Locator, *, yes: str | None = None) -> None:
        """Presses a button by keyboard, answers its question with the button `yes`, and waits for what the page says then."""
        button.focus()
        button.press("Enter")
        if yes is not None:
            self.page.locator("dialog[open]").get_by_role("button", name=yes, exact=True).press("Enter")

    def is_told(self, text: str) -> None:
        """Waits until the page says something in its corner."""
        expect(self.page.locator("[data-toasts]")).to_contain_text(text, timeout=PATIENCE_MS)

    def comes(self, happened: Callable[[], object]) -> bool:
        """Looks twice a second whether something has happened, for as long as a test is patient."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < end:
            if happened():
                return True
            self.page.wait_for_timeout(500)
        return False

    def boxes(self) -> dict[str, list[float]]:
        """Returns where everything with a name of its own stands, to the pixel."""
        found: dict[str, list[float]] = self.page.evaluate(BOXES)
        return found

    def forgives(self, *texts: str) -> None:
        """Forgets messages that contain one of the texts: what the test has provoked."""
        left = [one for one in self.wrong if not any(text in one for text in texts)]
        self.wrong[:] = left

    def fits(self) -> None:
        """Asserts that the page has one heading and does not scroll sideways, when it is laid out."""
        page = self.page
        wide = page.evaluate(
            "() => new Promise((told) => requestAnimationFrame(() => requestAnimationFrame("
            "() => told(document.documentElement.scrollWidth))))"
        )
        assert wide <= self.width, f"{page.url} is {wide} px wide"
        assert page.locator("h1").count() == 1, page.url

    def has_no_barriers(self, *, contrast: bool = True) -> None:
        """Holds the page against the accessibility rules, and against its own width. Contrasts take most of the time."""
        page = self.page
        page.evaluate(AXE)
        rules = RULES if contrast else {**RULES, **BUT_CONTRAST}
        found: dict[str, Any] = page.evaluate("(options) => axe.run(document, options)", rules)
        serious = [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]
        assert serious == [], page.url
        self.fits()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{self.page.url}: {message.text}")
