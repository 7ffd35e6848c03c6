from hypothesis import given
from hypothesis import strategies as st

from actors.rules.shared_texts import LOOK_AHEAD, SharedTexts

TEXTS = st.lists(st.integers(0, 60), unique=True)


def texts(numbers):
    return [f"wallet {number}" for number in numbers]


@given(before=TEXTS, after=TEXTS)
def test_what_comes_back_is_always_equal(before, after):
    sharing = SharedTexts(texts(before))
    assert [sharing.shared(text) for text in texts(after)] == texts(after)


@given(
    before=st.lists(st.integers(0, 10**6), unique=True, min_size=1).map(sorted),
    added=st.sets(st.integers(0, 10**6)),
    removed=st.integers(0, LOOK_AHEAD - 1),
    at=st.integers(0, 100),
)
def test_additions_and_a_few_removals_share_all_that_was_there(before, added, removed, at):
    old = texts(before)
    kept = before[: at % len(before)] + before[at % len(before) + removed :]
    sharing = SharedTexts(old)
    objects = {text: text for text in old}
    for text in texts(sorted({*kept, *added} - (set(before) - set(kept)))):
        shared = sharing.shared(text)
        assert text not in objects or shared is objects[text]
