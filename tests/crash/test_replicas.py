"""Api replicas as processes of their own: a stream that goes on elsewhere, prices that are fetched once, a store that goes."""

import signal
from contextlib import AsyncExitStack
from random import Random

import attrs
import httpx
import pytest
import trio
from crash.engine_process import engine_process
from engine_redis.redis_fixtures import redis_server
from simulation.api_world import QUIET, api_engine, emit
from simulation.ingest_world import ingest_world

INGESTING = ("ingest", "decide", "execute", "poll", "jobs")
API = {"cluster.roles": "api"}
AFTER = "SELECT ingest_seq, trade_id FROM trades_public WHERE trader_wallet = ANY ($1) ORDER BY ingest_seq"
PRICES = "/api/polymarket/price"
PRICE_CALLS = 'polycopy_upstream_requests_total{api="gamma"'


@attrs.define(eq=False)
class EventSource:
    """As browsers have it: an event counts when its end has come, and so does its id."""

    last_id: str = ""
    events: list[tuple[int, str]] = attrs.field(factory=list)
    arrived: trio.Event = attrs.field(factory=trio.Event)

    async def listen(self, engine, token):
        """Until the stream ends, or whoever runs it has enough."""
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": self.last_id} if self.last_id else {})
        try:
            async with engine.http.stream("GET", "/api/v2/feed/stream", headers=headers, timeout=30) as response:
                assert response.status_code == 200
                fields = {}
                async for line in response.aiter_lines():
                    if line:
                        name, _, value = line.partition(":")
                        fields[name] = value.strip()
                        continue
                    assert "event" not in fields, "told to resynchronise"
                    self.last_id = fields.get("id", self.last_id)
                    if "data" in fields:
                        self.events.append((int(self.last_id), fields["data"]))
                        arrived, self.arrived = self.arrived, trio.Event()
                        arrived.set()
                    fields = {}
        except httpx.TransportError:
            pass

    async def until(self, count, timeout_s=20):
        with trio.fail_after(timeout_s):
            while len(self.events) < count:
                await self.arrived.wait()


async def until_known(replicas, token):
    """A token that one replica made is known to the others a moment later."""
    with trio.fail_after(20):
        for replica in replicas:
            while not await replica.answers("/api/me", 200, token=token):
                await trio.sleep(0.05)


@pytest.mark.timeout(300)
async def test_a_stream_goes_on_at_another_replica_and_loses_and_repeats_nothing(database, tmp_path):
    wallets = ["0x" + f"{number:040x}" for number in range(0xA1, 0xA5)]
    stranger, rng, source = "0x" + "9" * 40, Random(7), EventSource()
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world, AsyncExitStack() as stack:
        await world.follow([*wallets, stranger])

        async def replica():
            return await stack.enter_async_context(api_engine(world, tmp_path, **API))

        ingest = await stack.enter_async_context(engine_process(world.settings, *INGESTING))
        replicas = [await replica(), await replica()]
        await replicas[0].user("ann")
        token, _ = await replicas[0].token("ann", "read")
        await replicas[0].done("POST", "/api/follows", {"wallets": wallets}, token=token)
        await ingest.until_ready()
        await until_known(replicas, token)
        made = 0
        for visit in range(9):
            replica_now = replicas[visit % 2]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(source.listen, replica_now, token)
                if not visit:
                    with trio.fail_after(20):
                        while not source.last_id:
                            await trio.sleep(0.02)
                for _ in range(rng.randint(1, 3)):
                    chosen = rng.sample(wallets, rng.randint(1, 4))
                    made += len(chosen)
                    await emit(world, *chosen, stranger)
                    await trio.sleep(rng.random() * 0.2)
                if visit in (2, 6):
                    await source.until(made)
                elif visit == 4:
                    # The one that streams dies, and another takes its place.
                    replica_now.process.send(signal.SIGKILL)
                    await replica_now.process.wait()
                    replicas[0] = await replica()
                    await until_known(replicas, token)
                else:
                    # Anywhere between two events.
                    await trio.sleep(rng.random())
                nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.listen, replicas[1], token)
            await source.until(made)
            nursery.cancel_scope.cancel()
        stored = [tuple(row) for row in await world.fetch(AFTER, wallets)]
    heard = [(seq, data) for seq, data in source.events]
    assert len(heard) == len(stored) == made
    assert [seq for seq, _ in heard] == [seq for seq, _ in stored]
    assert all(trade_id in data for (_, data), (_, trade_id) in zip(heard, stored, strict=True))


async def price_calls(replica):
    text = (await replica.get("/metrics")).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(PRICE_CALLS) and 'user="prices"' in line
    )


async def sample(replica, name):
    [line] = [line for line in (await replica.get("/metrics")).text.splitlines() if line.startswith(name + " ")]
    return float(line.rpartition(" ")[2])


async def polling(replica, token, ids, until_s, answers):
    while trio.current_time() < until_s:
        response = await replica.get(PRICES, token=token, params=[("conditionId", id_) for id_ in ids])
        assert response.status_code == 200, response.text
        answers.append(response.json())
        await trio.sleep(0.1)


async def polled(replicas, token, ids, seconds):
    """Calls upstream of all replicas while users of each look at prices for so long, and the answers."""
    before = sum([await price_calls(replica) for replica in replicas])
    began_s, answers = trio.current_time(), []
    async with trio.open_nursery() as nursery:
        for replica in replicas:
            nursery.start_soon(polling, replica, token, ids, began_s + seconds, answers)
    took_s = trio.current_time() - began_s
    return sum([await price_calls(replica) for replica in replicas]) - before, took_s, answers


def assert_fresh(answers, ids):
    for answer in answers:
        assert {market["conditionId"] for market in answer["markets"]} == set(ids)
        assert not any(market["stale"] for market in answer["markets"])


@pytest.mark.timeout(300)
async def test_replicas_without_ingest_serve_prices_fetched_once_and_go_on_without_redis(database, tmp_path):
    with redis_server() as server:
        url_file = tmp_path / "redis.url"
        url_file.write_text(server.url)
        url_file.chmod(0o600)
        shares = {**API, "prices.transport": "redis", "redis.url_file": str(url_file)}
        async with ingest_world(database, tmp_path / "spill", **QUIET) as world, AsyncExitStack() as stack:
            replicas = [await stack.enter_async_context(api_engine(world, tmp_path, **shares)) for _ in range(3)]
            for replica in replicas:
                await replica.process.until_ready()
            await replicas[0].user("ann")
            token, _ = await replicas[0].token("ann", "read")
            await until_known(replicas, token)
            async with httpx.AsyncClient(base_url=world.settings["venue.gamma_url"], trust_env=False) as gamma:
                listed = (await gamma.get("/markets", params={"limit": 5, "closed": "false"})).json()
            ids = [market["conditionId"] for market in listed]
            await polled(replicas, token, ids, 2.0)  # whatever a first look costs

            calls, took_s, answers = await polled(replicas, token, ids, 8.0)
            assert_fresh(answers, ids)
            assert calls <= took_s / 2 * 1.1 + 1, (calls, took_s)

            server.stop()
            calls, took_s, answers = await polled(replicas, token, ids, 6.0)
            assert_fresh(answers, ids)
            # Each for itself.
            assert calls <= 3 * (took_s / 2 * 1.1 + 2)
            for replica in replicas:
                assert await sample(replica, "polycopy_price_sharing_open") == 0
                assert await sample(replica, "polycopy_price_sharing_failures_total") > 0
                assert (await replica.get("/readyz")).status_code == 200

            server.start()
            await polled(replicas, token, ids, 5.0)
            calls, took_s, answers = await polled(replicas, token, ids, 8.0)
            assert_fresh(answers, ids)
            assert calls <= took_s / 2 * 1.1 + 1, (calls, took_s)
            for replica in replicas:
                assert await sample(replica, "polycopy_price_sharing_open") == 1
