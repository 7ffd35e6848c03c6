"""The job dies before or after any transaction, runs again, and days go by: nothing is applied twice, no cool-down is lost."""

from datetime import timedelta
from itertools import pairwise

import attrs
import pytest
import trio
from engine_postgres.tuner_world import TunerWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.postgres.database import Connection, database_loop
from engine.adapters.postgres.tuner_store import PostgresTunerStore
from protocols.tuner import COOL_DOWN_DAYS, ProposalKind, ProposalStatus

NAMES = ("SELF", "ASKS", "LIVE")
CLEAR = "TRUNCATE tuner_proposals, tuner_notes, ft_orders, lt_strategies CASCADE"
CLEAR_STRATEGIES = "DELETE FROM ft_wallets"
ALL_VERSIONS = """
SELECT wallet_id, version, changed_by, settings FROM ft_wallet_versions ORDER BY wallet_id, version
"""
WRITES = ("expire", "evaluate", "apply", "record", "prune")


class Stopped(Exception):
    """The engine died."""


@attrs.define(eq=False)
class DyingStore:
    """The real store, which dies before or just after a chosen transaction that writes."""

    store: PostgresTunerStore
    left: int
    after: bool

    def __getattr__(self, name):
        method = getattr(self.store, name)
        if name not in WRITES:
            return method

        async def write(*arguments, **options):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Stopped
            result = await method(*arguments, **options)
            if self.left == 0:
                raise Stopped
            return result

        return write


steps = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 14), st.booleans()),
    st.tuples(st.just("run"), st.just(0), st.just(False)),
    st.tuples(st.just("days"), st.integers(1, 9), st.just(False)),
    st.tuples(st.just("orders"), st.sampled_from([0, 10, 20, 28]), st.just(False)),
    st.tuples(st.just("approve"), st.sampled_from(NAMES), st.just(False)),
    st.tuples(st.just("reject"), st.sampled_from(NAMES), st.just(False)),
)


@attrs.define(eq=False)
class Course:
    """One course of events."""

    world: TunerWorld
    offered: int = 0

    async def begin(self):
        await self.world.fetch(CLEAR)
        await self.world.fetch(CLEAR_STRATEGIES)
        await self.world.strategy("SELF", agent_applies=True)
        await self.world.strategy("ASKS")
        await self.world.strategy("LIVE", agent_applies=True)
        await self.world.mirror("LIVE")

    async def run(self, left, after):
        self._offer()
        store = DyingStore(self.world.store, left or 10**9, after)
        try:
            await self.world.run(store)
        except* Stopped:
            pass

    async def days(self, count, _):
        await self.world.passes(days=count, minutes=1)

    async def orders(self, won, _):
        for name in NAMES:
            version = (await self.world.strategies.get(name)).version
            await self.world.orders(name, 30, won, ago=timedelta(hours=3), version=version)

    async def approve(self, name, _):
        for one in await self.world.proposals(wallet_id=name, statuses=[ProposalStatus.WAITING]):
            await self.world.store.approve(one.proposal_id, "ann")

    async def reject(self, name, _):
        for one in await self.world.proposals(wallet_id=name, statuses=[ProposalStatus.WAITING]):
            await self.world.store.reject(one.proposal_id, "ann", "")

    def _offer(self):
        """Each search finds another value."""
        self.offered += 1
        self.world.search.findings = {name: {"price_min": f"{(11 + self.offered % 30) / 100:g}"} for name in NAMES}

    async def check(self):
        versions = await self.world.fetch(ALL_VERSIONS)
        proposals = {one.proposal_id: one for one in await self.world.proposals()}
        by_name = {name: [row for row in versions if row["wallet_id"] == name] for name in NAMES}
        for name, rows in by_name.items():
            applied = [
                row["changed_by"] for row in rows if "rolled back" not in row["changed_by"] and row["version"] > 1
            ]
            back = [row["changed_by"] for row in rows if "rolled back" in row["changed_by"]]
            # Nothing is applied or taken back twice, and each version is a proposal that says so.
            assert len(set(applied)) == len(applied)
            assert len(set(back)) == len(back)
            kept = [one for one in proposals.values() if one.wallet_id == name and one.applied_version]
            assert {one.applied_version for one in kept} == {
                row["version"] for row in rows if row["changed_by"] in applied
            }
            ended = sum(one.status is ProposalStatus.ROLLED_BACK for one in kept if one.kind is ProposalKind.CHANGE)
            # Where money is live, taking back is a proposal of its own.
            asked = sum(one.kind is ProposalKind.ROLLBACK for one in kept)
            assert ended == len(back) + asked
            assert name != "LIVE" or not back
            assert sum(one.status is ProposalStatus.WAITING for one in proposals.values() if one.wallet_id == name) <= 1
        assert not any("by the tuner" in row["changed_by"] for row in by_name["LIVE"])
        assert not any("applied by the tuner" in row["changed_by"] for row in by_name["ASKS"])
        self._cool_down(proposals.values())

    def _cool_down(self, proposals):
        for name in NAMES:
            changes = sorted(
                one.applied_at
                for one in proposals
                if one.wallet_id == name and one.applied_at and one.kind is ProposalKind.CHANGE
            )
            for earlier, later in pairwise(changes):
                assert later - earlier >= timedelta(days=COOL_DOWN_DAYS)


async def play(database, course):
    """Plays a course, then lets the job take up what was left; returns the world of the end."""
    connection = Connection(database, "test")
    try:
        made = Course(TunerWorld(connection))
        await made.begin()
        for name, *arguments in course:
            await getattr(made, name)(*arguments)
            await made.check()
        await made.run(0, False)
        await made.check()
        before = await made.world.fetch(ALL_VERSIONS)
        await made.run(0, False)
        assert await made.world.fetch(ALL_VERSIONS) == before
        return await made.world.proposals()
    finally:
        await connection.aclose()


@pytest.mark.timeout(300)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(course=st.lists(steps, min_size=3, max_size=14))
def test_whenever_it_dies_nothing_happens_twice_and_no_cool_down_is_lost(database, course):
    async def main():
        async with database_loop():
            await play(database, course)

    trio.run(main)


@pytest.mark.parametrize("after", [False, True])
async def test_a_degradation_is_taken_back_wherever_the_job_dies(database, aio, after):
    for proposing, judging in ((3, 1), (4, 2), (6, 2), (7, 3), (2, 4)):
        course = [
            ("orders", 28, False),
            ("run", proposing, after),
            ("run", 0, False),
            ("approve", "ASKS", False),
            ("approve", "LIVE", False),
            ("days", 1, False),
            ("orders", 0, False),
            ("run", judging, after),
        ]
        found = await play(database, course)
        ended = {(one.wallet_id, one.kind): one.status for one in found}
        assert ended[("SELF", ProposalKind.CHANGE)] is ProposalStatus.ROLLED_BACK
        assert ended[("ASKS", ProposalKind.CHANGE)] is ProposalStatus.ROLLED_BACK
        assert ended[("LIVE", ProposalKind.CHANGE)] is ProposalStatus.DEGRADED
        assert ended[("LIVE", ProposalKind.ROLLBACK)] is ProposalStatus.WAITING
        assert len(found) == 4
