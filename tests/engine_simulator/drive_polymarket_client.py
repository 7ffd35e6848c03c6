"""Trades and streams with the official client `polymarket-client`; reads its task from stdin, prints one JSON report.

A script of its own because the client needs asyncio.
"""

import asyncio
import json
import sys
import time
from dataclasses import replace

import httpx
from eth_account import Account
from polymarket import AsyncSecureClient, RequestRejectedError
from polymarket._internal import wallet as wallets
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.streams import MarketSpec, UserSpec


def environment_of(task):
    sockets = task["clob_ws_url"]
    config = replace(
        PRODUCTION_CONFIG,
        clob_url=task["clob_url"],
        clob_market_ws_url=sockets + "/ws/market",
        clob_user_ws_url=sockets + "/ws/user",
        gamma_url=task["gamma_url"],
        data_url=task["data_url"],
        relayer_url=task["clob_url"],
    )
    return create_environment(name="simulator", config=config)


def wallet_of(signer, kind):
    derive = {
        0: lambda address, _config: address,
        1: wallets.derive_proxy_wallet_address,
        2: wallets.derive_safe_wallet_address,
        3: wallets.derive_beacon_deposit_wallet_address,
    }
    return derive[kind](signer, PRODUCTION_CONFIG.wallet_derivation)


def plain(value):
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


async def gathered(handle, enough):
    """Events until there are enough; the wait is bounded by the test."""
    events = []
    async for event in handle:
        events.append(event)
        if enough(events):
            return events
    raise RuntimeError("the stream ended")


async def refused(placing):
    try:
        return {"accepted": plain(await placing)}
    except RequestRejectedError as error:
        return {"status": error.status, "error": str(error)}


def confirmed(events):
    return sum(event.type == "trade" and event.payload.status == "CONFIRMED" for event in events) == 2


async def main():
    task = json.load(sys.stdin)
    token = task["token"]
    signer = Account.from_key(task["key"]).address
    wallet = wallet_of(signer, task["signature_type"])
    account = {
        "address": wallet,
        "collateral_usd": 1000,
        "signature_type": task["signature_type"],
        "signer": signer,
    }
    async with httpx.AsyncClient() as http:
        (await http.post(task["control_url"] + "/accounts", json=account)).raise_for_status()
    environment = environment_of(task)
    client = await AsyncSecureClient.create(private_key=task["key"], wallet=wallet, environment=environment)
    async with client:
        again = await AsyncSecureClient.create(private_key=task["key"], wallet=wallet, environment=environment)
        report = {
            "wallet": str(client.wallet),
            "wallet_type": client.wallet_type,
            "same_creds": again.credentials == client.credentials,
            "keys": await client.fetch_api_keys() == (client.credentials.key,),
            "closed_only": await client.get_closed_only_mode(),
            "book": plain(await client.get_order_book(token_id=token)),
            "midpoint": str(await client.get_midpoint(token_id=token)),
        }
        await again.close()
        market_stream = await client.subscribe(MarketSpec(token_ids=[token], custom_feature_enabled=True))
        user_stream = await client.subscribe(UserSpec())
        market_events = asyncio.create_task(
            gathered(market_stream, lambda seen: sum(each.type == "last_trade_price" for each in seen) == 2)
        )
        user_events = asyncio.create_task(gathered(user_stream, confirmed))
        await asyncio.sleep(0.2)

        limit, market = client.place_limit_order, client.place_market_order
        resting = await limit(token_id=token, price="0.30", size="10", side="BUY")
        report["gtc"] = plain(resting)
        report["order"] = plain(await client.get_order(order_id=resting.order_id))
        gtd = await limit(token_id=token, price="0.31", size="10", side="BUY", expiration=int(time.time()) + 600)
        report["gtd"] = plain(gtd)
        report["post_only"] = plain(await limit(token_id=token, price="0.32", size="10", side="BUY", post_only=True))
        crossing = limit(token_id=token, price="0.45", size="10", side="BUY", post_only=True)
        report["post_only_crossing"] = await refused(crossing)
        report["open"] = sorted(str(each.price) for each in await listed(client.list_open_orders()))

        bought = await market(token_id=token, side="BUY", amount="8", max_price="0.40")
        report["fak"] = plain(bought)
        killed = market(token_id=token, side="BUY", amount="900", max_price="0.40", order_type="FOK")
        report["fok_killed"] = await refused(killed)
        report["settled"] = plain(await client.wait_for_order_fill_settlement(bought))
        report["shares"] = plain(await client.get_balance_allowance(asset_type="CONDITIONAL", token_id=token))
        report["sold"] = plain(await market(token_id=token, side="SELL", shares="5", min_price="0.39"))
        report["user_events"] = [plain(each) for each in await user_events]
        report["market_events"] = [plain(each) for each in await market_events]
        report["trades"] = [plain(each) for each in await listed(client.list_account_trades())]
        report["collateral"] = plain(await client.get_balance_allowance(asset_type="COLLATERAL"))

        report["cancelled"] = plain(await client.cancel_order(order_id=resting.order_id))
        report["cancelled_all"] = plain(await client.cancel_all())
        report["left"] = len(await listed(client.list_open_orders()))
        beat = await client.send_order_heartbeat()
        report["heartbeats"] = [plain(beat), plain(await client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id))]
        await market_stream.close()
        await user_stream.close()
    print(json.dumps(report, default=str))


async def listed(paginator):
    return [item async for page in paginator for item in page.items]


asyncio.run(main())
