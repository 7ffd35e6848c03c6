"""The browser of `page_latency`, in a process of its own: Playwright needs an asyncio loop that nobody else has touched.

`python -m tests.bench.page_browser PORT PASSWORD` writes a line with the paints of ten loads, then watches the feed until a
line comes on standard input, and writes when each card was in the document (wall clock, ms).
"""

import json
import sys
import threading

from playwright.sync_api import Page, sync_playwright

LOADS = 10
WATCH = """
window.seen = {};
new MutationObserver((changes) => {
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.dataset?.trade) window.seen[node.dataset.trade] ??= performance.timeOrigin + performance.now();
}).observe(document.querySelector("[data-feed]"), { childList: true });
"""
TIMES = """
(() => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const [load] = performance.getEntriesByType("navigation");
  return [paint.startTime, load.responseStart];
})()
"""


def main(port: str, password: str) -> None:
    """Loads and watches the feed."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page, base = browser.new_page(), f"http://127.0.0.1:{port}"
        page.goto(f"{base}/login")
        page.fill("#user_name", "admin")
        page.fill("#password", password)
        page.click("form[action='/login'] button")
        page.wait_for_url("**/v2/feed")
        print(json.dumps([_load(page, f"{base}/v2/feed") for _ in range(LOADS)]), flush=True)
        print(json.dumps(_watched(page)), flush=True)
        browser.close()


def _load(page: Page, address: str) -> list[float]:
    page.goto(address)
    _until(page, "performance.getEntriesByName('first-contentful-paint').length > 0")
    times: list[float] = page.evaluate(TIMES)
    return times


def _until(page: Page, condition: str) -> None:
    """`wait_for_function` needs `eval`, which the page's policy forbids."""
    while not page.evaluate(condition):
        page.wait_for_timeout(20)


def _watched(page: Page) -> dict[str, float]:
    _until(page, "document.querySelector('[data-feed-state]').textContent === 'Live'")
    page.evaluate(WATCH)
    enough = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), enough.set()), daemon=True).start()
    while not enough.is_set():
        page.wait_for_timeout(100)
    seen: dict[str, float] = page.evaluate("window.seen")
    return seen


if __name__ == "__main__":
    main(*sys.argv[1:])
