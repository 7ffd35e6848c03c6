from decimal import Decimal
from types import SimpleNamespace

import attrs
import msgspec
from actors_live_flow.selling_world import obligation
from actors_live_flow.watched_venue import bought

from actors.live.narrator import Narrator
from protocols.live.exits import ExitStatus
from protocols.live.orders import OrderStatus, Side
from protocols.live.ports import Applied, Settled, SettledLot


def applied(*orders, exits=()):
    return Applied(orders=orders, balances=(), days={}, lots=(), exits=tuple(exits), unknown=())


def told(*results):
    """The lines that commits come to."""
    lines = []
    narrator = Narrator(log=SimpleNamespace(send_nowait=lines.append), clock=SimpleNamespace(now_ms=lambda: 7))
    for result in results:
        (narrator.settled if isinstance(result, Settled) else narrator.applied)(result)
    return lines


def ended(status, **changed):
    order = bought(1, signed_ms=0, side=changed.pop("side", Side.BUY))
    return msgspec.structs.replace(order, status=status, ended=True, **changed)


def test_an_end_is_told_once_however_many_settlement_messages_follow():
    order = ended(OrderStatus.FILLED, filled_shares=Decimal(10), filled_usd=Decimal(5), fee_usd=Decimal("0.1"))
    [line] = told(applied(bought(1, signed_ms=0)), applied(order), applied(order), applied(order))
    assert (line.stage, line.level) == ("ORDER_POLL", "info")
    assert line.message == "POLL BUY FILLED: 10 shares for 5 USD, 0.1 USD fee"
    assert line.source_trade_id == "trade-1"


def test_what_failed_says_why_and_is_a_warning():
    [lost] = told(applied(ended(OrderStatus.LOST, reason="not_found", detail="three times")))
    assert (lost.level, lost.message) == ("warn", "ERROR BUY LOST: nothing filled (not_found three times)")
    [sale] = told(applied(ended(OrderStatus.REJECTED, side=Side.SELL, reason="fak_no_match")))
    assert (sale.stage, sale.message) == ("SELL", "SELL SELL REJECTED: nothing filled (fak_no_match)")


def test_obligations_and_resolutions_are_told():
    one = attrs.evolve(obligation(0), status=ExitStatus.DONE, target_shares=Decimal(20), sold_shares=Decimal(20))
    lots = [
        SettledLot(order_id="a", strategy_id="LT_A", condition_id="0x", outcome="WON", value=Decimal(20), pnl=Decimal(10)),
        SettledLot(order_id="b", strategy_id="LT_A", condition_id="0x", outcome="LOST", value=Decimal(0), pnl=Decimal(-9)),
    ]  # fmt: skip
    lines = told(applied(exits=[one]), applied(exits=[one]), Settled(lots=tuple(lots), balances=(), exits=()))
    assert [line.message for line in lines] == [
        "SELL trader_sell DONE: 20 of 20 shares sold",
        "CASH WON: worth 20 USD, +10 USD; waits for its redemption",
        "CASH LOST: -9 USD",
    ]
