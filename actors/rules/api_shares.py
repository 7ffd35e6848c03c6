"""How the members of a cluster divide what the venue allows to all of them together.

A share is a number of thousandths, kept in the member's row; whoever changes one sees all of them, one at a time. Three rules
keep their sum within the whole, whoever joins, dies or loses the database:

- A member takes at most what the others leave. One that has to give does so with its next heartbeat, then others may grow.
- A part is reserved for whoever joins, so that nobody waits for the heartbeats of others to make a first call.
- A row that has run out may be of a process that is alive and cut off from the database. It counts as `CUT_OFF` for
  `CUT_OFF_S`, and such a process uses no more than that, and after it nothing.

Between two views nothing is ever used twice. What a call costs is in `engine/runtime/allowance.py`: a share that grows brings
no tokens along.
"""

import math
from collections.abc import Mapping, Sequence

import attrs

from protocols.cluster import Api, Beat, Member, Role, Shares

WHOLE = 1_000
RESERVE = 125
SHARE_MIN = 50
"""The smallest burst that is published is 20 calls: with less than a twentieth of it, not a single call would fit."""
CUT_OFF = 50
CUT_OFF_S = 600.0
WEIGHTS: Mapping[Api, Mapping[Role, int]] = {
    Api.DATA: {Role.INGEST: 3, Role.POLL: 4, Role.JOBS: 2, Role.EXECUTE: 1},
    Api.GAMMA: {Role.INGEST: 2, Role.JOBS: 1, Role.API: 4, Role.EXECUTE: 1},
    Api.CLOB: {Role.INGEST: 2, Role.EXECUTE: 4, Role.API: 2},
}
"""How much of an API those roles need that use it, against each other. A role that a member does not do now needs nothing."""


@attrs.frozen(kw_only=True)
class Claim:
    """What another member has of one API."""

    weight: int
    share: int
    left_s: float
    """Until it counts as lost; negative of one that is."""

    @property
    def in_force(self) -> int:
        """Returns what it may be using now."""
        if self.left_s > 0:
            return self.share
        return min(self.share, CUT_OFF) if self.left_s > -CUT_OFF_S else 0


def weight_of(api: Api, working: frozenset[Role]) -> int:
    """Returns how much of an API a member needs that does these roles."""
    return sum(WEIGHTS[api].get(role, 0) for role in working)


def share_for(weight: int, others: Sequence[Claim]) -> int:
    """Returns the share of a member that needs `weight`, beside all others."""
    if weight == 0:
        return 0
    weights = weight + sum(one.weight for one in others if one.left_s > 0)
    wanted = max(SHARE_MIN, (WHOLE - RESERVE) * weight // weights)
    free = WHOLE - sum(one.in_force for one in others)
    if free >= wanted:
        return wanted
    # Others are yet to give. Half of what is there is left to whoever joins next.
    share = min(wanted, max(SHARE_MIN, free // 2))
    return share if share <= free else 0


def settled(beat: Beat, others: Sequence[Member]) -> tuple[Shares, Shares]:
    """Returns what a member may use from now on, and what the others have to count it for.

    A smaller share counts from the next heartbeat on, which says that it is kept to: this answer may be lost.
    """
    if not beat.divides:
        whole = {api: WHOLE if weight_of(api, beat.report.working) else 0 for api in Api}
        return whole, whole
    granted = {api: share_for(weight_of(api, beat.report.working), [_claim(api, one) for one in others]) for api in Api}
    return granted, {api: max(share, beat.using.get(api, 0)) for api, share in granted.items()}


def _claim(api: Api, member: Member) -> Claim:
    # Whoever said good-bye had stopped asking before.
    left_s = -math.inf if member.has_left else member.left_s
    return Claim(weight=weight_of(api, member.report.working), share=member.shares.get(api, 0), left_s=left_s)
