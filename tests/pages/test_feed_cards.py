"""The stream of cards at the socket: drawn once, filtered, and a browser that stops reading costs bounded memory."""

import gc
import re
import tracemalloc
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from random import Random

import attrs
import pytest
import trio
import trio.lowlevel
from property.fake_feed import FakeFeed, event_ids

from actors.feed_hub import FeedHub
from actors.rules.feed_bounds import FeedBounds
from actors.rules.feed_filter import FeedFilter
from actors.rules.polysignal import SignalInputs
from engine.adapters.system_clock import SystemClock
from engine.api.feed_search import FeedSearch
from engine.api.feed_stream import EventStream
from engine.pages.feed_cards import KEPT_CARDS, CardStream
from engine.pages.rendering import Renderer
from engine.pages.static_files import StaticFiles
from engine.web.asgi_server import ServerLimits, serve_asgi
from protocols.errors import TransientError
from protocols.feed import TradeCopy

COPY = TradeCopy(wallet_id="BOT", display_name="", outcome="OPEN")


@attrs.define(eq=False)
class Facts:
    """What signals and copies are told from; fails on command."""

    owners: dict[str, str] = attrs.field(factory=dict)
    """By trade, who copied it."""
    is_down: bool = False
    asked: list[list[str]] = attrs.field(factory=list)

    async def inputs(self, trade_ids):
        await trio.lowlevel.checkpoint()
        if self.is_down:
            raise TransientError("the database is away")
        self.asked.append(list(trade_ids))
        return {one: SignalInputs(price=Decimal("0.3"), conviction=None, win_rate=None, resolved_count=None,
                                  probability=None, title=None) for one in trade_ids}  # fmt: skip

    async def copies(self, trade_ids):
        return {one: [(self.owners[one], COPY)] for one in trade_ids if one in self.owners}

    async def held(self, positions):
        return ()


def card_stream(facts=None):
    facts = facts or Facts()
    search = FeedSearch(store=None, facts=facts, markets=None, signals=facts, clock=SystemClock())
    return CardStream(Renderer(StaticFiles.read(), SystemClock()), search), facts


@asynccontextmanager
async def serving(store, cards, *, filters=None, **limits):
    """A hub behind a real server; yields the hub and a way to connect, after an id if wanted."""
    hub = FeedHub(store=store, rng=Random(1), bounds=FeedBounds(poll_s=0.05))

    async def app(scope, receive, send):
        user_id = scope["path"].strip("/")
        resumed = [value for name, value in scope["headers"] if name == b"last-event-id"]
        subscription = await hub.subscribe(user_id, int(resumed[0]) if resumed else None)
        wanted = (filters or {}).get(user_id, FeedFilter())

        async def chunk():
            return await cards.translated(await subscription.chunk(), user_id, wanted)

        await EventStream(chunk)(scope, receive, send)

    async with trio.open_nursery() as nursery:
        await nursery.start(hub.run)
        serve = partial(serve_asgi, app, host="127.0.0.1", port=0, limits=ServerLimits(**limits))
        port = await nursery.start(serve)

        async def connect(user_id="me", after=None):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            resumed = b"" if after is None else b"Last-Event-ID: %d\r\n" % after
            await stream.send_all(b"GET /%b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (user_id.encode(), resumed))
            return stream

        yield hub, connect
        nursery.cancel_scope.cancel()


def a_store():
    store = FakeFeed()
    store.follow("me", 1)
    return store


async def read_until(stream, last):
    """Everything up to an id, whether a card comes with it or not."""
    data = b""
    with trio.fail_after(10):
        while not re.search(rb"id: %d\n" % last, data):
            part = await stream.receive_some()
            assert part, "closed"
            data += part
    return data


async def until(condition):
    with trio.fail_after(30):
        while not condition():
            await trio.sleep(0.01)


def ids_with_cards(data):
    return [int(found) for found in re.findall(rb'data-trade="(\d+)-0"', data)]


async def test_a_card_is_drawn_once_for_all_who_listen():
    store, (cards, facts) = a_store(), card_stream()
    async with serving(store, cards) as (hub, connect):
        clients = [await connect() for _ in range(20)]
        await until(lambda: hub.clients == 20)
        store.commit(1, 1, 2, 1)
        for client in clients:
            data = await read_until(client, 4)
            assert ids_with_cards(data) == event_ids(data) == [1, 2, 4]
            assert b"Strong buy" in data or b"Buy 75" in data
        assert cards.drawn == 3
        assert sorted(one for asked in facts.asked for one in asked) == ["1-0", "2-0", "4-0"]
        for client in clients:
            await client.aclose()


async def test_what_does_not_pass_leaves_its_id_alone_so_that_a_filtered_stream_resumes_too():
    store, (cards, _) = a_store(), card_stream(Facts(owners={"2-0": "me", "3-0": "you"}))
    store.follow("you", 1)
    filters = {"me": FeedFilter(is_copied=True)}
    async with serving(store, cards, filters=filters) as (hub, connect):
        mine, yours = await connect("me"), await connect("you")
        await until(lambda: hub.clients == 2)
        store.commit(1, 1, 1, 1)
        data = await read_until(mine, 4)
        assert ids_with_cards(data) == [2]
        assert b"Copied by <bdi>BOT" in data
        theirs = await read_until(yours, 4)
        assert ids_with_cards(theirs) == [1, 2, 3, 4]
        assert theirs.count(b"Copied by <bdi>BOT") == 1
        await mine.aclose()
        await yours.aclose()


@pytest.mark.parametrize("filtered", [False, True])
async def test_without_the_database_cards_come_plain_and_filtered_streams_wait(filtered):
    store, (cards, facts) = a_store(), card_stream()
    facts.is_down = True
    filters = {"me": FeedFilter(score_min=10)} if filtered else {}
    async with serving(store, cards, filters=filters) as (hub, connect):
        client = await connect()
        await until(lambda: hub.clients)
        store.commit(1)
        if filtered:
            await until(lambda: cards.drawn)
            facts.is_down = False
        data = await read_until(client, 1)
        assert ids_with_cards(data) == [1]
        assert b"/v2/feed/signal/" not in data
        # A card without its signal was nobody else's: the next one gets it.
        facts.is_down = False
        store.commit(1)
        assert b"/v2/feed/signal/2-0" in await read_until(client, 2)
        await client.aclose()


async def test_who_stops_reading_is_dropped_and_resumes_where_he_was_with_nothing_missing():
    store, (cards, _) = a_store(), card_stream()
    store.latency_s = 0
    async with serving(store, cards, write_timeout_s=0.3) as (hub, connect):
        asleep = await connect()
        await until(lambda: hub.clients == 1)
        # More than the kernel takes of somebody who reads nothing.
        while hub.clients:
            store.commit(*[1] * 50, title="x" * 2_000)
            hub.wake()
            await trio.sleep(0.02)
            gc.collect()
            assert store.last < 200_000, "he is never dropped"
        data = b""
        with pytest.raises(trio.BrokenResourceError):  # noqa: PT012
            while part := await asleep.receive_some():
                data += part
            raise trio.BrokenResourceError
        await asleep.aclose()
        seen = event_ids(data)
        # The last event may have been cut: a browser counts only what ended with an empty line.
        whole = event_ids(data[: data.rfind(b"\n\n")])
        assert seen[0] == 1
        last = max(whole)
        again = await connect(after=last)
        store.commit(1)
        hub.wake()
        rest = await read_until(again, store.last)
        resync = b"event: resync" in rest
        assert resync or [*whole, *event_ids(rest)] == list(range(1, store.last + 1))
        await again.aclose()


async def test_streams_of_which_some_never_read_take_no_memory():
    store, (cards, _) = a_store(), card_stream()
    store.follow("asleep", 1, 2)
    async with serving(store, cards, write_timeout_s=600) as (hub, connect):
        asleep = [await connect("asleep") for _ in range(5)]
        awake = await connect()
        await until(lambda: hub.clients == 6)
        tracemalloc.start(1)
        try:
            grown = []
            for _ in range(12):
                store.rows.clear()
                store.commit(*[2] * 100, title="x" * 10_000)
                store.commit(1)
                hub.wake()
                await read_until(awake, store.last)
                gc.collect()
                grown.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        assert hub.clients == 6
        assert len(cards._cards) <= KEPT_CARDS
        # Once ring and kept cards are full nothing grows, whoever reads or does not.
        assert max(grown[8:]) - min(grown[8:]) < 3_000_000, grown
        for client in [*asleep, awake]:
            await client.aclose()
