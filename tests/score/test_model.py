import json
from contextlib import suppress
from decimal import Decimal
from math import nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score.made_inputs import buys
from score.made_models import boosted_document, logistic_document, naive_probability, text_of
from score.test_features import BUY

from actors.rules.score.features import UnfitError, feature_vector
from actors.rules.score.model import read_model
from protocols.decisions import Absent, Present
from protocols.errors import RejectedError
from protocols.score_models import DOCUMENT_BYTES_MAX

DOCUMENTS = [logistic_document(2), boosted_document(3), boosted_document(4, leaves=1), boosted_document(5, trees=0)]
MODELS = [(document, read_model(text_of(document))) for document in DOCUMENTS]


@given(inputs=buys, which=st.sampled_from(MODELS))
def test_a_model_says_what_its_document_says(inputs, which):
    document, model = which
    values = feature_vector(inputs)
    assert model.probability(values) == pytest.approx(naive_probability(document, values), abs=1e-12)


@given(inputs=buys, which=st.sampled_from(MODELS))
def test_a_score_is_a_decimal_of_six_digits_and_the_same_again(inputs, which):
    _, model = which
    score = model.score(inputs)
    assert isinstance(score, Present)
    assert score.probability.as_tuple().exponent == -6
    assert 0 <= score.probability <= 1
    assert model.score(inputs) == score


@given(inputs=buys)
def test_a_model_does_not_judge_where_training_never_saw_something_unknown(inputs):
    model = read_model(text_of(logistic_document(seen=False)))
    known = all(value == value for value in feature_vector(inputs))
    assert isinstance(model.score(inputs), Present if known else Absent)
    if not known:
        assert model.score(inputs) == Absent(reason="unknown_feature")


def test_what_a_model_must_not_judge_has_a_reason():
    model = read_model(text_of(logistic_document()))
    assert model.score(msgspec.structs.replace(BUY, side="SELL")) == Absent(reason="not_a_buy")
    assert model.score(msgspec.structs.replace(BUY, price=Decimal(1))) == Absent(reason="feature_range")
    document = boosted_document()
    document.boosted.slope = 1e308
    document.boosted.intercept = -1e308
    values = feature_vector(BUY)
    values[1] = -1e10
    with pytest.raises(UnfitError, match="no_number"):
        read_model(text_of(document)).probability(values)


def _at(document, path):
    place = document
    for step in path[:-1]:
        place = place[step]
    return place, path[-1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2),
        (("kind",), "logistic"),
        (("kind",), "other"),
        (("feature_version",), 2),
        (("features", 0), "priced"),
        (("unknown_seen",), [True]),
        (("more",), 1),
        (("logistic",), {"intercept": 0, "means": [], "scales": [], "weights": []}),
        (("boosted", "intercept"), None),
        (("boosted", "slope"), "1"),
        (("boosted", "trees", 0, "features", 0), 59),
        (("boosted", "trees", 0, "features", 0), -1),
        (("boosted", "trees", 0, "features", 0), True),
        (("boosted", "trees", 0, "thresholds"), []),
        (("boosted", "trees", 0, "lefts", 0), 0),
        (("boosted", "trees", 0, "lefts", 1), 1),
        (("boosted", "trees", 0, "rights", 0), 99),
        (("boosted", "trees", 0, "rights", 0), -99),
        (("boosted", "trees", 0, "leaves"), [0.0]),
        (("boosted", "trees", 0, "code"), "import os"),
    ],
)
def test_a_document_with_anything_wrong_is_refused(path, value):
    document = json.loads(text_of(boosted_document()))
    place, last = _at(document, path)
    place[last] = value
    with pytest.raises(RejectedError):
        read_model(json.dumps(document))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{" * 10_000, "\ud800", '{"format": NaN}', "x" * (DOCUMENT_BYTES_MAX + 1)]
)
def test_what_is_no_document_is_refused(text):
    with pytest.raises(RejectedError):
        read_model(text)


@pytest.mark.parametrize(
    ("part", "value"), [("scales", 0.0), ("scales", -1.0), ("weights", "NaN"), ("means", "Infinity")]
)
def test_numbers_of_a_logistic_model_have_to_be_numbers(part, value):
    document = json.loads(text_of(logistic_document()))
    document["logistic"][part][3] = 7.5
    text = json.dumps(document).replace("7.5", str(value))
    with pytest.raises(RejectedError):
        read_model(text)


@given(data=st.data())
def test_a_document_that_is_cut_or_has_a_byte_changed_never_does_more_than_be_refused(data):
    text = text_of(boosted_document(trees=2))
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from(["", "0", "-", "9", '"', "}", "e"])) + text[at + 1 :]
    try:
        model = read_model(changed)
    except RejectedError:
        return
    # Whatever is still a document ends, and says a probability.
    with suppress(UnfitError):
        assert 0 <= model.probability([nan if number % 3 else float(number % 2) for number in range(59)]) <= 1
