import trio
from property.supervised import supervisor
from worked_example.whale import whale_of
from worked_example.whale_store import TABLE, PostgresWhaleStore
from worked_example.whale_wiring import whale_families, whale_graph
from worked_example.whale_world import LEAST_USD, FailingStore, trade_of

from engine.adapters.postgres.database import open_connection
from engine.runtime.channel import Channel
from engine.runtime.host import run_graph
from protocols.clock import Random


async def test_stopping_drains_what_is_under_way(autojump_clock):
    channel = Channel("trades", 100)
    store, stop = FailingStore([]), trio.Event()

    async def source(*, task_status=trio.TASK_STATUS_IGNORED):
        outbox = graph.sources[0].writes[0]
        task_status.started()
        await outbox.send_many([trade_of(number, 5_000) for number in range(50)])
        stop.set()

    graph, watch = whale_graph(channel, source, store, Random(1))
    report = await run_graph(graph, supervisor(), stop, drain_s=10)
    assert report.finished
    assert not report.left_behind
    assert len(store.kept) == watch.recorded == 50
    assert [family.samples[0].value for family in whale_families(watch)] == [50]


async def test_the_table_keeps_each_whale_once(database, aio):
    async with open_connection(database, "test") as connection:
        await connection.run(lambda raw: raw.execute(TABLE))
        store = PostgresWhaleStore(connection)
        whales = [whale_of(trade_of(number, 5_000).trade, LEAST_USD) for number in range(1_500)]
        assert await store.record(whales[:1_001]) == 1_001
        assert await store.record(whales) == 499
        count = await connection.run(lambda raw: raw.fetchval("SELECT count(*) FROM whales WHERE usd = 5000"))
        assert count == 1_500
