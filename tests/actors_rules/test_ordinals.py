from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY

from actors.rules.ordinals import OrdinalCounter

PLACES = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
BATCHES = st.lists(st.tuples(st.lists(PLACES, max_size=6), st.integers(0, 2)), max_size=12)


@MANY
@given(batches=BATCHES)
def test_equal_fills_of_a_scope_count_up_however_often_a_batch_is_tried_again(batches):
    counter, seen = OrdinalCounter(), Counter()
    for places, crashes in batches:
        for _ in range(crashes):
            abandoned = {}
            for scope, key in places:
                counter.tentative(scope, key, abandoned)
        counted = {}
        for scope, key in places:
            assert counter.tentative(scope, key, counted) == seen[scope, key]
            seen[scope, key] += 1
        counter.commit(counted)


@MANY
@given(places=st.lists(PLACES, max_size=20), keys_max=st.integers(1, 4))
def test_memory_is_bounded_and_the_last_places_are_right(places, keys_max):
    counter, seen, order = OrdinalCounter(keys_max), Counter(), []
    for scope, key in places:
        counted = {}
        ordinal = counter.tentative(scope, key, counted)
        recent = list(dict.fromkeys(reversed(order)))[:keys_max]
        if (scope, key) in recent or (scope, key) not in seen:
            assert ordinal == seen[scope, key]
        seen[scope, key] = ordinal + 1
        order.append((scope, key))
        counter.commit(counted)
        assert len(counter) <= 2 * (keys_max + 1)


def test_the_same_fill_elsewhere_starts_again_at_zero():
    counter, batch = OrdinalCounter(), {}
    assert [counter.tentative(scope, "k", batch) for scope in ("rtds:1:trades", "rtds:2:trades", "gap:1")] == [0, 0, 0]
    assert counter.tentative("gap:1", "k", batch) == 1
