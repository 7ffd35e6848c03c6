"""Hours in which a user does not want to be disturbed, by the clock on his wall."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from protocols.notifications import Preferences


def zone_of(name: str) -> tzinfo | None:
    """Returns a time zone by its IANA name, or None when this machine knows none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def is_quiet(wall: time, quiet_from: time, quiet_to: time) -> bool:
    """Returns whether a local time lies in quiet hours, which may go over midnight. The end is not quiet any more."""
    if quiet_from < quiet_to:
        return quiet_from <= wall < quiet_to
    return wall >= quiet_from or wall < quiet_to


def quiet_until(now: datetime, wanted: Preferences) -> datetime | None:
    """Returns when the quiet hours end in which `now` (aware) lies, in UTC; None outside of them.

    The wall clock decides, also in the night in which it is set: what is skipped takes no time, what comes twice is quiet
    twice. An end that is skipped is the moment of the change as the old time has it. A zone that is unknown here is UTC.
    """
    if wanted.quiet_from is None or wanted.quiet_to is None:
        return None
    zone = zone_of(wanted.timezone) or UTC
    local = now.astimezone(zone)
    if not is_quiet(local.time(), wanted.quiet_from, wanted.quiet_to):
        return None
    days = [local.date() + timedelta(days=offset) for offset in (0, 1)]
    ends = sorted(
        datetime.combine(day, wanted.quiet_to, tzinfo=zone).replace(fold=fold).astimezone(UTC)
        for day in days
        for fold in (0, 1)
    )
    # An end that is skipped has a second meaning, which is still quiet.
    return next(end for end in ends if end > now and not _is_quiet_at(end, zone, wanted.quiet_from, wanted.quiet_to))


def _is_quiet_at(moment: datetime, zone: tzinfo, quiet_from: time, quiet_to: time) -> bool:
    return is_quiet(moment.astimezone(zone).time(), quiet_from, quiet_to)
