import pytest
import trio
from simulation.ingest_world import IngestWorld, counted, eventually, ingest_world, tape_rows

WINDOWS = ("T0320", "T0605", "T0815")
SPEED = 90.0


async def everything_goes_wrong(world: IngestWorld) -> None:
    """One pass over what the stream does to its readers; the tape plays for 10 to 20 s meanwhile."""
    await world.fault("drop", type="trades", probability=0.2, duration_s=60)
    await world.fault("garbage", probability=0.05, duration_s=60)
    await world.fault("replay", frames=200, duration_s=60)
    await world.fault("reorder", duration_s=60)
    await trio.sleep(1)
    await world.fault("close", code=1013, reason="slow consumer: send buffer full")
    await trio.sleep(1)
    await world.fault("silence", duration_s=1.8, answer_pings=True)
    await trio.sleep(2.5)
    await world.fault("reset")
    await world.fault("http_429", api="data", probability=0.5, retry_after_s=1, duration_s=2)
    await trio.sleep(1)
    await world.fault("refuse", surface="rtds", duration_s=0.8)
    await world.fault("close", code=1001, reason="going away")
    await world.fault("http_5xx", api="data", probability=0.3, duration_s=3)
    await trio.sleep(1.5)
    await world.fault("http_truncated", api="data", probability=0.3, duration_s=3)
    await world.fault("close", code=1012, reason="restart")


@pytest.mark.parametrize("window", WINDOWS)
async def test_every_trade_of_followed_wallets_is_stored_exactly_once(window, recorded, database, tmp_path):
    tape = recorded / "data" / f"platform-trades-2026-05-01{window}.jsonl.gz"
    rows = tape_rows(tape)
    # Every second wallet, so that there is also something to leave out.
    followed = set(sorted({row["proxyWallet"].lower() for row in rows})[::2])
    due = counted(rows, followed)

    async with ingest_world(
        database, tmp_path / "spill", tape=tape, speed=SPEED, lag_scale=0.05, cache_scale=0, start_paused=True
    ) as world:
        await world.follow(sorted(followed)[::10], target=True)
        await world.follow([wallet for i, wallet in enumerate(sorted(followed)) if i % 10], target=False)
        async with world.engine() as running, trio.open_nursery() as nursery:
            await eventually(lambda: world.knows(len(followed)))
            await world.post("/play", action="resume")
            nursery.start_soon(everything_goes_wrong, world)
            await world.until_played()
            # A last planned look back closes what the end of the tape left open.
            await world.fault("clear")
            await world.fault("close", code=1001, reason="end of the tape")
            actors = running.engine.actors
            assert actors is not None
            await eventually(lambda: actors.sync_writer.inserted >= due.total(), timeout_s=15)
        assert world.host is not None
        assert world.host.report is not None
        assert not world.host.report.left_behind.keys() & {"raw_trades", "writer"}
        stored = await world.stored()
        assert due - stored == {}, "lost"
        assert stored - due == {}, "doubled or never traded"
        assert actors.stream_reader.reconnects["stall"] >= 1
        assert actors.stream_reader.reconnects["reconnect"] >= 3
        assert actors.trade_filter.repeated > 0
        assert sum(count for reason, count in actors.stream_reader.frames.items() if reason == "json") > 0
