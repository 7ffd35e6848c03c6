"""What a poller apart believes about the stream."""

import attrs
import pytest
import trio
from property.memory_members import report_of

from actors.polling.stream_watch import ToldCoverage
from protocols.cluster import ClusterView, Member, MemberFigures, Role


def member(name, role, covered_s=None):
    report = attrs.evolve(report_of(name, role), figures=MemberFigures(stream_covered_s=covered_s))
    return Member(report=report, shares={}, up_s=1, seen_age_s=0, left_s=10, has_left=False)


def coverage(*members):
    class Seen:
        def view(self):
            return ClusterView(member_id="me", members=members)

    return ToldCoverage(membership=Seen())


async def test_whoever_ingests_says_for_how_long_the_stream_missed_nothing(autojump_clock):
    await trio.sleep(100)
    told = coverage(member("a", Role.INGEST, 30.0), member("b", Role.POLL), member("c", Role.API, 50.0))
    assert told.covered_since_s() == pytest.approx(70)


@pytest.mark.parametrize(
    "members",
    [
        (),
        (member("a", Role.POLL),),
        (member("a", Role.INGEST),),
        # For some seconds of a take-over both may say so: neither is believed.
        (member("a", Role.INGEST, 30.0), member("b", Role.INGEST, 5.0)),
    ],
)
async def test_in_doubt_nothing_is_covered(members, autojump_clock):
    assert coverage(*members).covered_since_s() is None
