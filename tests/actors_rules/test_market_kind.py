import pytest

from actors.rules.market_kind import niche_of, structure_of

YES_NO = ("Yes", "No")


@pytest.mark.parametrize(
    ("title", "outcomes", "structure"),
    [
        ("Lakers vs. Celtics: O/U 220.5", ("Over", "Under"), "OVER_UNDER"),
        ("Total goals in the final", YES_NO, "OVER_UNDER"),
        ("Anything", ("under", "OVER "), "OVER_UNDER"),
        ("Spread: Lakers (-5.5)", ("Lakers", "Celtics"), "SPREAD"),
        ("Messi to score anytime?", YES_NO, "PROP"),
        ("Lakers vs. Celtics", ("Lakers", "Celtics"), "HEAD_TO_HEAD"),
        ("Will Lakers beat Celtics?", YES_NO, "YES_NO"),
        ("Bitcoin Up or Down", ("Up", "Down"), "STANDARD"),
        (None, (), "STANDARD"),
    ],
)
def test_structures(title, outcomes, structure):
    assert structure_of(title, outcomes) == structure


@pytest.mark.parametrize(
    ("title", "category", "tags", "niche"),
    [
        ("Bitcoin Up or Down", None, (), "CRYPTO"),
        ("Lakers vs. Celtics", "Sports", ("NBA",), "NBA"),
        ("Lakers vs. Celtics", "Sports", (), "SPORTS"),
        ("Will Trump win the election?", None, (), "POLITICS"),
        ("Something methodical", None, (), "OTHER"),  # `eth` inside a word is no coin
        (None, None, (), "OTHER"),
        ("Bitcoin", "Politics", (), "POLITICS"),
    ],
)
def test_niches_go_by_tags_then_category_then_title(title, category, tags, niche):
    assert niche_of(title, category, tags) == niche
