from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import NOON_S, page_row, transaction, wallet

from actors.rules.page_edges import cut_transactions, split_at_edge, trade_second

ROWS = st.lists(
    st.builds(
        lambda second, tx, owner: page_row(
            timestamp=NOON_S - second,
            transaction_hash=transaction(tx),
            proxy_wallet=wallet(owner).upper().replace("X", "x"),
        ),
        st.integers(0, 4),
        st.integers(0, 6),
        st.integers(0, 3),
    ),
    max_size=12,
).map(lambda rows: sorted(rows, key=lambda item: -item.row.timestamp))


@MANY
@given(rows=ROWS)
def test_what_is_safe_is_older_than_nothing_that_may_follow(rows):
    safe, held = split_at_edge(rows)
    assert sorted(map(id, safe + held)) == sorted(map(id, rows))
    assert safe == [item for item in rows if item in safe]
    if rows:
        edge_s = min(item.row.timestamp for item in rows)
        assert {item.row.timestamp for item in held} == {edge_s}
        assert all(item.row.timestamp > edge_s for item in safe)
    else:
        assert not held


@MANY
@given(held=ROWS, following=ROWS)
def test_a_cut_transaction_is_one_that_both_pages_have(held, following):
    cuts = cut_transactions(held, following)
    expected = {i.row.transaction_hash for i in held} & {i.row.transaction_hash for i in following}
    assert {cut.transaction_hash for cut in cuts} == expected
    assert len(cuts) == len(expected)
    for cut in cuts:
        rows = [item for item in held + following if item.row.transaction_hash == cut.transaction_hash]
        assert cut.wallets == {item.row.proxy_wallet.lower() for item in rows}
        assert cut.trade_s == rows[0].row.timestamp


def test_times_come_in_many_spellings():
    assert trade_second(page_row(timestamp=NOON_S)) == NOON_S
    assert trade_second(page_row(timestamp=str(NOON_S * 1000 + 999))) == NOON_S
    assert trade_second(page_row(timestamp="garbage")) is None


def test_a_row_without_a_time_at_the_edge_does_not_hide_the_edge():
    rows = [page_row(timestamp=NOON_S), page_row(timestamp=NOON_S - 1), page_row(timestamp="garbage")]
    safe, held = split_at_edge(rows)
    assert [item.row.timestamp for item in safe] == [NOON_S]
    assert [item.row.timestamp for item in held] == [NOON_S - 1, "garbage"]
    garbage = [page_row(timestamp="garbage")]
    assert split_at_edge(garbage) == ([], garbage)
