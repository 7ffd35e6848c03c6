"""Copied orders of the reference, row by row."""

from decimal import Decimal

import pytest

from actors.rules.reference_orders import AMOUNT_MAX, map_order
from protocols.errors import MalformedError

ROW = {
    "order_id": "0xabc",
    "copy_user_id": "6f1c1d2e-6a5e-4c1b-9a52-5c3f6d2e7a10",
    "market_id": "0x" + "1" * 64,
    "side": "buy",
    "status": "matched",
    "outcome": "Yes",
    "price": 0.4,
    "size": 10,
    "created_at": "2026-02-01T10:00:00Z",
    "updated_at": "2026-02-01T10:00:00Z",
}


def test_a_row_keeps_its_amounts_exactly():
    found = map_order(ROW | {"size": "10.250001", "amount_invested": "4.10"})
    assert (found.values["side"], found.values["size"]) == ("BUY", "10.250001")
    assert Decimal(found.values["amount_invested"]) == Decimal("4.10")


@pytest.mark.parametrize("size", [10**13, -1, str(AMOUNT_MAX + 1)])
def test_an_amount_that_no_sum_could_hold_is_left_out_and_told(size):
    found = map_order(ROW | {"size": size})
    assert found.values["size"] is None
    assert "size" in found.notes


def test_the_greatest_amount_is_one():
    assert Decimal(map_order(ROW | {"size": str(AMOUNT_MAX)}).values["size"]) == AMOUNT_MAX


@pytest.mark.parametrize("broken", [{"order_id": ""}, {"copy_user_id": "nobody"}, {"side": "hold"}])
def test_what_makes_no_order_is_refused(broken):
    with pytest.raises(MalformedError):
        map_order(ROW | broken)
