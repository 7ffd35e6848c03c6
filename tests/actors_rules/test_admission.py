from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import STRANGER, WALLET, condition, raw, transaction, wallet

from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from protocols.trades import Lane

LANES = {WALLET: Lane.TARGET, wallet(1): Lane.FOLLOWED, wallet(2): Lane.KNOWN}
RAWS = st.builds(
    raw,
    scope=st.sampled_from(["rtds:1:trades", "rtds:1:orders_matched", "gap:1"]),
    proxy_wallet=st.sampled_from([WALLET, wallet(1), wallet(2), STRANGER]),
    transaction_hash=st.integers(0, 2).map(transaction),
    size=st.sampled_from([Decimal(1), Decimal("NaN"), Decimal(0)]) | st.just(Decimal(2)),
    price=st.sampled_from([Decimal("0.5"), Decimal(2)]),
)


def memory():
    return Memory(RecentSet(1_000))


@MANY
@given(batch=st.lists(RAWS, max_size=15))
def test_deciding_changes_nothing_and_is_the_same_again(batch):
    remembered = memory()
    first, again = admit(batch, LANES, remembered), admit(batch, LANES, remembered)
    assert first.kept == again.kept
    assert (first.repeated, first.ignored, first.malformed) == (again.repeated, again.ignored, again.malformed)
    assert not len(remembered.recent)
    assert not len(remembered.ordinals)


@MANY
@given(batch=st.lists(RAWS, max_size=15), cut=st.integers(0, 15))
def test_every_row_is_kept_repeated_ignored_or_malformed_however_it_is_batched(batch, cut):
    remembered, parts = memory(), []
    for part in (batch[:cut], batch[cut:]):
        admission = admit(part, LANES, remembered)
        assert len(part) == (
            len(admission.kept) + admission.repeated + admission.ignored + sum(admission.malformed.values())
        )
        remembered.commit(admission)
        parts.append(admission)
    whole = admit(batch, LANES, memory())
    assert parts[0].kept + parts[1].kept == whole.kept
    assert parts[0].malformed + parts[1].malformed == whole.malformed
    assert len({laned.trade.trade_id for laned in whole.kept}) == len(whole.kept)


@MANY
@given(batch=st.lists(RAWS, max_size=15))
def test_what_was_kept_once_is_repeated_on_every_other_connection(batch):
    remembered = memory()
    first = admit(batch, LANES, remembered)
    remembered.commit(first)
    for raw_trade in batch:
        raw_trade.scope = "rtds:9:" + raw_trade.scope
    second = admit(batch, LANES, remembered)
    assert not second.kept
    assert second.ignored == first.ignored


def test_a_trade_gets_the_lane_of_its_wallet_in_any_case():
    shouted = raw(proxy_wallet=WALLET.upper().replace("X", "x"))
    admission = admit([shouted], LANES, memory())
    (laned,) = admission.kept
    assert laned.lane is Lane.TARGET
    assert laned.trade.wallet == WALLET


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": Decimal(2)}, "price"),
        ({"price": Decimal("NaN")}, "price"),
        ({"size": Decimal(0)}, "size"),
        ({"timestamp": 5}, "timestamp"),
        ({"timestamp": "soon"}, "timestamp"),
        ({"condition_id": " "}, "condition_id"),
        ({"transaction_hash": "?"}, "transaction_hash"),
        ({"asset": "x"}, "token"),
        ({"side": ""}, "not_a_trade"),
    ],
)
def test_a_malformed_row_is_counted_by_reason_and_costs_no_other(changes, reason):
    admission = admit([raw(**changes), raw(transaction_hash=transaction(5))], LANES, memory())
    assert admission.malformed == {reason: 1}
    assert len(admission.kept) == 1


def test_rows_of_strangers_are_not_even_checked():
    admission = admit([raw(proxy_wallet=STRANGER, price=Decimal("NaN"), side="")], LANES, memory())
    assert (admission.ignored, admission.malformed) == (1, {})


def test_descriptive_fields_never_cost_a_trade():
    admission = admit(
        [raw(name="a\x00\ud800", title="", outcome_index=999, slug="x" * 10_000, icon="\x00")], LANES, memory()
    )
    trade = admission.kept[0].trade
    assert (trade.trader_name, trade.market_title, trade.outcome_index) == ("a\ufffd\ufffd", None, None)
    assert len(trade.market_slug) == 2_000
    assert trade.condition_id == condition(7)
    assert trade.raw == "{}"


def test_with_everyone_each_wallet_is_a_target():
    batch = [raw(proxy_wallet=wallet(1)), raw(proxy_wallet=STRANGER, transaction_hash=transaction(2))]
    admission = admit(batch, {wallet(1): Lane.FOLLOWED}, Memory(RecentSet(10)), everyone=True)
    assert [laned.lane for laned in admission.kept] == [Lane.TARGET, Lane.TARGET]
    assert admission.ignored == 0
