"""Moments of a cron expression in UTC, and which of them a scheduler still owes."""

from datetime import datetime
from itertools import pairwise

import attrs
from cronsim import CronSim

from config.jobs import cron_problem
from protocols.jobs import ATTEMPTS_MAX, JobStatus, LastSlot
from protocols.timestamps import utc_datetime

_MINUTE_MS = 60_000
GAPS_LOOKED_AT = 10


@attrs.frozen
class CronTimes:
    """The moments of an expression, in epoch milliseconds, on whole minutes. Raises `ValueError` for a wrong one."""

    expression: str = attrs.field()

    @expression.validator
    def _check(self, _attribute: object, value: str) -> None:
        if (problem := cron_problem(value)) is not None:
            raise ValueError(f"{value!r} {problem}")

    def next_after(self, epoch_ms: int) -> int:
        """Returns the first moment later than a time."""
        return _ms(next(CronSim(self.expression, utc_datetime(_minute(epoch_ms)))))

    def latest_until(self, epoch_ms: int) -> int:
        """Returns the last moment that is not later than a time."""
        following = utc_datetime(_minute(epoch_ms) + _MINUTE_MS)
        return _ms(next(CronSim(self.expression, following, reverse=True)))

    def longest_gap_s(self, epoch_ms: int, slots: int = GAPS_LOOKED_AT) -> float:
        """Returns the longest of the next pauses between two moments: a weekend, for a job of working days."""
        moments = [self.next_after(epoch_ms)]
        while len(moments) <= slots:
            moments.append(self.next_after(moments[-1]))
        return max(later - earlier for earlier, later in pairwise(moments)) / 1000


def slot_owed(cron: CronTimes, now_ms: int, last: LastSlot) -> int | None:
    """Returns the slot that is to be run now, or None.

    Decided against the last slot on record, not against a clock of ours: the latest slot when it is newer (those missed
    in between are made up for by this one), or the last one again when its run was abandoned and attempts are left.
    """
    latest_ms = cron.latest_until(now_ms)
    if latest_ms > last.slot_ms:
        return latest_ms
    again = last.status in (JobStatus.ABANDONED, JobStatus.RUNNING) and last.attempt < ATTEMPTS_MAX
    return last.slot_ms if again else None


def _minute(epoch_ms: int) -> int:
    return epoch_ms - epoch_ms % _MINUTE_MS


def _ms(moment: datetime) -> int:
    return round(moment.timestamp()) * 1000
