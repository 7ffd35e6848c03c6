import random

import attrs
import pytest
import trio
from property.memory_members import MemoryMembers, report_of

from actors.member import ClusterMember
from protocols.cluster import EVERY_ROLE, Api, Role

TTL_S = 9.0


@attrs.define(eq=False)
class Granted:
    last: tuple = ()

    def grant(self, shares, *, until_s, cut_off, cut_off_until_s):
        self.last = (dict(shares), until_s, dict(cut_off), cut_off_until_s)


@attrs.define(eq=False, slots=False)
class Place:
    """A process beside others."""

    name: str
    table: MemoryMembers
    works: frozenset = frozenset({Role.POLL})
    allowances: Granted = attrs.field(factory=Granted)

    def __attrs_post_init__(self):
        self.line = self.table.line()
        self.member = ClusterMember(
            member_id=self.name,
            working=lambda: self.works,
            report=lambda: report_of(self.name, *self.works, roles=EVERY_ROLE),
            store=self.line,
            allowances=self.allowances,
            ttl_s=TTL_S,
            rng=random.Random(1),
        )

    def sees(self):
        return [one.report.member_id for one in self.member.view().members]


@pytest.fixture
def table():
    return MemoryMembers()


async def test_members_see_each_other_by_the_next_beat_and_say_good_bye(table, autojump_clock):
    one, other = Place("one", table), Place("other", table)
    async with trio.open_nursery() as nursery:
        await nursery.start(one.member.run)
        assert one.sees() == ["one"]
        scope = trio.CancelScope()

        async def run_other(task_status):
            with scope:
                await other.member.run(task_status=task_status)

        await nursery.start(run_other)
        assert sorted(other.sees()) == ["one", "other"]
        await trio.sleep(TTL_S / 3 + 0.1)
        assert sorted(one.sees()) == ["one", "other"]
        scope.cancel()
        await trio.sleep(TTL_S / 3 + 0.1)
        assert (one.sees(), one.member.view().lost) == (["one"], 0)
        nursery.cancel_scope.cancel()
    assert [row.left_s is not None for row in table.rows.values()] == [True, True]


async def test_whoever_dies_is_gone_after_the_lease_time(table, autojump_clock):
    one, other = Place("one", table), Place("other", table)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.member.run)
        with trio.move_on_after(4):
            await trio.sleep(0.1)
            async with trio.open_nursery() as dying:
                dying.start_soon(other.member.run)
                await trio.sleep(3.5)
                other.line.asks = "lost"
                dying.cancel_scope.cancel()
        assert sorted(one.sees()) == ["one", "other"]
        await trio.sleep(TTL_S + TTL_S / 3)
        assert (one.sees(), one.member.view().lost) == (["one"], 1)
        nursery.cancel_scope.cancel()


async def test_without_the_database_the_view_is_kept_and_then_the_engine_counts_itself_out(table, autojump_clock):
    one = Place("one", table)
    async with trio.open_nursery() as nursery:
        await nursery.start(one.member.run)
        asked_s = trio.current_time()
        one.line.asks = "lost"
        await trio.sleep(0.85 * TTL_S)
        assert one.member.view().is_in
        await trio.sleep_until(asked_s + 0.9 * TTL_S + 0.01)
        view = one.member.view()
        assert (view.is_in, view.members, view.working_at(Role.POLL)) == (False, (), [])
        # The others count it until later: never is a wallet polled by somebody whom they hold for dead.
        assert [member.is_live for member in table.members()] == [True]
        one.line.asks = ""
        await trio.sleep(2)
        assert one.member.view().is_in
        nursery.cancel_scope.cancel()


async def test_what_is_allowed_ends_with_the_view(table, autojump_clock):
    one = Place("one", table)
    async with trio.open_nursery() as nursery:
        await nursery.start(one.member.run)
        shares, until_s, cut_off, cut_off_until_s = one.allowances.last
        assert (shares[Api.DATA], shares[Api.CLOB], cut_off[Api.DATA]) == (875, 0, 50)
        assert (until_s, cut_off_until_s) == (pytest.approx(0.9 * TTL_S), pytest.approx(0.9 * TTL_S + 600))
        nursery.cancel_scope.cancel()
    assert one.allowances.last[0] == {}


async def test_a_change_of_work_is_told_at_once(table, autojump_clock):
    one = Place("one", table)
    async with trio.open_nursery() as nursery:
        await nursery.start(one.member.run)
        version = one.member.view().version
        one.works = frozenset({Role.POLL, Role.INGEST})
        await trio.sleep(0.3)
        assert one.member.view().working_at(Role.INGEST) == ["one"]
        assert one.member.view().version == version + 1
        await trio.sleep(2 * TTL_S)
        assert one.member.view().version == version + 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("fault", ["lost", "unanswered"])
async def test_it_starts_without_the_database(table, autojump_clock, fault):
    one = Place("one", table)
    one.line.asks = fault
    async with trio.open_nursery() as nursery:
        await nursery.start(one.member.run)
        assert not one.member.view().is_in
        assert one.member.failures == 1
        one.line.asks = ""
        await trio.sleep(3)
        assert one.sees() == ["one"]
        nursery.cancel_scope.cancel()
