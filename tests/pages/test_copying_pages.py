"""What copying a trader would have made, on his profile and in discovery."""

from decimal import Decimal

import pytest
from engine_postgres.copyability_world import document, flag, keep, traded
from engine_postgres.profile_world import wallet
from pages.page_world import HOSTILE, page_world

from protocols.copyability import StyleFlag

PROFILE = f"/v2/trader/{wallet(1)}"


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        await traded(one.rows, 1, days=60, wins=[True, True, False])
        yield one


def marks(page, name):
    return [one[name] for _, one in page.elements if name in one]


async def test_a_profile_says_in_short_what_copying_would_have_made(world):
    ann = await world.visitor()
    page = await world.get(PROFILE, ann)
    assert "What would copying him have made at my size?" in page.text
    assert not marks(page, "data-copyability")
    await keep(world.rows, [document(1, sentence="Perhaps worth it.", flags=[flag("size_jump")])])
    page = await world.get(PROFILE, ann)
    assert marks(page, "data-copyability") == ["likely"]
    for text in ("Perhaps worth it.", "Sudden jump in size"):
        assert page.shows(text)


async def test_a_tab_has_the_number_its_interval_costs_sizes_flags_and_what_was_left_out(world):
    ann = await world.visitor()
    page = await world.get(PROFILE + "?tab=copying", ann)
    assert page.shows("Not looked at yet")
    await keep(world.rows, [document(1, flags=[flag("market_maker")], truncated=True, sales_below_minimum=3)])
    page = await world.get(PROFILE + "?tab=copying", ann)
    assert page.status == 200
    for text in (
        "So and so.",
        "+120.50",
        "\N{MINUS SIGN}12.00",
        "+1.50",
        "Market maker",
        "because of market_maker",
        "still open",
        "130.00",
        "Only his newest trades were looked at.",
        "3 copied sales are below",
        "no promise",
    ):
        assert page.shows(text), text
    assert "-1.0 %" in page.text.replace("−", "-").replace("\N{NO-BREAK SPACE}", " ")
    assert marks(page, "data-copyability") == ["likely"]


async def test_too_little_evidence_is_no_number(world):
    ann = await world.visitor()
    await keep(world.rows, [document(1, net_return=None, sentence="Not enough to judge: 3 of 40 finished copies.")])
    page = await world.get(PROFILE + "?tab=copying", ann)
    assert marks(page, "data-copyability") == ["not_enough"]
    assert page.shows("Not enough")
    assert page.shows("too little seen")


async def test_ones_own_size_is_computed_and_stays_in_the_form(world):
    ann = await world.visitor()
    page = await world.get(PROFILE + "?tab=copying&size=50&days=80", ann)
    assert page.status == 200
    fields = {
        one["name"]: one["value"]
        for name, one in page.elements
        if name == "input" and one.get("name") in ("size", "days")
    }
    assert fields == {"size": "50", "days": "80"}
    assert page.shows("60")
    assert marks(page, "data-copyability") == ["good"]
    wrong = await world.get(PROFILE + "?tab=copying&size=0&days=80", ann)
    assert (wrong.status, wrong.shows("Not computed"), wrong.shows("an amount in USD from")) == (200, True, True)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_texts_of_a_result_are_text(world, text):
    ann = await world.visitor()
    await keep(
        world.rows, [document(1, sentence=text, flags=[StyleFlag(name=text, evidence=text)], left_out={text: 1})]
    )
    for path in (PROFILE, PROFILE + "?tab=copying", "/discover", "/discover/most-copyable"):
        page = await world.get(path, ann)
        assert page.status == 200, path
        assert page.is_harmless(), path


async def test_the_most_copyable_are_listed_and_sorted_as_asked(world):
    ann = await world.visitor()
    await keep(
        world.rows,
        [
            document(1, low=Decimal("0.02"), grade="good"),
            document(
                2, net_return=Decimal("0.2"), capacity="above", capacity_usd=Decimal(10_000), flags=[flag("inactive")]
            ),
            document(3, net_return=None),
        ],
    )
    page = await world.get("/discover/most-copyable", ann)
    assert marks(page, "data-row") == [wallet(1), wallet(2)]
    for text in ("Worth copying", "Perhaps", "inactive", "> 10,000.00"):
        assert page.shows(text), text
    page = await world.get("/discover/most-copyable?sort=net", ann)
    assert marks(page, "data-row") == [wallet(2), wallet(1)]
    page = await world.get("/discover", ann)
    assert page.shows("at worst")
