"""The tuner's page: what waits with its evidence, what was decided, and the notes."""

from datetime import timedelta

import pytest
from engine_postgres.tuner_world import TunerWorld
from pages.page_world import HOSTILE, page_world
from pages.strategy_rows import live_config, make_bot

from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database, live_config()) as one:
        yield one


@pytest.fixture
async def ann(world):
    return await world.visitor("ann", Scope.READ, Scope.TRADE)


@pytest.fixture
def tuner(world):
    return TunerWorld(world.rows.connection)


async def proposed(world, tuner, owner, name="BOT", **settings):
    await make_bot(world, owner, name, agent_managed=True, price_min="0.1", **settings)
    tuner.search.findings[name] = {"price_min": "0.3"}
    await tuner.run()
    return (await tuner.proposals(wallet_id=name))[0].proposal_id


async def test_without_proposals_it_says_so(world, ann):
    for tab, words in (("waiting", "Nothing waits"), ("history", "Nothing was decided"), ("notes", "No notes yet")):
        page = await world.get(f"/v2/tuner?tab={tab}", ann)
        assert page.status == 200
        assert words in page.text
    assert "/v2/tuner" in (await world.get("/v2/bots", ann)).html


async def test_a_proposal_shows_its_evidence_and_can_be_decided(world, tuner, ann):
    number = await proposed(world, tuner, ann)
    page = await world.get("/v2/tuner", ann)
    assert "price_min 0.1 → 0.3" in page.text
    for words in ("Searched, before", "Proved, after", "90 sets of settings tried", "seed 1", "50.0 %", "Approve"):
        assert words in page.text
    assert f"POST /api/tuner/proposals/{number}/approve" in page.html
    assert "real money" not in page.text
    reader = await world.visitor("bob", Scope.READ)
    assert "Nothing waits" in (await world.get("/v2/tuner", reader)).text


async def test_where_money_is_live_it_says_so(world, tuner, ann):
    await proposed(world, tuner, ann)
    await tuner.mirror("BOT")
    page = await world.get("/v2/tuner", ann)
    assert "approving changes what real money does" in page.text
    assert "real money will follow" in page.html


async def test_history_shows_what_was_measured(world, tuner, ann):
    number = await proposed(world, tuner, ann)
    await tuner.store.approve(number, "ann")
    tuner.search.findings.clear()
    await tuner.orders("BOT", 40, 24, ago=timedelta(hours=20), version=1)
    await tuner.passes(days=1, minutes=5)
    await tuner.orders("BOT", 40, 16, ago=timedelta(hours=4), version=2)
    await tuner.run()
    page = await world.get("/v2/tuner?tab=history", ann)
    assert "Rolled back" in page.text
    assert "win rate −20.0 points, return −40.0 points" in page.text
    notes = (await world.get("/v2/tuner?tab=notes", ann)).text
    assert "hypothesis" in notes
    assert "Rolled back" in notes


async def test_words_of_strangers_stay_words(world, tuner, ann):
    for count, text in enumerate(HOSTILE):
        number = await proposed(world, tuner, ann, f"BOT{count}")
        await tuner.store.reject(number, "ann", text)
    page = await world.get("/v2/tuner?tab=history", ann)
    assert all(page.shows(text) for text in HOSTILE)
    assert page.is_harmless()


async def test_long_lists_have_pages(world, tuner, ann):
    for count in range(21):
        await proposed(world, tuner, ann, f"S{count:02d}")
    page = await world.get("/v2/tuner", ann)
    assert page.html.count("data-proposal=") == 20
    assert "cursor=" in page.html
