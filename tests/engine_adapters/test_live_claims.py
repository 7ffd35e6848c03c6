"""Claims and obligations that come with the decision of a trade: kept with it, once, in every store."""

import msgspec
from actors_live.live_cases import T0, intent
from engine_adapters.live_worlds import D, bytes_for, told
from engine_adapters.paper_worlds import decided, traded

from actors.rules.live.signals import order_id_of
from protocols.decisions import DecidedTrade
from protocols.live.exits import ExitSignal


async def test_claims_come_with_the_decision_of_their_trade_and_only_once(world):
    await world.strategy("LT_A-other")
    trade = traded(1)
    mine, theirs, gone = [_copy(trade, owner) for owner in ("LT_A", "LT_A-other", "LT_GONE")]
    batch = [_decided(trade, intents=(mine, theirs, gone))]
    [receipt] = (await world.trades.write(batch)).receipts
    assert (receipt.applied, receipt.claims) == (True, (mine, theirs))
    [again] = (await world.trades.write(batch)).receipts
    assert (again.applied, again.claims) == (False, ())
    [other_part] = (await world.trades.write([_decided(trade, intents=(mine,), part="book")])).receipts
    assert (other_part.applied, other_part.claims) == (True, ())
    claims = (await world.store.snapshot(T0)).claims
    assert {one.strategy_id: one.inputs for one in claims} == {
        "LT_A": '{"now_ms": 1}', "LT_A-other": '{"now_ms": 1}',
    }  # fmt: skip


async def test_an_archived_strategy_claims_nothing(world):
    await world.archive()
    trade = traded(1)
    [receipt] = (await world.trades.write([_decided(trade, intents=(_copy(trade, "LT_A"),))])).receipts
    assert (receipt.applied, receipt.claims) == (True, ())


async def test_a_sale_of_the_trader_obliges_who_holds_or_buys_what_came_before_it(world):
    await world.strategy("LT_A-other")
    bought, later = traded(1), traded(9)
    trader = bought.trade.wallet
    held, working, after = _copy(bought, "LT_A"), _copy(bought, "LT_A-other"), _copy(later, "LT_A")
    await world.trades.write([_decided(bought, intents=(held, working)), _decided(later, intents=(after,))])
    await world.store.journal([(held, bytes_for(held, 1))])
    await world.store.apply([told(1, "t1", "20")])

    async def sale(number, **changes):
        source = traded(number, side="SELL")
        values = {
            "trade_id": source.trade.trade_id, "trader": trader, "condition_id": bought.trade.condition_id,
            "token_id": bought.trade.token_id, "share": D("0.5"), "price": D("0.6"), "trade_ms": source.trade.trade_ms,
            "ft_wallet_ids": ("A", "A-other"), **changes,
        }  # fmt: skip
        batch = [_decided(source, exit_signal=ExitSignal(**values))]
        [receipt] = (await world.trades.write(batch)).receipts
        assert not (await world.trades.write(batch)).receipts[0].exits
        return receipt.exits

    assert len(await sale(5)) == 2
    assert len(await sale(6, ft_wallet_ids=("A-other",))) == 1
    assert await sale(7, trader="0x" + "22" * 20) == ()
    assert await sale(8, token_id="another") == ()
    assert await sale(4, trade_ms=bought.trade.trade_ms - 1) == ()
    await world.stop_copying_sales()
    assert await sale(3) == ()
    open_exits = (await world.store.snapshot(T0)).exits
    assert sorted((one.strategy_id, one.share) for one in open_exits) == [
        ("LT_A", D("0.5")), ("LT_A-other", D("0.5")), ("LT_A-other", D("0.5")),
    ]  # fmt: skip


def _copy(trade, strategy_id):
    one = trade.trade
    return intent(
        strategy_id=strategy_id, cause=one.trade_id, order_id=order_id_of(strategy_id, one.trade_id, 1), trader=one.wallet,
        token_id=one.token_id, condition_id=one.condition_id, signal_ms=one.trade_ms, inputs='{"now_ms": 1}',
    )  # fmt: skip


def _decided(trade, *, part="now", **changes):
    made = decided(trade, part=part)
    [decision] = made.decisions
    return DecidedTrade(trade.trade, trade.lane, (msgspec.structs.replace(decision, **changes),))
