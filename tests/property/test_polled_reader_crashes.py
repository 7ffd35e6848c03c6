"""Pages of pollers through a reader that crashes: each fill of a page is one trade, however often the page is read."""

import msgspec
import trio
from hypothesis import given
from hypothesis import strategies as st
from property.examples import MANY
from property.made_trades import transaction, wallet
from property.supervised import CrashPlan, FlakyOutbox, crash_sets, run_jumping, supervisor

from actors.polling.polled_reader import PolledReader
from actors.rules.admission import Memory, admit
from actors.rules.recent_set import RecentSet
from engine.runtime.channel import Channel
from engine.runtime.passing import passed
from engine.runtime.supervisor import Child
from protocols.polled import PolledPage
from protocols.trades import Lane
from protocols.venue.data_api import decode_trades_v1

ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), max_size=6)
"""(transaction, size) of the rows of a response: equal ones are fills of their own."""


def page(rows):
    made = [
        {"proxyWallet": wallet(1), "side": "BUY", "asset": "12", "conditionId": "0x" + "1" * 64, "size": size, "price": 0.5,
         "timestamp": 1_788_887_014, "transactionHash": transaction(number)}
        for number, size in rows
    ]  # fmt: skip
    return PolledPage(source="hot", rows=decode_trades_v1(msgspec.json.encode(made)).rows)


def expected(pages):
    """The slow way: of equal fills there are as many as the response with the most of them shows."""
    most = {}
    for rows in pages:
        for fill in set(rows):
            most[fill] = max(most.get(fill, 0), rows.count(fill))
    return sum(most.values())


@given(st.lists(ROWS, max_size=12), crash_sets(20), st.integers(0, 3))
@MANY
def test_a_page_read_twice_is_the_same_fills(pages, crash_at, sent_before_crash):
    pipe, raw_trades, stored = Channel[PolledPage]("polled", 50), Channel("raw_trades", 500), set()
    memory = Memory(recent=RecentSet(1_000))

    async def store(*, task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        while batch := await raw_trades.inbox.batch(5):
            admission = admit(batch, {wallet(1): Lane.TARGET}, memory)
            memory.commit(admission)
            stored.update(laned.trade.trade_id for laned in admission.kept)
            await trio.sleep(0.05)

    async def main():
        outbox = FlakyOutbox(raw_trades.outbox(), CrashPlan(crash_at), sent_before_crash=sent_before_crash)

        async def settled():
            await passed((raw_trades,))

        reader = PolledReader(pages=pipe.inbox, trades=outbox, passed=settled)
        source = pipe.outbox()
        async with trio.open_nursery() as nursery:
            children = (
                Child(name="store", run=store, reads=(raw_trades,)),
                Child(name="polled_reader", run=reader.run, reads=(pipe,), writes=(outbox.outbox,)),
            )
            nursery.start_soon(supervisor().run_group, "all", children)
            await source.send_many([page(rows) for rows in pages])
            source.close()

    run_jumping(main)
    assert len(stored) == expected(pages)
    assert pipe.statistics().unacknowledged == 0


def test_a_page_is_acknowledged_when_its_trades_are_stored_and_not_before():
    async def main():
        pipe, raw_trades = Channel[PolledPage]("polled", 50), Channel("raw_trades", 500)

        async def settled():
            await passed((raw_trades,))

        reader = PolledReader(pages=pipe.inbox, trades=raw_trades.outbox(), passed=settled)
        await pipe.outbox().send(page([(1, 1), (1, 1)]))
        async with trio.open_nursery() as nursery:
            await nursery.start(reader.run)
            taken = await raw_trades.inbox.batch(10)
            assert len(taken) == 2
            await trio.sleep(5)
            assert pipe.statistics().unacknowledged == 1
            nursery.start_soon(raw_trades.inbox.batch, 10)
            await trio.sleep(1)
            assert pipe.statistics().unacknowledged == 0
            nursery.cancel_scope.cancel()

    run_jumping(main)
