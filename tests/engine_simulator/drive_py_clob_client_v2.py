"""Trades with the official client `py-clob-client-v2`; reads its task from stdin, prints one JSON report.

A script of its own because the client blocks.
"""

import json
import sys
import time

import httpx
from py_clob_client_v2 import clob_types as types
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.exceptions import PolyApiException


def refused(call):
    try:
        return {"accepted": call()}
    except PolyApiException as error:
        return {"status": error.status_code, "error": error.error_msg["error"]}


def waited_for(read, wanted):
    for _ in range(200):
        value = read()
        if wanted(value):
            return value
        time.sleep(0.02)
    raise SystemExit(f"never came: {value}")


def main():
    task = json.load(sys.stdin)
    token, kind = task["token"], task["signature_type"]
    client = ClobClient(task["clob_url"], 137, key=task["key"], signature_type=kind, funder=task.get("funder"))
    signer = client.get_address()
    wallet = task.get("funder") or signer
    account = {"address": wallet, "collateral_usd": 1000, "signature_type": kind, "signer": signer}
    httpx.post(task["control_url"] + "/accounts", json=account).raise_for_status()

    creds = client.create_api_key()
    again = client.derive_api_key()
    client.set_api_creds(client.create_or_derive_api_key())
    book = client.get_order_book(token)
    report = {
        "wallet": wallet,
        "same_creds": creds == again == client.creds,
        "keys": client.get_api_keys()["apiKeys"] == [creds.api_key],
        "closed_only": client.get_closed_only_mode(),
        "book_hash": book["hash"],
        "book_hash_computed": client.get_order_book_hash(book),
    }

    def limit(price, size, side="BUY", order_type="GTC", **more):
        post_only = more.pop("post_only", False)
        order = client.create_order(types.OrderArgs(token, price, size, side, **more))
        return client.post_order(order, order_type, post_only)

    def market(amount, side, price, order_type):
        order = types.MarketOrderArgs(token, amount, side, price=price, order_type=order_type)
        return client.post_order(client.create_market_order(order), order_type)

    resting = limit(0.30, 10)
    report["gtc"] = resting
    report["order"] = client.get_order(resting["orderID"])
    report["gtd"] = limit(0.31, 10, order_type="GTD", expiration=int(time.time()) + 600)
    report["post_only"] = limit(0.32, 10, post_only=True)
    report["post_only_crossing"] = refused(lambda: limit(0.45, 10, post_only=True))
    report["too_small"] = refused(lambda: limit(0.30, 1))
    report["open"] = sorted(each["price"] for each in client.get_open_orders())
    report["open_of_market"] = len(client.get_open_orders(types.OpenOrderParams(asset_id=token)))

    report["fak"] = market(8, "BUY", 0.40, "FAK")
    report["fok_killed"] = refused(lambda: market(900, "BUY", 0.40, "FOK"))
    report["fak_unmatched"] = refused(lambda: market(8, "BUY", 0.20, "FAK"))
    report["trades"] = waited_for(
        client.get_trades, lambda trades: all(each["status"] == "TRADE_STATUS_CONFIRMED" for each in trades)
    )
    conditional = types.BalanceAllowanceParams("CONDITIONAL", token)
    client.update_balance_allowance(conditional)
    report["shares"] = client.get_balance_allowance(conditional)
    report["sold"] = market(5, "SELL", 0.39, "FAK")
    report["collateral"] = client.get_balance_allowance(types.BalanceAllowanceParams("COLLATERAL"))

    report["cancelled"] = client.cancel_order(types.OrderPayload(resting["orderID"]))
    report["cancelled_again"] = client.cancel_order(types.OrderPayload(resting["orderID"]))
    report["cancelled_several"] = client.cancel_orders([report["gtd"]["orderID"], "0x" + "11" * 32])
    report["cancelled_all"] = client.cancel_all()
    report["left"] = client.get_open_orders()
    signed = [client.create_order(types.OrderArgs(token, price, 10, "BUY")) for price in (0.2, 0.21)]
    report["batch"] = client.post_orders([types.PostOrdersArgs.__args__[1](order=each) for each in signed])
    report["cancelled_of_market"] = client.cancel_market_orders(types.OrderMarketCancelParams(asset_id=token))

    first = client.post_heartbeat()
    report["heartbeats"] = [first, client.post_heartbeat(first["heartbeat_id"])]
    print(json.dumps(report))


main()
