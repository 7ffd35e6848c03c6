from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import NOON_S, WALLET, condition, described, laned, raw

from protocols.errors import MalformedError
from protocols.trades import LanedTrade, canonical_condition_id, trade_from_row, without_description

IDENTITY = (
    "trade_id", "wallet", "transaction_hash", "token_id", "condition_id", "side", "size_micro", "price", "trade_ms", "seen_s",
)  # fmt: skip
ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=2_200)


def trade(**changes):
    return trade_from_row(raw(**changes), trade_id="id-0", wallet=WALLET, payload_json="{}")


def test_a_row_becomes_the_exact_fact():
    made = trade(
        side="buy", size=Decimal("2.7027000"), price=Decimal("0.6889999998935867"), timestamp=str(NOON_S * 1000),
        transaction_hash="0xABCDEF0123", outcome="No", outcome_index=1, name="PPMT",
    )  # fmt: skip
    assert (made.side, made.size_micro, made.price) == ("BUY", 2_702_700, Decimal("0.6889999998935867"))
    assert (made.trade_ms, made.transaction_hash) == (NOON_S * 1000, "0xabcdef0123")
    assert (made.outcome, made.outcome_index, made.trader_name) == ("No", 1, "PPMT")


@pytest.mark.parametrize("index", [999, 1_000, -1, 10**30, None])
def test_an_outcome_index_that_is_none_is_none(index):
    assert trade(outcome_index=index).outcome_index is None


@MANY
@given(texts=st.lists(ANY_TEXT, min_size=6, max_size=6))
def test_descriptive_text_is_storable_and_bounded_whatever_it_was(texts):
    names = ("outcome", "slug", "event_slug", "title", "name", "icon")
    for text in described(trade(**dict(zip(names, texts, strict=True)))):
        if isinstance(text, str):
            assert "\x00" not in text
            assert len(text.encode()) <= 8_000


@MANY
@given(number=st.integers(0, 100), texts=st.lists(ANY_TEXT, min_size=2, max_size=2))
def test_without_description_the_fact_is_the_same(number, texts):
    full = LanedTrade(trade(title=texts[0], name=texts[1], outcome_index=1), laned(number).lane)
    bare = without_description(full)
    assert bare.lane is full.lane
    assert all(getattr(bare.trade, name) == getattr(full.trade, name) for name in IDENTITY)
    assert (bare.trade.market_title, bare.trade.trader_name, bare.trade.raw) == (None, None, "{}")
    assert without_description(bare) == bare


@MANY
@given(digits=st.integers(60, 66), upper=st.booleans(), spaces=st.sampled_from(["", " ", "\n"]))
def test_a_condition_id_has_one_spelling(digits, upper, spaces):
    text = "0x" + "aB1" * 22
    text = text[: 2 + digits]
    canonical = canonical_condition_id(spaces + (text.upper().replace("X", "x") if upper else text) + spaces)
    assert canonical == text.lower() + ("00" if digits == 62 else "")
    assert canonical_condition_id(canonical) == canonical


@pytest.mark.parametrize("text", ["", "  ", "x" * 129])
def test_what_is_no_condition_id(text):
    with pytest.raises(MalformedError, match="condition_id"):
        canonical_condition_id(text)


def test_a_condition_id_with_unstorable_characters_can_be_stored():
    assert canonical_condition_id(condition(1)[:-1] + "\x00") == condition(1)[:-1] + "\ufffd"
