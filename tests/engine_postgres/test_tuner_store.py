"""What the tuner proposes, applies, judges and takes back, in a real database."""

from datetime import timedelta

import attrs
import pytest
from engine_postgres.tuner_world import JOB, TunerWorld

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.tuner_deciding import TunerConflictError
from protocols.errors import FencedError, TransientError
from protocols.tuner import NoteKind, ProposalKind, ProposalStatus

CHANGE = {"price_min": "0.3", "min_edge": "0.05"}


@pytest.fixture
async def world(database, aio):
    connection = Connection(database, "test")
    yield TunerWorld(connection)
    await connection.aclose()


async def proposed(world, name="A", **document):
    await world.strategy(name, **document)
    world.search.findings[name] = CHANGE
    await world.run()
    [one] = await world.proposals(wallet_id=name)
    return one


async def applied(world, name="A"):
    one = await proposed(world, name)
    # What is looked at later finds nothing any more.
    world.search.findings.clear()
    return await world.store.approve(one.proposal_id, "ann")


async def test_only_strategies_under_care_are_looked_at(world):
    await world.strategy("A")
    await world.strategy("B", agent_managed=False)
    await world.strategy("C", is_active=False)
    await world.strategy("D")
    await world.strategies.archive("D")
    figures = await world.run()
    assert [one.wallet_id for one in world.search.asked[0].subjects] == ["A"]
    assert (figures["searched"], figures["proposed"], figures["managed"]) == (1, 0, 2)
    [note] = await world.reports.notes(rows_max=10)
    assert (note.wallet_id, note.kind, note.text) == ("A", NoteKind.OBSERVATION, "looked")


async def test_a_proposal_waits_with_its_evidence_and_a_second_run_asks_nothing(world):
    one = await proposed(world)
    assert (one.kind, one.status, dict(one.after)) == (ProposalKind.CHANGE, ProposalStatus.WAITING, CHANGE)
    assert one.evidence["tries"] == 90
    assert (await world.settings("A"))["price_min"] == "0.1"
    hypothesis = (await world.reports.notes(rows_max=10))[0]
    assert (hypothesis.kind, hypothesis.proposal_id, hypothesis.outcome) == (NoteKind.HYPOTHESIS, one.proposal_id, None)
    await world.run()
    assert len(world.search.asked) == 1
    assert len(await world.proposals()) == 1


async def test_what_is_approved_is_an_ordinary_version_that_says_who(world):
    one = await applied(world)
    assert (one.status, one.applied_version, one.decided_by) == (ProposalStatus.APPLIED, 2, "ann")
    assert {name: (await world.settings("A"))[name] for name in CHANGE} == CHANGE
    assert (await world.strategies.versions("A"))[0].changed_by == f"tuner proposal {one.proposal_id}, approved by ann"
    [hypothesis] = [one for one in await world.reports.notes(rows_max=9) if one.kind is NoteKind.HYPOTHESIS]
    assert hypothesis.outcome == "APPLIED"
    with pytest.raises(TunerConflictError, match="APPLIED already"):
        await world.store.approve(one.proposal_id, "bob")
    with pytest.raises(TunerConflictError, match="there is no proposal"):
        await world.store.reject(999, "bob", "")


async def test_what_applies_itself_is_applied_unless_money_is_live(world):
    await world.strategy("A", agent_applies=True)
    await world.strategy("B", agent_applies=True)
    await world.mirror("B")
    await world.strategy("C")
    world.search.findings = dict.fromkeys("ABC", CHANGE)
    figures = await world.run()
    assert (figures["proposed"], figures["applied"]) == (3, 1)
    found = {one.wallet_id: one for one in await world.proposals()}
    assert {name: one.status.value for name, one in found.items()} == {"A": "APPLIED", "B": "WAITING", "C": "WAITING"}
    assert found["B"].mirrored
    assert (await world.strategies.versions("A"))[0].changed_by.endswith("applied by the tuner")
    # A person may.
    assert (await world.store.approve(found["B"].proposal_id, "ann")).status is ProposalStatus.APPLIED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_active": False}, "paused"),
        ({"agent_managed": False}, "care"),
        ({"bet_size": 3}, "changed meanwhile: bet_size"),
    ],
)
async def test_a_strategy_that_moved_on_is_refused_with_the_reason(world, change, reason):
    one = await proposed(world)
    await world.change("A", **change)
    refused = await world.store.approve(one.proposal_id, "ann")
    assert refused.status is ProposalStatus.REFUSED
    assert reason in refused.reason
    assert (await world.settings("A"))["price_min"] == "0.1"


async def test_an_archived_strategy_is_refused(world):
    one = await proposed(world)
    await world.strategies.archive("A")
    assert "put away" in (await world.store.approve(one.proposal_id, "ann")).reason


async def test_what_was_rejected_is_not_asked_again_for_a_week(world):
    one = await proposed(world)
    rejected = await world.store.reject(one.proposal_id, "ann", "not now")
    assert (rejected.status, rejected.reason) == (ProposalStatus.REJECTED, "not now")
    await world.passes(days=6)
    await world.run()
    assert len(world.search.asked) == 1
    await world.passes(days=1, minutes=1)
    await world.run()
    assert [one.status.value for one in await world.proposals()] == ["WAITING", "REJECTED"]


async def test_what_nobody_decides_expires(world):
    await proposed(world)
    await world.passes(days=world.config.expire_days, minutes=1)
    figures = await world.run()
    assert figures["expired"] == 1
    assert [one.status.value for one in await world.proposals()] == ["EXPIRED"]


async def test_many_are_searched_a_few_at_a_time_and_who_was_left_comes_first(world):
    for number in range(7):
        await world.strategy(f"S{number}")
    world.search.fails_after = 1
    with pytest.raises(TransientError):
        await world.run()
    # What the first ones came to is kept.
    assert len(await world.reports.notes(rows_max=10)) == 3
    world.search.fails_after = None
    await world.passes(days=1)
    figures = await world.run()
    asked = [[one.wallet_id for one in order.subjects] for order in world.search.asked]
    assert asked == [["S0", "S1", "S2"], ["S3", "S4", "S5"], ["S3", "S4", "S5"], ["S6", "S0", "S1"], ["S2"]]
    assert (figures["searched"], figures["left"]) == (7, 0)


async def test_looks_that_overlap_are_counted(world):
    await world.strategy("A")
    for _ in range(3):
        await world.run()
        await world.passes(days=1)
    assert [order.subjects[0].looks for order in world.search.asked] == [0, 1, 2]
    await world.passes(days=world.config.validation_days)
    await world.run()
    assert world.search.asked[-1].subjects[0].looks == 0


async def judged(world, *, before, after, **shift):
    """Orders before and after a change, one day later."""
    one = await applied(world)
    await world.orders("A", *before, ago=timedelta(hours=20), version=1)
    await world.passes(**(shift or {"days": 1, "minutes": 5}))
    await world.orders("A", *after, ago=timedelta(hours=4), version=2)
    figures = await world.run()
    return figures, await world.reports.proposal(one.proposal_id)


async def test_what_degraded_is_taken_back_once(world):
    figures, one = await judged(world, before=(40, 24), after=(40, 16))
    assert (figures["evaluated"], figures["rolled_back"]) == (1, 1)
    assert (one.status, one.evaluation["after"]["orders"]) == (ProposalStatus.ROLLED_BACK, 40)
    assert one.evaluation["winRateChange"] == pytest.approx(-0.2)
    settings = await world.settings("A")
    assert (settings["price_min"], settings["min_edge"]) == ("0.1", "0")
    assert (await world.strategies.versions("A"))[0].changed_by == (
        f"tuner proposal {one.proposal_id}, rolled back by the tuner"
    )
    await world.run()
    assert (await world.strategies.get("A")).version == 3
    # The week is counted from the rollback, not from the change.
    await world.passes(days=6, hours=12)
    await world.run()
    assert len(world.search.asked) == 1


async def test_what_improved_or_did_nothing_stays(world):
    _, one = await judged(world, before=(40, 20), after=(40, 24))
    assert one.status is ProposalStatus.IMPROVED
    assert (await world.settings("A"))["price_min"] == "0.3"


async def test_too_few_orders_wait_and_end_neutral(world):
    _, one = await judged(world, before=(40, 20), after=(10, 0))
    assert one.status is ProposalStatus.APPLIED
    await world.passes(days=6)
    await world.run()
    one = await world.reports.proposal(one.proposal_id)
    assert one.status is ProposalStatus.NEUTRAL
    assert "fewer than 20 orders" in one.reason


async def test_only_orders_that_were_over_within_their_day_count_on_both_sides(world):
    one = await applied(world)
    slow, day = timedelta(hours=30), timedelta(days=1)
    await world.orders("A", 40, 40, ago=timedelta(hours=34), version=1, took=slow)
    await world.orders("A", 40, 20, ago=timedelta(hours=20), version=1)
    # Older than the seven days before.
    await world.orders("A", 40, 40, ago=7 * day + timedelta(hours=1), version=1)
    await world.passes(days=1, minutes=5)
    await world.orders("A", 40, 20, ago=timedelta(hours=4), version=2)
    await world.run()
    evaluation = (await world.reports.proposal(one.proposal_id)).evaluation
    assert (evaluation["before"]["orders"], evaluation["before"]["wins"]) == (40, 20)


async def test_what_somebody_changed_since_is_not_taken_back(world):
    one = await applied(world)
    await world.change("A", price_min="0.4")
    await world.orders("A", 40, 24, ago=timedelta(hours=20), version=1)
    await world.passes(days=1, minutes=5)
    await world.orders("A", 40, 16, ago=timedelta(hours=4), version=3)
    await world.run()
    one = await world.reports.proposal(one.proposal_id)
    assert one.status is ProposalStatus.DEGRADED
    assert "somebody has changed price_min" in one.reason
    assert (await world.settings("A"))["price_min"] == "0.4"


async def test_where_money_is_live_taking_back_waits_for_a_person(world):
    one = await applied(world)
    await world.mirror("A")
    await world.orders("A", 40, 24, ago=timedelta(hours=20), version=1)
    await world.passes(days=1, minutes=5)
    await world.orders("A", 40, 16, ago=timedelta(hours=4), version=2)
    await world.run()
    back, first = await world.proposals()
    assert (first.proposal_id, first.status) == (one.proposal_id, ProposalStatus.DEGRADED)
    assert (back.kind, back.status, dict(back.after)) == (
        ProposalKind.ROLLBACK, ProposalStatus.WAITING, {"price_min": "0.1", "min_edge": "0"}
    )  # fmt: skip
    await world.run()
    assert (await world.settings("A"))["price_min"] == "0.3"
    assert (await world.store.approve(back.proposal_id, "ann")).status is ProposalStatus.APPLIED
    assert (await world.settings("A"))["price_min"] == "0.1"
    assert (await world.reports.proposal(one.proposal_id)).status is ProposalStatus.ROLLED_BACK


async def test_without_the_libraries_it_still_judges(world):
    world.search.there = False
    await world.strategy("A")
    figures = await world.run()
    assert (figures["installed"], figures["note"], world.search.asked) == (False, "not installed", [])


async def test_under_a_lost_lease_nothing_is_written(world):
    one = await proposed(world)
    lease = await world.lease()
    lost = attrs.evolve(lease, epoch=lease.epoch + 1)
    for write in (
        lambda: world.store.expire(lost),
        lambda: world.store.apply(lost, one.proposal_id),
        lambda: world.store.evaluate(lost, one.proposal_id),
        lambda: world.store.prune(lost, rows_max=10),
    ):
        with pytest.raises(FencedError):
            await write()
    assert lease.job == JOB


async def test_old_rows_go_and_what_is_undecided_stays(world):
    await proposed(world)
    await proposed(world, "B")
    rejected = (await world.proposals(wallet_id="B"))[0].proposal_id
    await world.store.reject(rejected, "ann", "")
    attic = attrs.evolve(world.config, expire_days=90)
    assert attic.keep_days == 365
    await world.fetch("UPDATE tuner_proposals SET expires_at = now() + interval '2 years'")
    await world.passes(days=366)
    world.search.there = False
    figures = await world.run()
    assert figures["pruned"] == 5
    assert [one.wallet_id for one in await world.proposals()] == ["A"]


async def test_pages_go_on_where_they_ended(world):
    for number in range(5):
        await proposed(world, f"S{number}")
    first = await world.reports.proposals(rows_max=3)
    rest = await world.reports.proposals(rows_max=3, before=first[-1].proposal_id)
    assert [one.wallet_id for one in (*first, *rest)] == ["S4", "S3", "S2", "S1", "S0"]
    notes = await world.reports.notes(rows_max=4)
    assert len(await world.reports.notes(rows_max=10, before=notes[-1].note_id)) == 6
    assert await world.reports.proposals(owner_id="00000000-0000-0000-0000-000000000000", rows_max=9) == []
