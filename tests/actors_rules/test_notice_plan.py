"""What becomes of deliveries: together or alone, later, not at all; and when a failure is tried again."""

from datetime import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.notices.delivery_plan import (
    REFUSED_TRIES_MAX,
    TOGETHER_MAX,
    TRIES_MAX,
    after_failure,
    channels_for,
    is_address,
    plan,
)
from protocols.notifications import (
    MAIL,
    URGENT,
    ChannelRule,
    ClaimedDelivery,
    Notice,
    NoticeKind,
    Preferences,
    SendResult,
)

NIGHT_MS = 1_795_044_600_000
"""2026-11-18 23:30 UTC."""
QUIET = Preferences(quiet_from=time(22), quiet_to=time(7))


def delivery(number=1, kind=NoticeKind.ORDER_FILLED, **changes):
    one = ClaimedDelivery(
        notice=Notice(notification_id=number, kind=kind, payload={}, happened_ms=NIGHT_MS),
        channel=MAIL, claim=1, attempts=0, user_id="u1", user_name="ann", email="ann@example.org", is_disabled=False,
        preferences=Preferences(),
    )  # fmt: skip
    return attrs.evolve(one, **changes)


def numbers(group):
    return [one.notice.notification_id for one in group]


def test_notices_of_one_user_and_channel_go_together_oldest_first():
    given_ = [delivery(3), delivery(1), delivery(2, user_id="u2"), delivery(4, channel="ops")]
    assert [numbers(group) for group in plan(given_, NIGHT_MS).together] == [[1, 3], [2], [4]]
    many = plan([delivery(n) for n in range(TOGETHER_MAX + 1)], NIGHT_MS).together
    assert [len(group) for group in many] == [TOGETHER_MAX, 1]


def test_what_failed_often_and_a_test_go_alone():
    given_ = [delivery(1), delivery(2, attempts=3), delivery(3, attempts=2), delivery(4, kind=NoticeKind.TEST)]
    assert [numbers(group) for group in plan(given_, NIGHT_MS).together] == [[1, 3], [2], [4]]


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_quiet_hours_hold_up_what_is_not_urgent(kind):
    wanted = plan([delivery(kind=kind, preferences=QUIET)], NIGHT_MS)
    if kind in URGENT:
        assert (len(wanted.together), wanted.later) == (1, ())
    else:
        [(one, until_ms)] = wanted.later
        assert 0 <= until_ms - (NIGHT_MS + 7.5 * 3_600_000) <= 1
        assert plan([one], until_ms).together == ((one,),)


@pytest.mark.parametrize(
    ("changes", "is_wanted"),
    [
        ({"preferences": Preferences(email=False)}, False),
        ({"preferences": Preferences(email=False), "channel": "ops"}, True),
        ({"preferences": Preferences(unwanted=frozenset({NoticeKind.ORDER_FILLED})), "channel": "ops"}, False),
        ({"email": None}, False),
        ({"email": "a@b.org, c@d.org"}, False),
        ({"is_disabled": True}, False),
        ({"is_disabled": True, "channel": "ops"}, False),
    ],
)
def test_what_the_user_wants_now_counts(changes, is_wanted):
    wanted = plan([delivery(**changes)], NIGHT_MS)
    assert (len(wanted.together), len(wanted.unwanted)) == (int(is_wanted), int(not is_wanted))


def test_a_test_ignores_wishes_and_is_tried_once():
    one = delivery(kind=NoticeKind.TEST, preferences=attrs.evolve(QUIET, email=False))
    assert plan([one], NIGHT_MS).together == ((one,),)
    assert after_failure(one, SendResult(number=0, error="no"), 0.5).after_s is None


@pytest.mark.parametrize(
    ("refused", "tries", "hours"), [(False, TRIES_MAX, (8, 30)), (True, REFUSED_TRIES_MAX, (3, 12))]
)
def test_pauses_double_and_tries_end(refused, tries, hours):
    for chance in (0.0, 0.999):
        pauses = [
            after_failure(delivery(attempts=n), SendResult(number=0, error="no", refused=refused), chance).after_s
            for n in range(tries)
        ]
        assert pauses[-1] is None
        assert pauses[:-1] == sorted(pauses[:-1])
        assert hours[0] <= sum(pauses[:-1]) / 3_600 <= hours[1]


def test_crashes_alone_use_up_tries():
    assert plan([delivery(attempts=TRIES_MAX)], NIGHT_MS).given_up == (delivery(attempts=TRIES_MAX),)


@MANY
@given(
    st.lists(
        st.tuples(
            st.integers(1, 99), st.sampled_from(list(NoticeKind)), st.sampled_from([MAIL, "ops"]),
            st.integers(0, 14), st.booleans(), st.booleans(), st.booleans(),
        ),
        unique_by=lambda one: (one[0], one[2]),
    )
)  # fmt: skip
def test_each_delivery_gets_exactly_one_fate(given_):
    claimed = [
        delivery(number, kind, channel=channel, attempts=attempts, is_disabled=gone,
                 preferences=attrs.evolve(QUIET if quiet else Preferences(), email=email))
        for number, kind, channel, attempts, gone, quiet, email in given_
    ]  # fmt: skip
    one = plan(claimed, NIGHT_MS)
    fates = [
        *(two for group in one.together for two in group),
        *(two for two, _ in one.later),
        *one.unwanted,
        *one.given_up,
    ]
    assert sorted(two.key for two in fates) == sorted(two.key for two in claimed)


def test_which_channels_a_notice_goes_to():
    rules = [
        ChannelRule(name=MAIL, needs_address=True), ChannelRule(name="all"),
        ChannelRule(name="anns", users=frozenset({"ann"})),
        ChannelRule(name="drifts", kinds=frozenset({NoticeKind.DRIFT})),
    ]  # fmt: skip
    assert channels_for(NoticeKind.DRIFT, "ann", "ann@example.org", rules) == [MAIL, "all", "anns", "drifts"]
    assert channels_for(NoticeKind.ORDER_FILLED, "bob", None, rules) == ["all"]
    assert channels_for(NoticeKind.TEST, "ann", None, rules) == ["all", "anns", "drifts"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ann@example.org", True), ("a.b+c@mail.example.co.uk", True), ("ann@localhost", True), (None, False), ("", False),
        ("ann", False), ("ann@example.org\n", False), ("ann@example.org\r\nBcc: x@example.org", False), ("a@b@c", False),
        ("a@b.org,c@d.org", False), ("Ann <ann@example.org>", False), ("a" * 65 + "@example.org", False),
    ],
)  # fmt: skip
def test_an_address_is_one_plain_address(text, is_one):
    assert is_address(text) is is_one
