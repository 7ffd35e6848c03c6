from decimal import Decimal

import trio
from property.fake_paper_ports import FakeRecords
from property.made_trades import wallet
from property.supervised import run_jumping

from actors.record_desk import BATCH_MAX, RecordDesk
from protocols.clock import Random
from protocols.decisions import TraderRecord, WindowRecord
from protocols.errors import TransientError


def record(rate: str) -> TraderRecord:
    window = WindowRecord(resolved_count=10, win_rate=Decimal(rate))
    return TraderRecord(lifetime=window, d30=window, d7=window)


class Records(FakeRecords):
    """Counts what it is asked for, fails on command, and tells changes."""

    def __init__(self, **records):
        super().__init__(records={wallet(int(name[1:])): one for name, one in records.items()})
        self.fails = 0
        self.asked = []
        self.changes = {}

    async def find(self, wallets):
        await trio.sleep(0.01)
        if self.fails:
            self.fails -= 1
            raise TransientError("down")
        self.asked.append(list(wallets))
        return await super().find(wallets)

    async def changed_since(self, position):
        await trio.lowlevel.checkpoint()
        changed, self.changes = (self.changes, {}) if position else ({}, self.changes)
        return changed, position + 1


def during(store, scenario):
    async def main():
        desk = RecordDesk(store=store, rng=Random(1))
        async with trio.open_nursery() as nursery:
            await nursery.start(desk.run)
            await scenario(desk)
            nursery.cancel_scope.cancel()

    run_jumping(main)


def later(seconds):
    return trio.current_time() + seconds


def test_many_who_wait_share_few_queries_and_each_trader_is_read_once():
    store = Records(w1=record("0.6"))

    async def scenario(desk):
        async with trio.open_nursery() as nursery:
            for number in range(2 * BATCH_MAX):
                nursery.start_soon(lambda n: desk.fetch([wallet(n % 700)], deadline_s=later(5)), number)
        assert desk.record(wallet(1)) == record("0.6")
        assert desk.knows(wallet(2))
        assert desk.record(wallet(2)) is None

    during(store, scenario)
    asked = [one for batch in store.asked for one in batch]
    assert len(asked) == len(set(asked)) == 700
    assert len(store.asked) <= 4


def test_a_database_that_is_down_keeps_nobody_beyond_his_deadline_and_is_asked_again():
    store = Records(w1=record("0.6"))
    store.fails = 5

    async def scenario(desk):
        began_s = trio.current_time()
        await desk.fetch([wallet(1)], deadline_s=later(0.1))
        assert trio.current_time() - began_s <= 0.11
        assert not desk.knows(wallet(1))
        await desk.fetch([wallet(1)], deadline_s=later(30))
        assert desk.record(wallet(1)) == record("0.6")
        assert desk.failures == 5

    during(store, scenario)


def test_changes_reach_traders_that_are_at_hand_and_no_others():
    store = Records(w1=record("0.6"))

    async def scenario(desk):
        await desk.fetch([wallet(1)], deadline_s=later(1))
        store.changes = {wallet(1): record("0.7"), wallet(2): record("0.1")}
        await trio.sleep(11)
        assert desk.record(wallet(1)) == record("0.7")
        assert not desk.knows(wallet(2))

    during(store, scenario)
