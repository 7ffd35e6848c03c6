"""As much of a refused batch is tried as may be taken, and nothing is tried twice."""

from property.made_trades import decided, laned

from actors.rules.refused_rows import Instead, instead_of
from protocols.receipts import Receipt, decisions_of
from protocols.trades import Lane, without_description


def test_a_batch_is_halved_in_order_and_nothing_is_left_out():
    trades = [laned(number, Lane.KNOWN) for number in range(5)]
    instead = instead_of(trades)
    assert [one for part in instead.batches for one in part] == trades
    assert [len(part) for part in instead.batches] == [2, 3]
    assert (instead.given_up, instead.receipts) == (None, ())


def test_a_single_trade_is_tried_without_its_description_and_then_given_up():
    trade = laned(1, Lane.KNOWN)
    instead = instead_of([trade])
    assert instead == Instead(batches=((without_description(trade),),))
    [[bare]] = instead.batches
    assert instead_of([bare]) == Instead(given_up="this trade")


def test_decisions_go_first_and_are_told_to_be_refused():
    trade = decided(laned(1, Lane.TARGET), "whole")
    instead = instead_of([trade])
    [[bare]] = instead.batches
    assert (decisions_of(bare), bare.trade) == ((), trade.trade)
    assert instead.given_up == "the decisions about this trade"
    assert instead.receipts == tuple(Receipt(key=one.key, applied=False) for one in decisions_of(trade))
    assert instead_of([bare]).batches == ((without_description(bare),),)
