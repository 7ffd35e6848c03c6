"""Forward tests: one table of all of them, fresh snapshots, and up to six side by side."""

import json

import pytest
from pages.page_world import page_world
from pages.strategy_rows import cells, make_bot
from pages.test_bot_pages import snapshots

from protocols.users import Scope


@pytest.fixture
async def world(database, aio):
    async with page_world(database) as one:
        yield one


@pytest.fixture
async def ann(world):
    return await world.visitor("ann", Scope.READ, Scope.TRADE)


async def test_the_table_has_a_row_for_each_strategy_and_names_them_for_a_snapshot(world, ann):
    assert "Nothing is tested yet" in (await world.get("/ft", ann)).text
    for name in ("A", "B"):
        await make_bot(world, ann, name)
    page = await world.get("/ft", ann)
    assert cells(page, "data-snapshots") == ["A", "B"]
    assert cells(page, "data-snapshot") == ["A B"]
    assert cells(page, "data-compare") == ["6"]


async def test_a_page_has_as_many_strategies_as_one_snapshot_call_takes(world, ann):
    for number in range(27):
        await make_bot(world, ann, f"B{number:02d}")
    page = await world.get("/ft", ann)
    [names] = cells(page, "data-snapshot")
    answer = await world.ask("POST", "/api/ft/snapshots-refresh", ann, json={"walletIds": names.split()})
    taken = [one["walletId"] for one in answer.json()["snapshots"]]
    assert taken == [f"B{number:02d}" for number in range(25)]
    [more] = [value for value in cells(page, "href") if "cursor=" in value]
    assert cells(await world.get(f"/ft{more}", ann), "data-snapshots") == ["B25", "B26"]


async def test_snapshots_are_taken_of_all_or_of_none(world, ann):
    await make_bot(world, ann, "A")
    await make_bot(world, await world.visitor("bob", Scope.READ, Scope.TRADE), "BOBS")
    answer = await world.ask("POST", "/api/ft/snapshots-refresh", ann, json={"walletIds": ["A", "BOBS"]})
    assert answer.status_code == 404
    assert await world.rows.run("SELECT 1 FROM ft_performance_snapshots") == []
    for wrong in ([], [f"B{n}" for n in range(26)], ["no spaces"]):
        assert (await world.ask("POST", "/api/ft/snapshots-refresh", ann, json={"walletIds": wrong})).status_code == 400


async def test_six_are_compared_and_more_are_said_to_be_left_out(world, ann):
    names = [f"B{number}" for number in range(8)]
    for name in names[:7]:
        await make_bot(world, ann, name)
        await snapshots(world, 1, 5, name=name)
    query = "&".join(f"id={name}" for name in [*names, "B0"])
    page = await world.get(f"/ft/compare?{query}", ann)
    assert "2 more were left out" in page.text
    lines = [one["class"] for name, one in page.elements if name == "path" and "chart-line" in one.get("class", "")]
    assert lines == [f"chart-line series-{number}" for number in range(1, 7)]
    assert [value for value in cells(page, "href") if value.startswith("/ft/B")] == [
        f"/ft/{name}" for name in names[:6]
    ]


async def test_what_cannot_be_compared_is_named(world, ann):
    await make_bot(world, ann, "A")
    page = await world.get("/ft/compare?id=A&id=GONE&id=../../x", ann)
    assert page.status == 200
    assert "GONE is not shown" in page.text
    assert "not enough snapshots" in page.text
    assert "Nothing to compare" in (await world.get("/ft/compare", ann)).text


async def test_figures_are_those_of_the_api(world, ann):
    await make_bot(world, ann, "A", starting_balance="2500")
    figures = json.loads((await world.get("/api/ft/wallets/A", ann)).html)["wallet"]
    assert figures["startingBalance"] == 2500
    text = (await world.get("/ft/compare?id=A", ann)).text
    assert "Starting balance (USD) 2,500.00" in text
    assert "Win rate –" in text
