import json
from decimal import Decimal

import trio
from clob_socket_clients import market_socket, socket_of
from simulator_clients import payload, row
from trading_client import trading

from engine.simulator.book import book_hash


class FollowedBook:
    """What a client keeps of one token: levels from `book` and `price_change`, checked by every hash."""

    def __init__(self, book, rest):
        self.rest = rest
        self.take(book)

    def take(self, book):
        self.book = book
        self.sides = {"BUY": _levels(book["bids"]), "SELL": _levels(book["asks"])}
        assert self.hash_at(book["timestamp"]) == book["hash"]

    def change(self, event):
        entries = [each for each in event["price_changes"] if each["asset_id"] == self.book["asset_id"]]
        for entry in entries:
            side = self.sides[entry["side"]]
            if entry["size"] == "0":
                del side[Decimal(entry["price"])]
            else:
                side[Decimal(entry["price"])] = entry
        last = entries[-1]
        assert self.hash_at(event["timestamp"]) == last["hash"]
        assert Decimal(last["best_bid"]) == max(self.sides["BUY"], default=0)
        assert Decimal(last["best_ask"]) == min(self.sides["SELL"], default=1)

    def hash_at(self, timestamp):
        bids = [_plain(self.sides["BUY"][price]) for price in sorted(self.sides["BUY"])]
        asks = [_plain(self.sides["SELL"][price]) for price in sorted(self.sides["SELL"], reverse=True)]
        names = ("market", "asset_id", "timestamp", "hash", "bids", "asks", "min_order_size", "tick_size", "neg_risk")
        whole = {**self.rest, **self.book, "timestamp": timestamp, "bids": bids, "asks": asks}
        return book_hash({name: whole[name] for name in (*names, "last_trade_price")})


def _levels(levels):
    return {Decimal(level["price"]): level for level in levels}


def _plain(level):
    return {"price": level["price"], "size": level["size"]}


def tokens_of_market(market):
    return json.loads(market["clobTokenIds"])


def tokens_of(trader):
    return tokens_of_market(trader.market)


async def test_books_come_first_as_recorded_ones_do():
    recorded = payload("clob-ws.market-book-then-price-changes.real.2026-09-29.json")
    shape = next(each for each in recorded if each.get("event_type") == "book")
    async with trading() as trader:
        await trader.book(bids=[["0.40", 7]], asks=[["0.45", 9]])
        async with market_socket(trader.venue, *tokens_of(trader), "404") as client:
            books = json.loads(await client.frame())
        rest = (await trader.venue.clob("/book", token_id=trader.token)).json()
    assert [book["asset_id"] for book in books] == tokens_of(trader)
    assert list(books[0]) == list(shape)
    assert books[0]["hash"] == book_hash({**rest, "timestamp": books[0]["timestamp"]})
    assert (books[0]["bids"], books[1]["asks"]) == ([{"price": "0.4", "size": "7"}], [{"price": "0.6", "size": "7"}])


async def test_a_client_follows_both_books_by_their_hashes():
    async with trading() as trader:
        await trader.book(bids=[["0.40", 30], ["0.39", 20]], asks=[["0.45", 9], ["0.46", 100]])
        tokens = tokens_of(trader)
        async with market_socket(trader.venue, *tokens) as client:
            rest = (await trader.venue.clob("/book", token_id=trader.token)).json()
            followed = {book["asset_id"]: FollowedBook(book, rest) for book in await client.events(2)}
            order_id = (await trader.buy("0.41", "10")).json()["orderID"]
            await trader.buy("0.46", "10", order_type="FAK")
            await trader.cancel(order_id)
            seen = []
            while len(seen) < 6:
                event = await client.event()
                seen.append(event["event_type"])
                if event["event_type"] == "book":
                    followed[event["asset_id"]].take(event)
                elif event["event_type"] == "last_trade_price":
                    for each in followed.values():
                        each.book["last_trade_price"] = event["price"]
                    trade = event
                else:
                    assert {change["asset_id"] for change in event["price_changes"]} == set(tokens)
                    for each in followed.values():
                        each.change(event)
            now = (await trader.venue.clob("/book", token_id=trader.token)).json()
    assert seen == ["price_change", "last_trade_price", "price_change", "book", "book", "price_change"]
    assert followed[trader.token].hash_at(now["timestamp"]) == now["hash"]
    assert trade.keys() >= payload("clob-ws.last-trade-price.docs.2026.json").keys() - {"type"}
    assert (trade["side"], trade["asset_id"], trade["fee_rate_bps"]) == ("BUY", trader.token, "0")


async def test_the_fields_of_a_price_change_are_the_recorded_ones():
    recorded = payload("clob-ws.market-book-then-price-changes.real.2026-09-29.json")
    shape = next(each for each in recorded if each.get("event_type") == "price_change")
    async with trading() as trader, market_socket(trader.venue, trader.token) as client:
        await client.event()
        await trader.buy("0.41", "10")
        event = await client.event()
    assert list(event) == list(shape)
    assert [list(each) for each in event["price_changes"]] == [list(each) for each in shape["price_changes"]]
    assert event["price_changes"][0] | {"hash": ""} == {
        "asset_id": trader.token,
        "price": "0.41",
        "size": "10",
        "side": "BUY",
        "hash": "",
        "best_bid": "0.41",
        "best_ask": "1",
    }


async def test_trades_of_the_tape_are_told_and_move_the_book():
    async with trading() as trader:
        await trader.venue.control("/book", {"token_id": trader.token, "follow": True})
        async with market_socket(trader.venue, trader.token) as client:
            before = await client.event()
            await trader.venue.emit(row(asset=trader.token, price=0.2, size=3))
            trade = await client.next_of("last_trade_price")
            after = await client.next_of("book")
    assert (trade["price"], trade["size"], after["last_trade_price"]) == ("0.200", "3", "0.200")
    assert after["bids"] != before["bids"]


async def test_subscriptions_change_while_the_socket_is_open():
    async with trading() as trader, socket_of(trader.venue, "market") as client:
        first, second = tokens_of(trader)
        await client.send({"type": "market", "assets_ids": []})
        await client.send({"operation": "subscribe", "assets_ids": [second]})
        assert (await client.event())["asset_id"] == second
        await client.send({"operation": "subscribe", "assets_ids": [second, first]})
        assert (await client.event())["asset_id"] == first
        await client.send({"operation": "unsubscribe", "assets_ids": [first, second]})
        await client.send("PING")
        assert await client.frame() == "PONG"
        await trader.buy("0.40", "10")
        assert await client.nothing_for()
        for nonsense in ("{", "[]", '{"assets_ids": 7, "type": "market"}', '{"operation": "dance"}'):
            await client.send(nonsense)
        await client.send({"operation": "subscribe", "assets_ids": [first], "initial_dump": False})
        await client.send("PING")
        assert await client.frame() == "PONG"
        await trader.buy("0.41", "10")
        assert (await client.event())["event_type"] == "price_change"


async def test_custom_features_tell_the_best_prices_new_markets_and_verdicts():
    async with (
        trading() as trader,
        market_socket(trader.venue, trader.token, custom_feature_enabled=True) as custom,
        market_socket(trader.venue, trader.token) as plain,
    ):
        await custom.event(), await plain.event()
        await trader.buy("0.41", "10")
        best = await custom.next_of("best_bid_ask")
        assert (best["best_bid"], best["best_ask"], best["spread"]) == ("0.41", "1", "0.59")
        await trader.venue.emit(row(asset="555", conditionId="0x" + "5" * 64, outcome="Yes", title="New?", slug="n"))
        new = await custom.next_of("new_market")
        condition = trader.market["conditionId"]
        await trader.venue.control("/resolve", {"condition_id": condition, "payouts": [0, 1_000_000]})
        resolved = await custom.next_of("market_resolved")
        seen = [(await plain.event())["event_type"] for _ in range(2)]
        assert await plain.nothing_for()
    recorded = payload("clob-ws.market-v2-session.real.2026-10-05.json")[-1]["frame"]
    assert new.keys() - {"question"} == recorded.keys()
    assert new["assets_ids"][0] == "555"
    assert resolved.keys() == payload("clob-ws.market-resolved.docs.json").keys()
    assert (resolved["winning_asset_id"], resolved["market"]) == (tokens_of(trader)[1], condition)
    assert seen == ["price_change", "price_change"]


async def test_a_finer_tick_is_told_for_the_token():
    async with trading() as trader, market_socket(trader.venue, trader.token) as client:
        await client.event()
        await trader.venue.control("/market", {"token_id": trader.token, "tick_size": "0.001"})
        change = await client.next_of("tick_size_change")
    assert change.keys() == payload("clob-ws.tick-size-change.real.2025-02.json").keys()
    assert (change["old_tick_size"], change["new_tick_size"]) == ("0.01", "0.001")


async def test_another_market_is_not_told():
    async with trading() as trader:
        markets = (await trader.venue.gamma("/markets?limit=50")).json()
        other = next(each for each in markets if each["conditionId"] != trader.market["conditionId"])
        async with market_socket(trader.venue, *json.loads(other["clobTokenIds"])) as client:
            await client.events(2)
            await trader.buy("0.41", "10")
            assert await client.nothing_for()


async def test_the_venue_drops_stalls_and_delays_its_sockets():
    async with trading() as trader:
        venue = trader.venue
        async with market_socket(venue, trader.token) as client:
            await client.event()
            await venue.fault("ws_silence", channel="market")
            await trader.buy("0.41", "10")
            await client.send("PING")
            assert await client.frame() == "PONG"
            await venue.fault("ws_silence", channel="market", answer_pings=False)
            await client.send("PING")
            assert await client.nothing_for()
            await venue.http.delete(venue.urls.control_url + "/faults?kind=ws_silence")
            await venue.fault("ws_delay", delay_s=0.3)
            began = trio.current_time()
            await trader.buy("0.42", "10")
            await venue.http.delete(venue.urls.control_url + "/faults?kind=ws_delay")
            await trader.buy("0.43", "10")
            bids = [(await client.event())["price_changes"][0]["price"] for _ in range(2)]
            assert bids == ["0.42", "0.43"]
            assert trio.current_time() - began >= 0.3
            await venue.fault("ws_close", channel="user")
            assert (await venue.state())["clob_sockets"]["channels"] == {"market": 1}
            await venue.fault("ws_close", code=1012)
            assert await client.close_code() == 1012
        async with market_socket(venue, trader.token) as client:
            await client.event()
            await venue.fault("ws_reset")
            assert await client.close_code() in (1006, None)
        refused = {"kind": "ws_delay", "channel": "rtds"}
        assert (await venue.http.post(venue.urls.control_url + "/faults", json=refused)).status_code == 400


async def test_books_are_followed_while_others_trade():
    async with trading() as trader:
        await trader.venue.control("/book", {"token_id": trader.token, "follow": True})
        tokens = tokens_of(trader)
        async with market_socket(trader.venue, *tokens) as client:
            rest = (await trader.venue.clob("/book", token_id=trader.token)).json()
            books = {book["asset_id"]: FollowedBook(book, rest) for book in await client.events(2)}
            prices = [0.31, 0.33, 0.33, 0.62, 0.97, 0.03, 0.5, 0.504, 0.1]
            for place, price in enumerate(prices):
                await trader.venue.emit(row(asset=tokens[place % 2], price=price))
            seen = []
            while seen.count("last_trade_price") < len(prices) or seen[-2:] != ["book", "book"]:
                event = await client.event()
                seen.append(event["event_type"])
                if event["event_type"] == "book":
                    books[event["asset_id"]].take(event)
                    continue
                for followed in books.values():
                    if event["event_type"] == "last_trade_price":
                        followed.book["last_trade_price"] = event["price"]
                    else:
                        followed.change(event)
    assert seen.count("book") == 2 * len(prices)
    assert seen.count("price_change") >= 6
