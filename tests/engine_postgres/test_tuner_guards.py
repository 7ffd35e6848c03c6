"""What the tuner may not do is refused by PostgreSQL itself, whoever writes the row and however."""

import json
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from engine_postgres.tuner_world import TunerWorld

import engine.adapters.postgres
from actors.rules.tuner.bounds import BOUNDS
from engine.adapters.postgres.database import Connection
from protocols.tuner import COOL_DOWN_DAYS, PARAMETERS_MAX

MIGRATION = Path(engine.adapters.postgres.__file__).parent / "migrations" / "0018_tuner.sql"
INSERT = """
INSERT INTO tuner_proposals (kind, wallet_id, version, before, after, evidence, expires_at)
VALUES ('change', $1, 1, $2::text::jsonb, $3::text::jsonb, '{}', now() + interval '1 day') RETURNING proposal_id
"""
APPLY = """
UPDATE tuner_proposals
SET status = 'APPLIED', decided_by = 'tuner', decided_at = now(), applied_at = now(), applied_version = $2
WHERE proposal_id = $1
"""
VERSION = """
INSERT INTO ft_wallet_versions (wallet_id, version, settings, changed_by) VALUES ($1, $2, $3::text::jsonb, $4)
"""
NOTE = """
INSERT INTO tuner_notes (wallet_id, day, kind, text, figures) VALUES ($1, current_date, 'observation', 'x', '{}')
"""


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    made = TunerWorld(connection)
    await made.strategy("A")
    yield made
    await connection.aclose()


async def refused(world, constraint, statement, *arguments):
    """Runs a statement past the program, and names what refused it."""
    found = []

    async def work(raw):
        try:
            async with raw.transaction():
                await raw.execute(statement, *arguments)
        except asyncpg.CheckViolationError as error:
            found.append(error.constraint_name)
        except asyncpg.UniqueViolationError as error:
            found.append(error.constraint_name)

    await world.connection.run(work)
    assert found == [constraint]


async def insert(world, name="A", after=None):
    after = after or {"price_min": "0.3"}
    before = {"price_min": "0.1"}
    [[proposal_id]] = await world.fetch(INSERT, name, json.dumps(before), json.dumps(after))
    return proposal_id


BEFORE, AFTER = '{"price_min": "0.1"}', '{"price_min": "0.3"}'


async def test_a_strategy_outside_its_care_cannot_be_named(world):
    await world.strategy("FOREIGN", agent_managed=False)
    await world.strategy("PAUSED", is_active=False)
    await world.strategy("GONE")
    await world.strategies.archive("GONE")
    for name in ("FOREIGN", "PAUSED", "GONE"):
        await refused(world, "tuner_care", INSERT, name, BEFORE, AFTER)
    for name in ("FOREIGN", "GONE"):
        await refused(world, "tuner_care", NOTE, name)


async def test_a_proposal_cannot_be_moved_to_another_strategy_or_rewritten(world):
    await world.strategy("FOREIGN", agent_managed=False)
    number = await insert(world)
    for change in (
        "wallet_id = 'FOREIGN'",
        'after = \'{"price_min": "0.4"}\'',
        "kind = 'rollback', undoes = proposal_id",
    ):
        statement = "UPDATE tuner_proposals SET " + change + " WHERE proposal_id = $1"
        await refused(world, "tuner_rewritten", statement, number)


@pytest.mark.parametrize(
    "after",
    [
        {"price_min": "0.51"},
        {"price_min": "0"},
        {"price_max": "0.29"},
        {"model_threshold": "0.76"},
        {"min_edge": "-0.1"},
        {"bet_size": "5.01"},
        {"min_trader_resolved_count": 9},
        {"min_conviction": None},
        {"min_conviction": "3e9"},
        {"price_min": ["0.3"]},
        {"starting_balance": "10"},
        {"agent_applies": True},
        {},
        {"price_min": "0.3", "price_max": "0.9", "min_edge": "0.1", "min_conviction": "1"},
    ],
)
async def test_bounds_names_and_their_number_hold(world, after):
    before = dict.fromkeys(after)
    found = []

    async def work(raw):
        try:
            await raw.execute(INSERT, "A", json.dumps(before), json.dumps(after))
        except asyncpg.CheckViolationError as error:
            found.append(error.constraint_name)

    # The guard of what was before goes first; it is out of the way here.
    await world.fetch("ALTER TABLE tuner_proposals DISABLE TRIGGER tuner_proposals_guarded")
    await world.connection.run(work)
    assert found == ["tuner_proposals_check1"]


async def test_what_was_before_has_to_be_true_and_of_the_same_settings(world):
    await refused(world, "tuner_before", INSERT, "A", '{"price_min": "0.2"}', AFTER)
    await refused(world, "tuner_proposals_check2", INSERT, "A", "{}", AFTER)


async def test_one_undecided_proposal_a_strategy(world):
    await insert(world)
    await refused(world, "tuner_proposals_waiting", INSERT, "A", BEFORE, AFTER)


async def test_the_cool_down_holds(world):
    number = await insert(world)
    await world.store.approve(number, "ann")
    before = json.dumps({"price_min": "0.3"})
    await refused(world, "tuner_cool_down", INSERT.replace("$1, 1", "$1, 2"), "A", before, AFTER)
    await world.passes(days=7, minutes=1)
    await world.fetch(INSERT.replace("$1, 1", "$1, 2"), "A", before, '{"price_min": "0.4"}')


async def test_nothing_is_applied_without_its_version(world):
    number = await insert(world)
    await refused(world, "tuner_version", APPLY, number, 2)
    await refused(
        world, "tuner_status", "UPDATE tuner_proposals SET status = 'IMPROVED' WHERE proposal_id = $1", number
    )


async def test_a_version_in_the_tuners_name_is_its_proposal_word_for_word(world):
    number = await insert(world)
    settings = await world.settings("A")
    by = f"tuner proposal {number}, applied by the tuner"
    for wrong in (
        {**settings, "price_min": "0.4"},
        {**settings, "price_min": "0.3", "bet_size": "5"},
        {**settings, "price_min": "0.3", "agent_managed": False},
        settings,
    ):
        await refused(world, "tuner_version", VERSION, "A", 2, json.dumps(wrong), by)
    right = json.dumps({**settings, "price_min": "0.3"})
    await refused(world, "tuner_version", VERSION, "A", 2, right, "tuner proposal 99, applied by the tuner")
    await refused(world, "tuner_version", VERSION, "A", 2, right, "tuner proposal x")
    # It lets nobody but a person apply anything.
    await refused(world, "tuner_applies", VERSION, "A", 2, right, by)
    await world.fetch(VERSION, "A", 2, right, f"tuner proposal {number}, approved by ann")


async def test_a_strategy_that_money_mirrors_is_not_changed_by_the_tuner(world):
    await world.strategy("B", agent_applies=True)
    await world.mirror("B")
    number = await insert(world, "B")
    right = json.dumps({**await world.settings("B"), "price_min": "0.3"})
    await refused(world, "tuner_live", VERSION, "B", 2, right, f"tuner proposal {number}, applied by the tuner")
    await world.fetch(VERSION, "B", 2, right, f"tuner proposal {number}, approved by ann")


async def test_out_of_care_in_between_nothing_is_applied(world):
    number = await insert(world)
    await world.change("A", agent_managed=False)
    settings = json.dumps({**await world.settings("A"), "price_min": "0.3"})
    await refused(world, "tuner_care", VERSION, "A", 3, settings, f"tuner proposal {number}, approved by ann")
    await refused(world, "tuner_care", APPLY, number, 3)


async def test_a_rollback_takes_back_what_it_names_and_nothing_else(world):
    await world.strategy("B")
    number = await insert(world)
    await world.store.approve(number, "ann")
    rollback = """
        INSERT INTO tuner_proposals (kind, wallet_id, version, before, after, evidence, expires_at, undoes)
        VALUES ('rollback', $1, 2, $2::text::jsonb, $3::text::jsonb, '{}', now() + interval '1 day', $4)
    """
    await refused(world, "tuner_rollback", rollback, "A", AFTER, '{"price_min": "0.2"}', number)
    await refused(world, "tuner_rollback", rollback, "B", AFTER, BEFORE, number)
    await world.fetch(rollback, "A", AFTER, BEFORE, number)


async def test_a_proposal_does_not_begin_decided(world):
    statement = INSERT.replace("(kind,", "(status, decided_by, decided_at, kind,").replace(
        "('change',", "('REJECTED', 'x', now(), 'change',"
    )
    await refused(world, "tuner_status", statement, "A", BEFORE, AFTER)


async def test_the_database_has_the_bounds_of_the_program(world):
    tiny = Decimal("0.000001")
    for name, bound in BOUNDS.items():
        for value, allowed in (
            (bound.low, True), (bound.high, True), (bound.low - tiny, False), (bound.high + tiny, False)
        ):  # fmt: skip
            [[found]] = await world.fetch(
                "SELECT tuner_value_allowed($1, to_jsonb($2::text))", name, format(value, "f")
            )
            assert found is allowed, (name, value)
    assert f"interval '{COOL_DOWN_DAYS} days'" in MIGRATION.read_text()
    assert f"BETWEEN 1 AND {PARAMETERS_MAX}" in MIGRATION.read_text()
