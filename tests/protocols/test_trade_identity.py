import contextlib
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import WALLET, row, transaction, wallet

from protocols.amounts import size_from_micro
from protocols.errors import MalformedError
from protocols.trade_identity import fill_key, trade_id_of

ESSENTIALS = st.fixed_dictionaries(
    {
        "transaction_hash": st.integers(0, 3).map(transaction),
        "wallet": st.integers(0, 2).map(wallet),
        "asset": st.integers(0, 2).map(str),
        "side": st.sampled_from(["BUY", "SELL"]),
        "micro": st.integers(1, 3),
    }
)
DESCRIPTION = st.fixed_dictionaries(
    {
        "price": st.decimals(0, 1, allow_nan=False) | st.just(Decimal("NaN")),
        "timestamp": st.integers() | st.text(max_size=5),
        "condition_id": st.text(max_size=8),
        "outcome": st.none() | st.text(max_size=5),
        "outcome_index": st.none() | st.integers(),
        "title": st.none() | st.text(max_size=5),
        "name": st.none() | st.text(max_size=5),
    }
)


def mixed_case(text, upper):
    letters = (char.upper() if use else char.lower() for char, use in zip(text[2:], upper * 64, strict=False))
    return text[:2] + "".join(letters)


def key_of(essentials, description, decimals, upper):
    size = size_from_micro(essentials["micro"]).quantize(Decimal(1).scaleb(-decimals))
    made = row(
        proxy_wallet=mixed_case(essentials["wallet"], upper),
        transaction_hash=mixed_case(essentials["transaction_hash"], upper),
        asset=essentials["asset"],
        side=essentials["side"].lower() if upper[0] else essentials["side"],
        size=size,
        **description,
    )
    return fill_key(made, made.proxy_wallet.lower())


SPELLINGS = st.tuples(DESCRIPTION, st.integers(6, 18), st.lists(st.booleans(), min_size=1, max_size=5))


@MANY
@given(first=ESSENTIALS, second=ESSENTIALS, spelled=SPELLINGS, otherwise=SPELLINGS)
def test_two_rows_share_a_key_exactly_when_the_essentials_agree(first, second, spelled, otherwise):
    assert (key_of(first, *spelled) == key_of(second, *otherwise)) == (first == second)


@MANY
@given(essentials=ESSENTIALS, spelled=SPELLINGS, otherwise=SPELLINGS)
def test_price_time_text_case_and_decimals_are_not_part_of_it(essentials, spelled, otherwise):
    assert key_of(essentials, *spelled) == key_of(essentials, *otherwise)


@MANY
@given(micro=st.integers(1, 10**12), off=st.fractions(Fraction(-49, 100), Fraction(49, 100), max_denominator=1000))
def test_sizes_that_round_to_one_micro_share_are_one_size(micro, off):
    exact = Fraction(micro) + off
    size = Decimal(exact.numerator) / Decimal(exact.denominator) / 1_000_000
    assert fill_key(row(size=size), WALLET) == fill_key(row(size=size_from_micro(micro)), WALLET)


def test_the_id_does_not_change_between_versions():
    # Ids are primary keys of stored rows: a change here is a migration.
    made = row()
    assert fill_key(made, made.proxy_wallet) == "85cfee925b3c2da97b7a6e4fd4b12786"


def test_an_ordinal_tells_identical_fills_apart():
    key = fill_key(row(), WALLET)
    assert len({trade_id_of(key, n) for n in range(30)}) == 30
    assert trade_id_of(key, 0) == f"{key}-0"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"side": ""}, "not_a_trade"),
        ({"asset": ""}, "not_a_trade"),
        ({"side": "HOLD"}, "side"),
        ({"asset": "0x12"}, "token"),
        ({"asset": "-5"}, "token"),
        ({"asset": "٣"}, "token"),
        ({"asset": "1" * 79}, "token"),
        ({"transaction_hash": ""}, "transaction_hash"),
        ({"transaction_hash": "0x"}, "transaction_hash"),
        ({"transaction_hash": "deadbeef" * 8}, "transaction_hash"),
        ({"transaction_hash": "0x" + "1" * 65}, "transaction_hash"),
        ({"transaction_hash": "0xdeadbeef|1|2"}, "transaction_hash"),
        ({"size": Decimal(0)}, "size"),
        ({"size": Decimal("NaN")}, "size"),
    ],
)
def test_what_has_no_identity_says_which_field(changes, reason):
    with pytest.raises(MalformedError) as caught:
        fill_key(row(**changes), WALLET)
    assert caught.value.reason == reason


@MANY
@given(
    side=st.text(max_size=6), asset=st.text(max_size=80), transaction_hash=st.text(max_size=70), wallet=st.text(max_size=45),
    size=st.decimals(),
)  # fmt: skip
def test_no_row_makes_it_raise_anything_else(side, asset, transaction_hash, wallet, size):
    made = row(side=side, asset=asset, transaction_hash=transaction_hash, size=size)
    with contextlib.suppress(MalformedError):
        assert len(fill_key(made, wallet.lower())) == 32
