"""What becomes of deliveries that are due: sent now and together, put off, not wanted, tried again, given up."""

import re
from collections.abc import Iterable, Sequence

import attrs

from actors.rules.notices.quiet_hours import quiet_until
from protocols.notifications import (
    MAIL,
    URGENT,
    ChannelRule,
    ClaimedDelivery,
    NoticeKind,
    Retry,
    SendResult,
)
from protocols.timestamps import utc_datetime

TRIES_MAX = 12
REFUSED_TRIES_MAX = 6
FIRST_PAUSE_S, REFUSED_PAUSE_S, PAUSE_MAX_S = 60.0, 900.0, 21_600.0
ALONE_FROM_TRIES = 3
"""So many failures and a notice goes alone: one that a channel does not like holds up no other."""
TOGETHER_MAX = 50
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


def is_address(text: str | None) -> bool:
    """Returns whether a text is one plain mail address: no names, no lists, no line breaks."""
    return text is not None and len(text) <= 254 and bool(_ADDRESS.fullmatch(text))


def channels_for(kind: NoticeKind, user_name: str, email: str | None, channels: Iterable[ChannelRule]) -> list[str]:
    """Returns the channels that a notice of a user goes to."""
    return [
        one.name
        for one in channels
        if (one.users is None or user_name in one.users)
        and (one.kinds is None or kind in one.kinds or kind is NoticeKind.TEST)
        and (not one.needs_address or is_address(email))
    ]


@attrs.frozen(kw_only=True)
class Plan:
    """What to do with claimed deliveries; each is in exactly one of these."""

    together: tuple[tuple[ClaimedDelivery, ...], ...]
    """Each becomes one message, oldest notice first."""
    later: tuple[tuple[ClaimedDelivery, int], ...]
    """With the moment in ms since the epoch at which quiet hours end."""
    unwanted: tuple[ClaimedDelivery, ...]
    given_up: tuple[ClaimedDelivery, ...]
    """Crashes alone have used up their tries."""


def plan(claimed: Sequence[ClaimedDelivery], now_ms: int) -> Plan:
    """Returns what to do with deliveries that are due at `now_ms`. What the user wants now counts, not what he wanted then."""
    groups: dict[tuple[str, ...], list[ClaimedDelivery]] = {}
    later, unwanted, given_up = list[tuple[ClaimedDelivery, int]](), list[ClaimedDelivery](), list[ClaimedDelivery]()
    for one in sorted(claimed, key=lambda one: one.key):
        if _is_unwanted(one):
            unwanted.append(one)
        elif one.attempts >= tries_max(one):
            given_up.append(one)
        elif (until := _quiet_until_ms(one, now_ms)) is not None:
            later.append((one, until))
        else:
            groups.setdefault(_group_of(one), []).append(one)
    return Plan(
        together=tuple(
            tuple(group[start : start + TOGETHER_MAX])
            for group in groups.values()
            for start in range(0, len(group), TOGETHER_MAX)
        ),
        later=tuple(later),
        unwanted=tuple(unwanted),
        given_up=tuple(given_up),
    )


def tries_max(one: ClaimedDelivery) -> int:
    """Returns how often a delivery is tried at most. Somebody waits for the answer to a test."""
    return 1 if one.notice.kind is NoticeKind.TEST else TRIES_MAX


def after_failure(one: ClaimedDelivery, result: SendResult, chance: float) -> Retry:
    """Returns what follows a failed try; `chance` is in [0, 1) and spreads tries over half of each pause.

    Weather: 12 tries, the pauses double from a minute to six hours: 10 to 20 hours in all. A refusal: 6 tries from a quarter
    of an hour on, since an operator can mend an address or a password.
    """
    failed = one.attempts + 1
    last = min(tries_max(one), REFUSED_TRIES_MAX) if result.refused else tries_max(one)
    first_s = REFUSED_PAUSE_S if result.refused else FIRST_PAUSE_S
    pause_s = min(PAUSE_MAX_S, first_s * 2.0 ** min(one.attempts, 40)) * (0.5 + chance / 2)
    return Retry(delivery=one, error=result.error or "", after_s=None if failed >= last else pause_s)


def _is_unwanted(one: ClaimedDelivery) -> bool:
    if one.is_disabled:
        return True
    if one.notice.kind is NoticeKind.TEST:
        return False
    if one.channel == MAIL and not (one.preferences.email and is_address(one.email)):
        return True
    return one.notice.kind in one.preferences.unwanted


def _quiet_until_ms(one: ClaimedDelivery, now_ms: int) -> int | None:
    if one.notice.kind in URGENT:
        return None
    until = quiet_until(utc_datetime(now_ms), one.preferences)
    # Up, so that it is over by then.
    return None if until is None else int(until.timestamp() * 1000) + 1


def _group_of(one: ClaimedDelivery) -> tuple[str, ...]:
    alone = one.attempts >= ALONE_FROM_TRIES or one.notice.kind is NoticeKind.TEST
    return (one.channel, one.user_id, str(one.notice.notification_id) if alone else "")
