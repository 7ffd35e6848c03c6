"""The whole table of what was seen before × what is there now."""

import itertools

import attrs
import pytest

from actors.rules.database_history import Continuity, DatabaseHistory, continuity, doubt

SAME, COMPLETE, DOUBTFUL = Continuity.SAME, Continuity.COMPLETE, Continuity.DOUBTFUL
BEFORE = DatabaseHistory(system_id="s", timeline=3, position_bytes=1_000, is_synchronous=True)

# (is the same system, timeline now, position now) → with a standby that is waited for, and without.
TABLE = {
    (True, 3, 1_000): (SAME, SAME),
    (True, 3, 1_001): (SAME, SAME),
    (True, 3, 999): (DOUBTFUL, DOUBTFUL),
    (True, 4, 999): (COMPLETE, DOUBTFUL),
    (True, 4, 2_000): (COMPLETE, DOUBTFUL),
    (True, 7, 0): (COMPLETE, DOUBTFUL),
    (True, 2, 2_000): (DOUBTFUL, DOUBTFUL),
    (False, 3, 2_000): (DOUBTFUL, DOUBTFUL),
    (False, 4, 2_000): (DOUBTFUL, DOUBTFUL),
    (False, 1, 0): (DOUBTFUL, DOUBTFUL),
}


@pytest.mark.parametrize(("case", "waits_now"), list(itertools.product(TABLE, (True, False))))
def test_how_a_history_goes_on(case, waits_now):
    is_same_system, timeline, position = case
    now = DatabaseHistory(
        system_id="s" if is_same_system else "t", timeline=timeline, position_bytes=position, is_synchronous=waits_now
    )
    # Whether commits wait now says nothing of those before.
    assert (
        continuity(BEFORE, now),
        continuity(attrs.evolve(BEFORE, is_synchronous=False), now),
    ) == TABLE[case]


def test_whoever_looks_first_has_nothing_to_compare_with():
    assert continuity(None, BEFORE) is SAME


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system_id": "t"}, "another one"),
        ({"position_bytes": 900}, "100 bytes of its log behind"),
        ({"timeline": 2}, "went back to timeline 2 from 3"),
        ({"timeline": 4}, "failover to timeline 4 from 3"),
    ],
)
def test_a_doubt_is_said_in_words(change, words):
    assert words in doubt(BEFORE, attrs.evolve(BEFORE, **change))
