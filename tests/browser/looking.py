"""What a user sees and does, and what must never happen beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import axe_playwright_python
from browser.demo_site import PASSWORD, DemoSite
from playwright.sync_api import Browser, ConsoleMessage, Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = {"resultTypes": ["violations"]}
SERIOUS = ("serious", "critical")


@attrs.define(eq=False)
class Eyes:
    """One logged-in browser window."""

    page: Page
    address: str
    width: int
    wrong: list[str] = attrs.field(factory=list)
    """What the console and the network said that they should not have."""

    @classmethod
    @contextmanager
    def opened(
        cls, browser: Browser, demo: DemoSite, *, theme: str, width: int, user: str = "admin"
    ) -> Iterator["Eyes"]:
        context = browser.new_context(
            base_url=demo.address,
            color_scheme=theme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
            storage_state=demo.sessions.get(user),
        )
        page = context.new_page()
        eyes = cls(page, demo.address, width)
        page.on("console", lambda message: eyes._heard(message))
        page.on("pageerror", lambda error: eyes.wrong.append(f"{page.url}: {error}"))
        try:
            if user not in demo.sessions:
                page.goto("/login?next=/settings")
                page.fill("#user_name", user)
                page.fill("#password", PASSWORD)
                page.click("main button[type=submit]")
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

    def has_no_barriers(self) -> None:
        """Holds the page against the accessibility rules, and against its own width."""
        page = self.page
        page.evaluate(AXE)
        found: dict[str, Any] = page.evaluate("(options) => axe.run(document, options)", RULES)
        serious = [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]
        assert serious == [], page.url
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.width, f"{page.url} is {wide} px wide"
        assert page.locator("h1").count() == 1, page.url

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{self.page.url}: {message.text}")
