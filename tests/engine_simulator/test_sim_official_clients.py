import json
import sys
from pathlib import Path

import attrs
import pytest
import trio
from official_client_market import KEY, market_of, wallet_seen

HERE = Path(__file__).parent


async def driven(command, venue, **task):
    """Runs a client to its end and returns what it reports."""
    task = {**attrs.asdict(venue.urls), "key": KEY, **task}
    with trio.fail_after(60):
        done = await trio.run_process(
            command, stdin=json.dumps(task).encode(), capture_stdout=True, capture_stderr=True, check=False
        )
    assert done.returncode == 0, done.stderr.decode()[-3_000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("signature_type", "negative_risk"),
    [(0, False), (0, True), (2, False), (3, True)],
)
async def test_py_clob_client_v2_trades(signature_type, negative_risk):
    funder = {} if signature_type == 0 else {"funder": "0x" + "5a" * 20}
    script = [sys.executable, str(HERE / "drive_py_clob_client_v2.py")]
    async with market_of(negative_risk=negative_risk) as (venue, token):
        report = await driven(script, venue, token=token, signature_type=signature_type, **funder)
        account = await wallet_seen(venue, report["wallet"])
    assert report["same_creds"]
    assert report["keys"]
    assert report["closed_only"] == {"closed_only": False}
    assert report["book_hash_computed"] == report["book_hash"]
    assert [report[name]["status"] for name in ("gtc", "gtd", "post_only")] == ["live"] * 3
    assert (report["gtc"]["makingAmount"], report["gtc"]["takingAmount"]) == ("", "")
    assert (report["order"]["status"], report["order"]["original_size"]) == ("ORDER_STATUS_LIVE", "10")
    assert report["post_only_crossing"] == {"status": 400, "error": "invalid post-only order: order crosses book"}
    assert "lower than the minimum: 5" in report["too_small"]["error"]
    assert (report["open"], report["open_of_market"]) == (["0.3", "0.31", "0.32"], 3)
    assert (report["fak"]["status"], report["fak"]["makingAmount"], report["fak"]["takingAmount"]) == (
        "matched",
        "8",
        "20",
    )
    assert len(report["fak"]["tradeIDs"]) == 1
    assert len(report["fak"]["transactionsHashes"]) == 1, "the client waits until its trade is mined"
    assert "FOK orders are fully filled or killed" in report["fok_killed"]["error"]
    assert "no orders found to match with FAK order" in report["fak_unmatched"]["error"]
    (trade,) = report["trades"]
    assert (trade["id"], trade["trader_side"], trade["size"]) == (report["fak"]["tradeIDs"][0], "TAKER", "20")
    assert report["shares"]["balance"] == "20000000"
    assert all(int(each) > 0 for each in report["shares"]["allowances"].values())
    assert (report["sold"]["makingAmount"], report["sold"]["takingAmount"]) == ("5", "1.95")
    assert int(report["collateral"]["balance"]) < 1_000_000_000
    assert report["cancelled"] == {"canceled": [report["gtc"]["orderID"]], "not_canceled": {}}
    assert report["cancelled_again"]["not_canceled"].keys() == {report["gtc"]["orderID"]}
    assert report["cancelled_several"]["canceled"] == [report["gtd"]["orderID"]]
    assert report["cancelled_all"]["canceled"] == [report["post_only"]["orderID"]]
    assert report["left"] == []
    batch = [each["orderID"] for each in report["batch"]]
    assert [each["status"] for each in report["batch"]] == ["live", "live"]
    assert sorted(report["cancelled_of_market"]["canceled"]) == sorted(batch)
    assert report["heartbeats"][0]["heartbeat_id"] != report["heartbeats"][1]["heartbeat_id"]
    assert account["signature_type"] == signature_type
    assert account["positions"] == {token: 15}
    assert account["orders_sent"] == 7


@pytest.mark.parametrize(
    ("signature_type", "negative_risk", "wallet_type"),
    [(0, False, "EOA"), (1, True, "POLY_PROXY"), (2, True, "GNOSIS_SAFE"), (3, False, "DEPOSIT_WALLET")],
)
async def test_polymarket_client_trades_and_streams(signature_type, negative_risk, wallet_type):
    script = [sys.executable, str(HERE / "drive_polymarket_client.py")]
    async with market_of(negative_risk=negative_risk) as (venue, token):
        report = await driven(script, venue, token=token, signature_type=signature_type)
        account = await wallet_seen(venue, report["wallet"])
    assert report["wallet_type"] == wallet_type
    assert report["same_creds"]
    assert report["keys"]
    assert report["closed_only"] is False
    assert report["midpoint"] == "0.395"
    assert [report[name]["status"] for name in ("gtc", "gtd", "post_only")] == ["live"] * 3
    assert report["post_only_crossing"] == {"status": 400, "error": "invalid post-only order: order crosses book"}
    assert report["open"] == ["0.3", "0.31", "0.32"]
    assert (report["fak"]["status"], report["fak"]["taking_amount"]) == ("matched", "20")
    assert "FOK orders are fully filled or killed" in report["fok_killed"]["error"]
    assert report["shares"]["balance"] in (20_000_000, "20000000", "20")
    assert (report["sold"]["status"], report["sold"]["taking_amount"]) == ("matched", "1.95")
    assert [each["status"] for each in report["trades"]] == ["CONFIRMED", "CONFIRMED"]
    assert report["cancelled"]["canceled"] == [report["gtc"]["order_id"]]
    assert len(report["cancelled_all"]["canceled"]) == 2
    assert report["left"] == 0
    assert report["heartbeats"][0] != report["heartbeats"][1]

    market_kinds = [each["type"] for each in report["market_events"]]
    assert market_kinds[0] == "book"
    assert set(market_kinds) >= {"book", "price_change", "last_trade_price", "best_bid_ask"}
    user = report["user_events"]
    orders = [
        (each["payload"]["order_event_type"], each["payload"]["status"]) for each in user if each["type"] == "order"
    ]
    assert orders[:3] == [("PLACEMENT", "LIVE")] * 3
    bought = [each["payload"] for each in user if each["type"] == "trade"]
    first = [each["status"] for each in bought if each["id"] == report["fak"]["trade_ids"][0]]
    assert first == ["MATCHED", "MINED", "CONFIRMED"]
    assert account["positions"] == {token: 15}
    assert account["orders_sent"] == 5
