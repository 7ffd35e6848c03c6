"""Strategies in PostgreSQL: every setting its own column, every change a version, nothing lost between two who change."""

import itertools
import random
from decimal import Decimal

import attrs
import pytest
import trio
from engine_adapters.paper_worlds import decided, order, postgres_world, traded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from property.made_settings import FIELDS, made_settings

from config.strategy_settings import document_of, settings_from
from engine.adapters.postgres.database import database_loop
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.strategy_rows import SETTING_COLUMNS
from engine.adapters.postgres.strategy_store import StrategyConflictError, StrategyStore
from protocols.errors import RejectedError
from protocols.strategies import StrategySettings

ADMIN = "SELECT id::text FROM profiles WHERE user_name = 'admin'"
COLUMNS = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'ft_wallets'"
OWN_COLUMNS = {"wallet_id", "number", "owner_id", "version", "created_at", "updated_at", "archived_at"}
BALANCE = "SELECT starting, cash, peak_equity, orders FROM ft_balances WHERE wallet_id = $1"
NUMBERS = itertools.count(1)


@pytest.fixture
async def pool(database, aio):
    async with open_pool(database, "test", 8) as made:
        yield made


@pytest.fixture
async def store(pool):
    return StrategyStore(pool)


@pytest.fixture
async def owner(pool):
    return await pool.run(lambda raw: raw.fetchval(ADMIN))


async def made(store, owner, name="A", **document):
    [strategy] = await store.create([(name, settings_from(document))], owner, "ann")
    return strategy


async def changed(store, strategy, by="ann", **document):
    wanted = settings_from(document, strategy.settings)
    return await store.update(strategy.wallet_id, wanted, version=strategy.version, by=by)


async def balance(pool, name="A"):
    return tuple(await pool.run(lambda raw: raw.fetchrow(BALANCE, name)))


async def test_the_columns_are_the_settings_and_none_is_text_that_hides_a_document(pool):
    columns = {row["column_name"]: row["data_type"] for row in await pool.run(lambda raw: raw.fetch(COLUMNS))}
    assert set(columns) == OWN_COLUMNS | set(SETTING_COLUMNS)
    types = {
        "decimal": "numeric", "whole": "integer", "flag": "boolean", "choice": "text", "text": "text", "wallets": "ARRAY",
        "words": "ARRAY", "time": "timestamp with time zone",
    }  # fmt: skip
    assert {name: columns[name] for name in SETTING_COLUMNS} == {
        name: types[field.metadata["kind"]] for name, field in FIELDS.items()
    }


@pytest.mark.parametrize("side", ["low", "high"])
async def test_every_limit_of_every_setting_fits_its_column(store, owner, side):
    numbers = {n: f.metadata[side] for n, f in FIELDS.items() if f.metadata["kind"] in ("decimal", "whole")}
    finest = {
        n: f.metadata["low"] + Decimal(1).scaleb(-f.metadata["places"])
        for n, f in FIELDS.items() if f.metadata["kind"] == "decimal"
    }  # fmt: skip
    texts = {n: "𝄞" * f.metadata["chars_max"] for n, f in FIELDS.items() if f.metadata["kind"] == "text"}
    for wanted in ({**numbers, **texts}, {**finest, "min_bet": "0.01", "max_bet": "0.01"}):
        name = f"S{next(NUMBERS)}"
        strategy = await made(store, owner, name, **wanted)
        assert (await store.get(name)).settings == strategy.settings == settings_from(wanted)


async def test_every_choice_fits_its_column(store, owner):
    choices = {name: field.metadata["options"] for name, field in FIELDS.items() if field.metadata["kind"] == "choice"}
    for name, options in choices.items():
        for option in options:
            strategy = await made(store, owner, f"S{next(NUMBERS)}", **{name: option.value})
            assert getattr((await store.get(strategy.wallet_id)).settings, name) is option


@settings(
    max_examples=25, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(drawn=st.lists(made_settings(), min_size=2, max_size=5))
def test_settings_come_back_from_columns_and_versions_as_they_went_in(drawn, database):
    async def main():
        async with database_loop(), open_pool(database, "test", 1) as pool:
            store, first = StrategyStore(pool), f"S{next(NUMBERS)}"
            owner = await pool.run(lambda raw: raw.fetchval(ADMIN))
            [strategy] = await store.create([(first, drawn[0])], owner, "ann")
            seen = [drawn[0]]
            for one in drawn[1:]:
                strategy = await store.update(first, one, version=strategy.version, by="bob")
                seen += [one] if one != seen[-1] else []
                assert strategy == await store.get(first)
                assert document_of(strategy.settings) == document_of(one)
            versions = await store.versions(first)
            assert [settings_from(one.settings) for one in versions] == seen[::-1]
            assert [one.version for one in versions] == list(range(len(seen), 0, -1))
            [starting, cash, peak, orders] = await pool.run(lambda raw: raw.fetchrow(BALANCE, first))
            assert (starting, cash, peak, orders) == (*[drawn[-1].starting_balance] * 3, 0)

    trio.run(main)


async def test_a_strategy_is_made_with_its_first_version_and_its_money(store, owner, pool):
    strategy = await made(store, owner, starting_balance="250.50")
    assert (strategy.wallet_id, strategy.version, strategy.owner_id) == ("A", 1, owner)
    assert await balance(pool) == (Decimal("250.5"), Decimal("250.5"), Decimal("250.5"), 0)
    [version] = await store.versions("A")
    assert (version.version, version.changed_by, version.settings) == (1, "ann", document_of(strategy.settings))
    assert await store.get("B") is None
    assert await store.user_id("admin") == owner
    assert await store.user_id("nobody") is None


async def test_many_are_made_together_or_none(store, owner):
    await made(store, owner, "B")
    with pytest.raises(StrategyConflictError, match="B"):
        await store.create([("A", StrategySettings()), ("B", StrategySettings())], owner, "ann")
    assert [one.wallet_id for one in await store.all()] == ["B"]
    with pytest.raises(RejectedError):
        await store.create([("A", StrategySettings()), ("no name", StrategySettings())], owner, "ann")
    assert [one.wallet_id for one in await store.all()] == ["B"]
    with pytest.raises(StrategyConflictError):
        await store.create([("A", StrategySettings()), ("A", StrategySettings())], owner, "ann")


async def test_a_change_makes_a_version_no_change_makes_none(store, owner):
    first = await made(store, owner)
    second = await changed(store, first, by="bob", bet_size=3)
    assert (second.version, second.number) == (2, first.number)
    assert await changed(store, second, bet_size="3.00") == second
    assert [(one.version, one.changed_by) for one in await store.versions("A")] == [(2, "bob"), (1, "ann")]


async def test_whoever_comes_second_is_told_and_changes_nothing(store, owner):
    first = await made(store, owner)
    await changed(store, first, bet_size=3)
    with pytest.raises(StrategyConflictError, match="version 2"):
        await changed(store, first, bet_size=4)
    with pytest.raises(StrategyConflictError, match="no strategy"):
        await store.update("NONE", StrategySettings(), version=1, by="ann")
    assert (await store.get("A")).settings.bet_size == 3


async def test_a_starting_balance_changes_until_the_first_order_and_never_after(database, aio):
    async with postgres_world(database) as world, open_pool(database, "store", 1) as pool:
        store = StrategyStore(pool)
        owner = await pool.run(lambda raw: raw.fetchval(ADMIN))
        strategy = await changed(store, await made(store, owner), starting_balance=500)
        assert await balance(pool) == (500, 500, 500, 0)
        buy = traded(1)
        await world.trades.write([decided(buy, order(buy))])
        with pytest.raises(StrategyConflictError, match="has traded"):
            await changed(store, strategy, starting_balance=600, bet_size=2)
        assert await store.get("A") == strategy
        assert (await balance(pool))[0] == 500
        after = await changed(store, strategy, bet_size=2)
        assert (after.version, after.settings.starting_balance) == (3, 500)


async def test_an_archived_strategy_is_gone_but_for_its_history_and_its_name(store, owner):
    first = await made(store, owner)
    archived = await store.archive("A")
    assert (archived.version, archived.settings.is_active) == (1, False)
    assert await store.archive("A") is None
    assert await store.get("A") is None
    assert await store.all() == []
    assert len(await store.versions("A")) == 1
    for attempt in (made(store, owner), changed(store, first, bet_size=2)):
        with pytest.raises(StrategyConflictError):
            await attempt


async def test_a_thousand_and_more_strategies_come_in_pages_without_one_missing(store, owner, pool):
    names = [f"{random.Random(n).choice('aBZ')}{n}.x" for n in range(1_003)]
    await store.create([(name, StrategySettings()) for name in names], owner, "ann")
    found = [one.wallet_id for one in await store.all()]
    assert len(found) == 1_003
    assert set(found) == set(names)
    first = await store.page(rows_max=10)
    assert [one.wallet_id for one in first] == found[:10]
    assert [one.wallet_id for one in await store.page(found[9], rows_max=5)] == found[10:15]
    other = await pool.run(
        lambda raw: raw.fetchval("INSERT INTO profiles (user_name) VALUES ('bob') RETURNING id::text")
    )
    await made(store, other, "OF_BOB")
    assert [one.wallet_id for one in await store.all(owner_id=other)] == ["OF_BOB"]
    assert len(await store.all(owner_id=owner)) == 1_003


async def test_versions_come_in_pages_newest_first(store, owner):
    strategy = await made(store, owner)
    for size in range(2, 8):
        strategy = await changed(store, strategy, bet_size=size)
    assert [one.version for one in await store.versions("A", rows_max=3)] == [7, 6, 5]
    assert [one.version for one in await store.versions("A", before=3, rows_max=3)] == [2, 1]
    assert await store.versions("A", before=1) == []


async def test_a_file_is_applied_as_a_whole_or_not_at_all(store, owner):
    first, second = await made(store, owner, "A"), await made(store, owner, "B")
    bigger = settings_from({"bet_size": 5})
    await changed(store, second, bet_size=3)
    wanted = [attrs.evolve(one, settings=bigger) for one in (first, second)]
    with pytest.raises(StrategyConflictError):
        await store.apply([("C", bigger)], wanted, owner, "import")
    assert [(one.wallet_id, one.version) for one in await store.all()] == [("A", 1), ("B", 2)]
    await store.apply([("C", bigger)], [attrs.evolve(wanted[0]), attrs.evolve(wanted[1], version=2)], owner, "import")
    assert [(one.wallet_id, one.version, one.settings) for one in await store.all()] == [
        ("A", 2, bigger), ("B", 3, bigger), ("C", 1, bigger)
    ]  # fmt: skip
