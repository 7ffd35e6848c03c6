"""SIGSTOP on virtual time: who is stopped does nothing, others live on, and the time that passed is found at the wake-up."""

import trio
import trio.testing
from simulation.cluster_sim.freezer import Freezer


def play(main) -> list[str]:
    freezer, said = Freezer(), list[str]()

    def say(what: str) -> None:
        said.append(f"{trio.current_time():g} {what}")

    with freezer.installed():
        trio.run(main, freezer, say, clock=trio.testing.MockClock(autojump_threshold=0))
    return said


async def ticking(name, say, times, *, task_status=trio.TASK_STATUS_IGNORED):
    async with trio.open_nursery() as nursery:
        task_status.started(trio.lowlevel.current_task())

        async def tick():
            for _ in range(times):
                await trio.sleep(1)
                say(name)

        nursery.start_soon(tick)


def test_whoever_is_stopped_does_nothing_and_the_others_live_on():
    async def main(freezer, say):
        async with trio.open_nursery() as nursery:
            root = await nursery.start(ticking, "stopped", say, 3)
            nursery.start_soon(ticking, "other", say, 4)
            await trio.sleep(1.5)
            freezer.freeze(root)
            await trio.sleep(2)
            freezer.thaw(root)

    assert sorted(play(main)) == sorted(
        ["1 stopped", "1 other", "2 other", "3 other", "3.5 stopped", "4 other", "4.5 stopped"]
    )


def test_a_deadline_that_passed_meanwhile_is_found_at_the_next_await():
    async def main(freezer, say):
        rings = trio.Event()

        async def waits(*, task_status=trio.TASK_STATUS_IGNORED):
            task_status.started(trio.lowlevel.current_task())
            with trio.move_on_after(5):
                await rings.wait()
                say("heard")
                await trio.lowlevel.checkpoint()
                say("never")
            say("over")

        async with trio.open_nursery() as nursery:
            root = await nursery.start(waits)
            await trio.sleep(1)
            freezer.freeze(root)
            rings.set()
            await trio.sleep(9)
            freezer.thaw(root)

    assert play(main) == ["10 heard", "10 over"]


def test_a_message_that_came_meanwhile_is_there():
    async def main(freezer, say):
        send, receive = trio.open_memory_channel[int](10)

        async def reads(*, task_status=trio.TASK_STATUS_IGNORED):
            task_status.started(trio.lowlevel.current_task())
            async for one in receive:
                say(f"read {one}")

        async with trio.open_nursery() as nursery:
            root = await nursery.start(reads)
            await trio.sleep(1)
            freezer.freeze(root)
            for one in range(2):
                await send.send(one)
                await trio.sleep(1)
            send.close()
            freezer.thaw(root)

    assert play(main) == ["3 read 0", "3 read 1"]
