"""Real headless Chromium before an engine with everything on, live trading of simulated money too.

POLYCOPY_TEST_BROWSER: unset, one theme and width where a browser is installed; `all`, every theme and width, and one has
to be installed.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from browser.demo_site import DemoSite, demo_site
from browser.looking import Eyes
from playwright.sync_api import Browser, sync_playwright

CHOICE = os.environ.get("POLYCOPY_TEST_BROWSER", "")
LOOKS = [("light", 1_440), ("dark", 360), ("light", 360), ("dark", 1_440)]
# As root there is no sandbox to be had; without the other flags the browser calls home at every start.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("POLYCOPY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if CHOICE == "all":
            pytest.fail("POLYCOPY_TEST_BROWSER=all, and no chromium is installed")
        pytest.skip("no chromium is installed")
    with plain_loops(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def plain_loops() -> Iterator[None]:
    """The loops of asyncio itself: those of trio-asyncio cannot wait within a wait, which the driver's greenlets do."""
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    try:
        yield
    finally:
        asyncio.set_event_loop_policy(before)


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoSite]:
    with demo_site() as site:
        yield site


@pytest.fixture(params=LOOKS if CHOICE == "all" else LOOKS[:1], ids=lambda look: f"{look[0]}-{look[1]}")
def eyes(request: pytest.FixtureRequest, chromium: Browser, demo: DemoSite) -> Iterator[Eyes]:
    """A browser that is logged in, and sees what goes wrong."""
    theme, width = request.param
    with Eyes.opened(chromium, demo, theme=theme, width=width) as eyes:
        yield eyes
        assert eyes.wrong == []
