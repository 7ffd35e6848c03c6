from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY, QUICK
from property.fake_stores import OUTCOMES, FakeTradeStore, MemorySpill
from property.made_trades import decided, ids, laned
from property.test_sync_writer_crashes import PAUSES, SCRIPTS, SIZES, refused_ids, spaced
from property.writer_world import WriterWorld

from protocols.trades import Lane

PARTS = st.lists(st.sampled_from(["now", "book", "tx"]), max_size=2, unique=True)
TRADES = st.lists(PARTS, max_size=20).map(
    lambda parts: [decided(laned(n, Lane.TARGET), *of) if of else laned(n) for n, of in enumerate(parts)]
)
REFUSED = st.frozensets(st.integers(0, 19), max_size=3)


def keys_of(trades):
    return [one.key for laned_trade in trades for one in getattr(laned_trade, "decisions", ())]


def check_every_decision_has_its_receipt(world, trades):
    applied = [one.key for one in world.receipts if one.applied]
    assert {one.key for one in world.receipts} == set(keys_of(trades))
    assert len(applied) == len(set(applied))
    assert set(applied) <= world.store.claimed


@MANY
@given(trades=TRADES, script=SCRIPTS, pauses=PAUSES, refused=REFUSED, poor=REFUSED, sizes=st.fixed_dictionaries(SIZES))
def test_every_decision_is_answered_whatever_the_database_does(trades, script, pauses, refused, poor, sizes):
    refused, poor = refused_ids(trades, refused), refused_ids(trades, poor)
    world = WriterWorld(FakeTradeStore(script, refused, refused_decisions=poor), MemorySpill(), **sizes)
    world.run(trades, pauses)
    check_every_decision_has_its_receipt(world, trades)
    assert world.store.claimed == {key for key in keys_of(trades) if key[0] not in refused | poor}
    # A decision that the database does not want costs neither its own trade nor another.
    assert sorted(world.store.rows) == sorted(id_ for id_ in ids(trades) if id_ not in refused)
    if not set(script) - {"ok", "slow ok"}:
        assert {one.key for one in world.receipts if one.applied} == world.store.claimed
        assert len(world.receipts) == len(keys_of(trades))


@MANY
@given(
    trades=TRADES, script=st.lists(st.sampled_from(OUTCOMES), max_size=20).map(spaced), pauses=PAUSES, poor=REFUSED,
    sizes=st.fixed_dictionaries(SIZES),
)  # fmt: skip
def test_every_decision_is_answered_when_the_writer_crashes_too(trades, script, pauses, poor, sizes):
    world = WriterWorld(FakeTradeStore(script, refused_decisions=refused_ids(trades, poor)), MemorySpill(), **sizes)
    world.run(trades, pauses)
    check_every_decision_has_its_receipt(world, trades)


@QUICK
@given(
    trades=TRADES, script=SCRIPTS, pauses=PAUSES, trades_max=st.integers(0, 8), down_s=st.floats(0, 20),
    sizes=st.fixed_dictionaries(SIZES),
)  # fmt: skip
def test_decisions_that_fit_nowhere_are_refused(trades, script, pauses, trades_max, down_s, sizes):
    world = WriterWorld(FakeTradeStore(script, down_until_s=down_s), MemorySpill(trades_max=trades_max), **sizes)
    world.run(trades, pauses)
    check_every_decision_has_its_receipt(world, trades)
    lost = set(keys_of(trades)) - world.store.claimed
    assert lost <= {one.key for one in world.receipts if not one.applied}


def test_a_lost_acknowledgement_is_answered_from_the_journal():
    world = WriterWorld(FakeTradeStore(["ack lost"]), MemorySpill())
    trade = decided(laned(1, Lane.TARGET), "now")
    world.run([trade])
    assert [(one.key, one.applied) for one in world.receipts] == [((trade.trade.trade_id, "now"), False)]
    assert world.store.claimed == {(trade.trade.trade_id, "now")}


def test_a_refused_decision_leaves_the_trade_and_its_description():
    trade = decided(laned(1, Lane.TARGET), "now", "book")
    world = WriterWorld(FakeTradeStore(refused_decisions=frozenset(ids([trade]))), MemorySpill())
    world.run([trade])
    assert [row.trade.raw for row in world.store.rows.values()] == [trade.trade.raw]
    assert [one.applied for one in world.receipts] == [False, False]
    assert world.writer.rejected == 0
