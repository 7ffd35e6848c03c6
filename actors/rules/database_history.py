"""Whether the database that is written to can lack something that was committed before: decides if live entries may go on.

A standby that is promoted begins a new timeline of PostgreSQL's write-ahead log. If commits waited for the standby, it has all
of them; if not, the last ones may be missing, and with them orders that were sent: then nobody may buy before somebody has
looked (reliability.md row 15).
"""

import enum

import attrs


@attrs.frozen(kw_only=True)
class DatabaseHistory:
    """Which history of commits a server goes on with, and how far it is."""

    system_id: str
    """Of the cluster's files, the same on every copy made of them."""
    timeline: int
    """Counted up by each promotion and each restore of the log to a point in time; 0: the server does not say."""
    position_bytes: int
    """How much of the log is safe on its disk; rises as long as nothing is lost."""
    is_synchronous: bool
    """Commits wait for a standby."""


class Continuity(enum.Enum):
    """How a history goes on after another one that was seen before."""

    SAME = "same"
    """Nothing happened."""
    COMPLETE = "complete"
    """Another server or timeline, which has everything that was committed."""
    DOUBTFUL = "doubtful"
    """The last commits may be missing."""


def continuity(before: DatabaseHistory | None, now: DatabaseHistory) -> Continuity:
    """Returns how `now` goes on after `before`; None: nobody has looked before."""
    if before is None:
        return Continuity.SAME
    if (before.system_id, before.timeline) == (now.system_id, now.timeline):
        return Continuity.SAME if now.position_bytes >= before.position_bytes else Continuity.DOUBTFUL
    is_promoted = before.system_id == now.system_id and now.timeline > before.timeline
    return Continuity.COMPLETE if is_promoted and before.is_synchronous else Continuity.DOUBTFUL


def doubt(before: DatabaseHistory, now: DatabaseHistory) -> str:
    """Returns in words what is wrong with a doubtful history: the reason of the halt that it brings."""
    if before.system_id != now.system_id:
        return f"the database is another one (system {now.system_id}, before {before.system_id})"
    if before.timeline == now.timeline:
        lost = before.position_bytes - now.position_bytes
        return f"the database is {lost} bytes of its log behind what it had"
    if now.timeline < before.timeline:
        return f"the database went back to timeline {now.timeline} from {before.timeline}"
    return f"failover to timeline {now.timeline} from {before.timeline}, whose commits did not wait for the standby"
