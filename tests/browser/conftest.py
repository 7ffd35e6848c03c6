"""Real headless Chromium before an engine with everything on, live trading of simulated money too.

POLYCOPY_TEST_BROWSER: unset, one theme and width where a browser is installed; `all`, every theme and width, and one has
to be installed. POLYCOPY_TEST_DEMO: the address of a demo that runs already, started by `browser.demo_site`.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from browser.demo_site import DemoSite, demo_site
from browser.looking import CHOICE, FLAGS, LOOKS, Eyes, chromium_path
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
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


@pytest.fixture(scope="package")
def demo() -> Iterator[DemoSite]:
    running = os.environ.get("POLYCOPY_TEST_DEMO")
    if running:
        yield DemoSite(running, [])
        return
    with demo_site() as site:
        yield site


@pytest.fixture(scope="package")
def windows(chromium: Browser, demo: DemoSite) -> Iterator[Callable[[str, int], Eyes]]:
    """Windows of a logged-in user, one for each look, kept between tests."""
    with ExitStack() as stack:
        opened: dict[tuple[str, int], Eyes] = {}

        def window(theme: str, width: int) -> Eyes:
            if (theme, width) not in opened:
                opened[theme, width] = stack.enter_context(Eyes.opened(chromium, demo, theme=theme, width=width))
            return opened[theme, width]

        yield window


def seeing(window: Eyes) -> Iterator[Eyes]:
    """The window, which must not have seen anything wrong afterwards."""
    window.wrong.clear()
    yield window
    assert window.wrong == []


@pytest.fixture(params=LOOKS if CHOICE == "all" else LOOKS[:1], ids=lambda look: f"{look[0]}-{look[1]}")
def eyes(request: pytest.FixtureRequest, windows: Callable[[str, int], Eyes]) -> Iterator[Eyes]:
    """A browser that is logged in, and sees what goes wrong; each theme in each width."""
    yield from seeing(windows(*request.param))


@pytest.fixture(params=LOOKS[:2] if CHOICE == "all" else LOOKS[:1], ids=lambda look: f"{look[0]}-{look[1]}")
def hands(request: pytest.FixtureRequest, windows: Callable[[str, int], Eyes]) -> Iterator[Eyes]:
    """The same for whoever acts: each theme and each width once."""
    yield from seeing(windows(*request.param))


@pytest.fixture
def once(windows: Callable[[str, int], Eyes]) -> Iterator[Eyes]:
    """The same for what no theme and no width can change."""
    yield from seeing(windows(*LOOKS[0]))


@pytest.fixture
def stranger(chromium: Browser, demo: DemoSite) -> Iterator[Eyes]:
    """A browser of somebody who is not in."""
    with Eyes.opened(chromium, demo, theme="light", width=1_440, user=None) as eyes:
        yield eyes
        assert eyes.wrong == []
