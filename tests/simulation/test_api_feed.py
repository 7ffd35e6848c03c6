"""The feed as its user sees it, from the venue to the browser."""

import signal
from decimal import Decimal

import trio
from simulation.api_world import QUIET, Listener, api_engine, emit, traders
from simulation.ingest_world import ingest_world

FEED = "/api/v2/feed/trades"
MARKETLESS = """
SELECT 1 FROM trades_public WHERE trader_wallet = ANY ($1)
    AND NOT EXISTS (SELECT 1 FROM markets WHERE markets.condition_id = trades_public.condition_id) LIMIT 1
"""
ROWS = """
SELECT trade_id, trader_wallet, transaction_hash, asset, condition_id, side, price, size,
    floor(extract(epoch FROM trade_timestamp))::bigint AS seconds, outcome, market_title, market_slug, event_slug,
    trader_name, trader_image, market_image
FROM trades_public WHERE trader_wallet = ANY ($1) ORDER BY trade_timestamp DESC, trade_id DESC
"""
AFTER = "SELECT ingest_seq, trade_id FROM trades_public WHERE trader_wallet = ANY ($1) ORDER BY ingest_seq"
# The feed's name of each column; what a trade lacks may come from its market or trader.
EXACT = {
    "tradeId": "trade_id",
    "traderWallet": "trader_wallet",
    "transactionHash": "transaction_hash",
    "asset": "asset",
    "conditionId": "condition_id",
    "side": "side",
    "price": "price",
    "size": "size",
    "timestamp": "seconds",
}
DESCRIBED = {
    "outcome": "outcome",
    "title": "market_title",
    "slug": "market_slug",
    "eventSlug": "event_slug",
    "traderName": "trader_name",
    "traderImage": "trader_image",
    "image": "market_image",
}
EVERY_FIELD = {*EXACT, *DESCRIBED, "outcomePrices"}


def assert_shows(shown, stored):
    assert set(shown) == EVERY_FIELD
    assert {name: shown[name] for name in EXACT} == {name: stored[column] for name, column in EXACT.items()}
    assert {
        name: shown[name] for name, column in DESCRIBED.items() if stored[column] is not None
    } == {name: stored[column] for name, column in DESCRIBED.items() if stored[column] is not None}  # fmt: skip
    for price in shown["outcomePrices"] or ():
        assert 0 <= Decimal(price) <= 1


async def whole_feed(engine, token, **params):
    return [row for page in await engine.pages(token, 200, **params) for row in page]


async def until_all_shown(world, engine, token, wallets, count):
    """The whole feed and the rows behind it, once there are so many, the last one is written, and their markets are known."""
    with trio.fail_after(20):
        # A row changes once more when its market is stored, which brings a price.
        while len(await world.fetch(ROWS, wallets)) < count or await world.fetch(MARKETLESS, wallets):
            await trio.sleep(0.1)
        while True:
            shown, stored = await whole_feed(engine, token), await world.fetch(ROWS, wallets)
            # The engine knows of a market, and of its prices, a moment after the row is there.
            if len(shown) == len(stored) >= count and all(row["outcomePrices"] for row in shown):
                return shown, stored
            await trio.sleep(0.1)


async def owed(world, wallets):
    fills = (await world.post("/ledger", wallets=wallets))["fills"]
    return sum(fill["count"] for fill in fills)


async def played(world, wallets, count):
    """Plays until these have made so many new trades; returns how many they made before the last row was sent."""
    before = await owed(world, wallets)
    await world.post("/play", action="resume")
    with trio.fail_after(20):
        while await owed(world, wallets) < before + count:
            await trio.sleep(0.05)
        await world.post("/play", action="pause")
        while (await world.state())["rows_in_flight"]:
            await trio.sleep(0.05)
    return await owed(world, wallets) - before


async def test_a_user_sees_every_trade_of_whom_he_follows_and_of_nobody_else(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **{**QUIET, "rate_scale": 8}) as world:
        wallets = await traders(world, 30)
        async with api_engine(world, tmp_path) as engine:
            for name in ("ann", "bob"):
                await engine.user(name)
            ann, bob = (await engine.token("ann", "read"))[0], (await engine.token("bob", "read"))[0]
            body = {"wallets": [wallet.upper().replace("0X", "0x") for wallet in wallets]}
            assert await engine.done("POST", "/api/follows", body, token=ann) == {"changed": 30}
            assert await engine.done("POST", "/api/follows", body, token=ann) == {"changed": 0}
            await engine.done("POST", "/api/follows", {"wallets": wallets[:1]}, token=bob)
            await engine.process.until_ready()
            await trio.sleep(0.5)  # five polls of the targets
            new = await played(world, wallets, 60)
            shown, stored = await until_all_shown(world, engine, ann, wallets, new)
            for row, columns in zip(shown, stored, strict=True):
                assert_shows(row, columns)

            walked = await engine.pages(ann, 7)
            assert {len(page) for page in walked[:-1]} == {7}
            assert [row for page in walked for row in page] == shown
            assert {row["traderWallet"] for row in await whole_feed(engine, bob)} <= {wallets[0]}
            for side in ("BUY", "SELL"):
                assert await whole_feed(engine, ann, side=side) == [row for row in shown if row["side"] == side]
            market = shown[0]["conditionId"]
            of_market = [row for row in shown if row["conditionId"] == market]
            assert await whole_feed(engine, ann, conditionId=market) == of_market

            gone = shown[0]["traderWallet"]
            assert await engine.done("DELETE", "/api/follows", {"wallets": [gone]}, token=ann) == {"changed": 1}
            assert await whole_feed(engine, ann) == [row for row in shown if row["traderWallet"] != gone]
            assert (await engine.get(FEED, token=ann, params={"wallet": gone})).json()["error"]["field"] == "wallet"
            listed = await engine.done("GET", "/api/follows", token=ann)
            assert [one["wallet"] for one in listed["follows"]] == [one for one in wallets if one != gone]


async def test_the_stream_brings_each_trade_once_over_a_restart(database, tmp_path):
    wallets = ["0x" + f"{number:040x}" for number in range(0xA1, 0xA5)]
    stranger = "0x" + "9" * 40
    listener = Listener()
    async with ingest_world(database, tmp_path / "spill", **QUIET) as world:
        await world.follow([*wallets, stranger])
        async with trio.open_nursery() as nursery:
            async with api_engine(world, tmp_path) as engine:
                await engine.user("ann")
                ann, _ = await engine.token("ann", "read")
                await engine.done("POST", "/api/follows", {"wallets": wallets}, token=ann)
                await engine.process.until_ready()
                await nursery.start(listener.listen, engine, ann)
                await emit(world, *wallets, stranger)
                await listener.until(4)
                engine.process.send(signal.SIGTERM)
                assert await engine.process.wait() == 0
            await emit(world, *wallets, stranger)
            async with api_engine(world, tmp_path) as engine:
                await nursery.start(listener.listen, engine, ann)
                await listener.until(8)
                await engine.process.until_ready()
                await emit(world, *wallets, stranger)
                await listener.until(12)
                await engine.done("DELETE", "/api/follows", {"wallets": wallets[:2]}, token=ann)
                await trio.sleep(3)  # follows are read again every two seconds at most
                await emit(world, *wallets, stranger)
                await listener.until(14)
                # The same writer stores what nobody hears of any more, maybe a batch later.
                with trio.fail_after(15):
                    while len(await world.fetch(AFTER, wallets)) < 16:
                        await trio.sleep(0.05)
                nursery.cancel_scope.cancel()
        stored = [tuple(row) for row in await world.fetch(AFTER, wallets)]
    assert len(stored) == 16
    heard = [(seq, row["tradeId"]) for seq, row in listener.trades]
    assert heard[:12] == stored[:12]
    assert set(heard[12:]) < set(stored[12:])
