"""Every page over an API that answers nothing but texts which mean harm: they stay texts."""

import itertools
import random
import re
from collections.abc import Sequence

import attrs
import pytest
from browser.payloads import PAYLOADS
from pages.drawn_shape import assert_same_shape
from pages.made_answers import MadeAnswers
from pages.page_world import PageWorld, page_world

from engine.pages.site import all_pages
from protocols.users import Principal, Scope

REAL = ("/api/ft/settings", "/api/lt/settings", "/api/ft/templates")
"""What the engine says of itself: nothing of it comes from outside."""
IN_PATH = {"wallet": "0x" + "1" * 40, "address": "0x" + "1" * 40, "name": "coverage-audit", "list": "leaderboard",
           "modelId": "1", "plan_id": "0123456789abcdef"}  # fmt: skip
FIXED = {
    "/jobs/{name}": {"name": "coverage-audit"},
    "/lt/{strategy_id}": {"settings": {"exit_deadline_s": 60}, "strategyId": "one", "ftWalletId": "one"},
    "/v2/feed/why/{trade_id}": {"walletId": "one"},
    "/portfolio": {"account": "main"},
    "/coverage": {"lane": 1},
    "/engine": {"writers": [], "readers": []},
}
"""What a page takes into the path of its next question, or an index: the database lets nothing else in there."""
ROUNDS_MAX = 40


def address(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda match: IN_PATH.get(match[1], "anything-1"), path)


@attrs.define
class Drawing:
    """One page of a world, drawn over made answers."""

    world: PageWorld
    user: Principal
    path: str

    async def drawn(self, texts):
        made = MadeAnswers(texts, fixed=FIXED.get(self.path, {}))
        self.world.app.pages.api.install(made.routes(self.world.routes, REAL))
        page = await self.world.get(address(self.path), self.user)
        assert page.status == 200, (self.path, page.text)
        return page.html, made.given


async def tried(drawing: Drawing) -> None:
    """Draws until every payload stood where the page shows a text whole, or often enough."""
    numbers = itertools.count()
    plain, marks = await drawing.drawn(lambda _place: f"Q{next(numbers)}q")
    places = sorted(marks)
    shown = [place for place in places if f">{marks[place]}<" in plain]
    left: Sequence[str] = PAYLOADS
    for number in range(ROUNDS_MAX):
        # No two alike: some pages look one thing up by the name of another.
        chosen = random.Random(number).choices(PAYLOADS, k=len(places))
        texts = {place: f"{text}{index}" for index, (place, text) in enumerate(zip(places, chosen, strict=True))}
        texts |= dict(zip(shown, left, strict=False))
        hostile, given = await drawing.drawn(texts.__getitem__)
        assert given == texts
        seen = assert_same_shape(plain, hostile, {marks[place]: texts[place] for place in places})
        left = [text for text in left if text not in seen]
        if not left or not shown:
            return


@pytest.mark.parametrize("path", [page.path for page in all_pages()])
async def test_no_text_becomes_anything_else(database, aio, path):
    async with page_world(database) as world:
        await tried(Drawing(world, await world.visitor("root", *Scope), path))
