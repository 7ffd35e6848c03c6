import json
import random

import trio
from engine_api.api_server import TOKEN, error_of, gate_of, principal, serving_routes
from hypothesis import given
from hypothesis import strategies as st
from property.fake_prices import TrioClock

from config.schema import EngineConfig
from engine.api.engine_bodies import EngineAnswer
from engine.api.engine_routes import EngineStream, engine_watch_routes
from engine.counter_window import READINGS_MAX, CounterWindow
from engine.engine_watch import EngineWatch
from engine.running import Engine
from engine.runtime.channel import Channel
from engine.runtime.host import Graph
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import ActorState, Child, Supervisor
from engine.runtime.traffic import Traffic
from protocols.channels import Overflow
from protocols.users import Scope

PATH = "/api/admin/engine"


async def idle(*, task_status=trio.TASK_STATUS_IGNORED):
    task_status.started()


def engine_of(*channels):
    engine = Engine(
        config=EngineConfig(),
        supervisor=Supervisor(rng=random.Random(1)),
        gauges=RuntimeGauges(loop_lag=LoopLag(), memory_mb=512, channels_of=lambda: channels),
        readiness=Readiness(),
        traffic=Traffic(),
    )
    if channels:
        [pipe] = channels
        outbox = pipe.outbox()
        engine.graphs["ingest"] = Graph(
            sources=(Child(name="teller", run=idle, writes=(outbox,)),),
            stages=(Child(name="hearer", run=idle, reads=(pipe,)),),
            channels=channels,
        )
        engine.supervisor.states |= {"teller": ActorState(up=True), "hearer": ActorState(restarts=2, last_error="oh")}
        return engine, outbox
    engine.readiness.wait_for("lease", "the lease ingest is held by another")
    return engine, None


def watch_of(engine, *serving):
    return EngineWatch(engine=engine, clock=TrioClock(), serving=tuple(Child(name=name, run=idle) for name in serving))


async def test_actors_and_channels_are_those_of_the_wiring():
    engine, outbox = engine_of(Channel[int]("pipe", 2, Overflow.DROP_NEWEST))
    for number in range(5):
        outbox.send_nowait(number)
    answer = watch_of(engine, "feed_hub").read()
    assert [(one.name, one.group, one.up, one.restarts, one.last_error) for one in answer.actors] == [
        ("teller", "sources", True, 0, None), ("hearer", "stages", False, 2, "oh"), ("feed_hub", "serving", False, 0, None),
    ]  # fmt: skip
    [pipe] = answer.channels
    assert (pipe.name, pipe.writers, pipe.readers, pipe.policy) == ("pipe", ["teller"], ["hearer"], "drop_newest")
    assert (pipe.capacity, pipe.depth, pipe.peak_depth, pipe.sent, pipe.received, pipe.dropped) == (2, 2, 2, 5, 0, 3)
    assert [(one.lane, one.reason, one.count) for one in pipe.dropped_by] == [(0, "full", 3)]
    assert (answer.lease, answer.live.on, answer.stream) == ("held", False, None)
    assert answer.heap_bytes > 0
    assert answer.uptime_s is None or answer.uptime_s >= 0


async def test_rates_come_from_the_last_seconds(autojump_clock):
    engine, outbox = engine_of(Channel[int]("pipe", 1, Overflow.DROP_NEWEST))
    watch = watch_of(engine)
    assert watch.read().channels[0].sent_per_s is None
    async with trio.open_nursery() as nursery:
        await nursery.start(watch.run)
        for _ in range(20):
            await trio.sleep(1)
            for number in range(10):
                outbox.send_nowait(number)
            engine.traffic.requests["clob", "prices", "200"] += 3
        await trio.sleep(0.5)
        answer = watch.read()
        nursery.cancel_scope.cancel()
    assert 8 <= answer.channels[0].sent_per_s <= 12
    assert 8 <= answer.channels[0].dropped_per_s <= 12
    [calls] = answer.upstream
    assert (calls.api, calls.user, calls.calls) == ("clob", "prices", 60)
    assert 57 <= calls.last_minute <= 60


async def test_a_standby_answers_without_a_graph():
    engine, _ = engine_of()
    async with serving_routes(*engine_watch_routes(watch_of(engine, "feed_hub"))) as client:
        document = (await client.get(PATH)).json()
    assert (document["lease"], document["channels"], document["ready"]) == ("standby", [], False)
    assert document["waitingFor"] == {"lease": "the lease ingest is held by another"}
    assert [one["name"] for one in document["actors"]] == ["feed_hub"]


async def test_what_an_engine_goes_on_without_is_shown_and_it_is_ready():
    engine, _ = engine_of()
    engine.readiness.reached("lease")
    engine.readiness.degraded_by("edge feed_events", "no answer")
    async with serving_routes(*engine_watch_routes(watch_of(engine))) as client:
        document = (await client.get(PATH)).json()
    assert (document["ready"], document["waitingFor"]) == (True, {"edge feed_events": "no answer"})


async def test_only_administrators_may_look():
    gate = gate_of({TOKEN: principal(Scope.READ, Scope.TRADE)})
    async with serving_routes(*engine_watch_routes(watch_of(engine_of()[0])), gate=gate) as client:
        for path in (PATH, f"{PATH}/stream"):
            assert error_of(await client.get(path))[0] == 403


async def test_all_clients_get_the_same_reading_and_leave_nothing(monkeypatch, autojump_clock):
    engine, _ = engine_of(Channel[int]("pipe", 2))
    watch, readings = watch_of(engine), []
    real = EngineWatch.read
    monkeypatch.setattr(EngineWatch, "read", lambda self: readings.append(real(self)) or readings[-1])
    heard = [[], []]

    async def listen(events):
        enough = trio.Event()

        async def send(message):
            if message["type"] == "http.response.body" and message["body"]:
                events.append(message["body"])
                if len(events) == 2:
                    enough.set()

        async def receive():
            await enough.wait()
            return {"type": "http.disconnect"}

        await EngineStream(watch)({}, receive, send)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(watch.run)
            async with trio.open_nursery() as listeners:
                for events in heard:
                    listeners.start_soon(listen, events)
            nursery.cancel_scope.cancel()
    assert watch.clients == 0
    assert len(readings) == 2
    assert all(one is other for one, other in zip(*heard, strict=True))
    number, data = heard[0][1].decode().removesuffix("\n\n").split("\n")
    assert number == "id: 2"
    assert json.loads(data.removeprefix("data: "))["channels"][0]["name"] == "pipe"


async def test_who_comes_after_a_pause_gets_no_old_reading(autojump_clock):
    watch = watch_of(engine_of()[0])
    async with trio.open_nursery() as nursery:
        await nursery.start(watch.run)
        watch.clients = 1
        number, _ = await watch.event_after(0)
        watch.clients = 0
        await trio.sleep(100)
        assert watch.number == number
        watch.clients = 1
        assert (await watch.event_after(watch.number))[0] == number + 1
        nursery.cancel_scope.cancel()


@given(steps=st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 50)), min_size=1, max_size=80))
def test_a_window_knows_the_growth_of_what_it_remembers(steps):
    window, now_s, count, readings = CounterWindow(), 0.0, 0, []
    for pause_s, growth in steps:
        now_s, count = now_s + pause_s, count + growth
        within = [one for one in readings if now_s - 5 <= one[0] < now_s]
        expected = round((count - within[0][1]) / (now_s - within[0][0]), 2) if within else None
        assert window.per_s("key", count, now_s, 5.0) == expected
        if not readings or now_s - readings[-1][0] >= 1.0:
            readings = [*readings, (now_s, count)][-READINGS_MAX:]
        window.add(now_s, {"key": count})
    assert window.per_s("key", -1, now_s + 0.5, 60.0) is None


def test_the_answer_is_documented():
    assert {route.path: route.answer for route in engine_watch_routes(None)} == {
        PATH: EngineAnswer,
        f"{PATH}/stream": None,
    }
