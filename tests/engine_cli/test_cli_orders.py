"""`polycopy orders` of an operator: by hand, through a whole engine that trades, and when there is none."""

import json
import threading
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import trio
from crash.live_audit import audit, audit_venue
from crash.live_world import START_USD, armed_engine, live_world
from engine_cli.cli_process import free_port, invoke, json_of
from engine_simulator.loopback_http import NO_TLS

TOKEN = "bootstrap-token-of-a-live-engine"
ORDER_ID = "0a0a0a0a-0000-4000-8000-00000000000a"
# The latest: its market has most of its short life before it.
FILLED = """
SELECT * FROM lt_orders WHERE side = 'BUY' AND filled_shares > 0 AND ended AND NOT is_manual ORDER BY created_at DESC LIMIT 1
"""
BY_HAND = "SELECT status, spend_usd, order_type FROM lt_orders WHERE is_manual ORDER BY created_at"
SOME = (
    "--side", "BUY", "--token", "123", "--market", "0x" + "a" * 64, "--price", "0.5", "--shares", "10", "--account", "main",
)  # fmt: skip


def environment_of(settings):
    return {f"POLYCOPY_{name.upper().replace('.', '__')}": str(value) for name, value in settings.items()}


async def copied_order(orders, trade_id):
    """Copies until a copy is matched: the venue's other traders may have emptied the book. Returns how often it took."""
    copy = ("copy", trade_id, "--usd", "5", "--slippage-pct", "100", "--account", "main", "--yes", "--json")
    for times in range(1, 10):
        copied = await orders(*copy)
        assert json_of(copied)["key"].startswith("cli-"), copied.stderr
        if copied.returncode == 0:
            return times
        assert json_of(copied)["filledShares"] in (None, "0"), copied.stdout
    raise AssertionError(f"no copy was matched: {copied.stdout}")


async def resting_order(orders, market):
    low = ("--side", "BUY", "--price", "0.01", "--shares", "100", *market)
    rests = ("place", *low, "--type", "GTD", "--key", "resting-1", "--yes", "--json", "--expires-in-s")
    resting = json_of(await orders(*rests, 3600))
    assert json_of(await orders(*rests, 3600))["orderId"] == resting["orderId"]
    assert "another order" in (await orders(*rests, 7200)).stderr
    assert (resting["status"], resting["ended"]) == ("PENDING", False)
    assert "PENDING" in (await orders("status", resting["orderId"])).stdout
    assert (await orders("cancel", resting["orderId"])).returncode == 0
    with trio.fail_after(10):
        while json_of(await orders("status", resting["orderId"], "--json"))["status"] != "CANCELLED":
            await trio.sleep(0.1)
    assert (await orders("cancel", resting["orderId"])).returncode == 1
    return resting["orderId"]


@pytest.mark.timeout(120)
async def test_orders_are_tried_placed_once_for_their_key_copied_rested_and_cancelled(own_logging):
    async with live_world(41, life_scale=1) as live:
        settings = {**live.world.settings, "http.admin_token": TOKEN}
        async with armed_engine(settings) as engine:
            await engine.until_ready(30)
            env = environment_of({**settings, "http.port": engine.port})

            async def orders(*arguments, stdin=""):
                return await trio.to_thread.run_sync(partial(invoke, "orders", *arguments, env=env, stdin=stdin))

            with trio.fail_after(25):
                while not (found := await live.world.fetch(FILLED)):
                    await trio.sleep(0.1)
            [like] = found
            market = ("--token", like["token_id"], "--market", like["condition_id"], "--account", "main")
            buy = ("--side", "BUY", "--price", "0.99", "--usd", "3", *market)

            tried = json_of(await orders("dry-run", *buy, "--json"))
            assert (tried["orderHash"][:2], await live.world.fetch(BY_HAND)) == ("0x", [])

            asked = await orders("place", *buy, stdin="n\n")
            assert asked.returncode == 1
            assert "BUY 3 USD, FAK, at 0.99" in asked.stderr
            assert "costs at most 3" in asked.stderr
            assert await live.world.fetch(BY_HAND) == []

            first, again = [await orders("place", *buy, "--key", "by-hand-1", "--yes", "--json") for _ in range(2)]
            assert (first.returncode, json_of(first)) == (0, json_of(again)), first.stderr
            placed = json_of(first)
            assert (placed["status"], placed["key"]) == ("FILLED", "by-hand-1")
            shares, usd = Decimal(placed["filledShares"]), Decimal(placed["filledUsd"])
            assert Decimal(placed["averagePrice"]) == round(usd / shares, 6)
            other = await orders("place", *buy[:5], "4", *market, "--key", "by-hand-1", "--yes")
            assert (other.returncode, "another order" in other.stderr) == (1, True)

            copies = await copied_order(orders, like["cause"])
            resting_id = await resting_order(orders, market)
            assert json_of(await orders("cancel-all", "--account", "main", "--yes", "--json"))["asked"] == 0

            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(
                verify=NO_TLS, base_url=f"http://127.0.0.1:{engine.port}", headers=headers, trust_env=False
            ) as api:
                listed = (await api.get("/api/polymarket/orders/all?account=main")).json()["orders"]
                assert [one["orderId"] for one in reversed(listed)][:: copies + 1] == [placed["orderId"], resting_id]
                balance = (await api.get("/api/polymarket/orders/balance?account=main")).json()
                assert 0 < balance["spendableUsd"] <= START_USD
                assert (await api.post("/api/lt/execute")).json() == {"changed": True}

            kept = json_of(await orders("show", placed["orderId"], "--json"))
            assert sum(Decimal(fill["shares"]) for fill in kept["fills"]) == shares
            rows = await live.world.fetch(BY_HAND)
            assert [(row["order_type"], row["spend_usd"]) for row in rows][:-1] == [("FAK", 3)] + [("FAK", 5)] * copies
            assert len(rows) == 2 + copies
            account = await live.account()
            assert max(account["posts"].values()) == 1
            assert tried["orderHash"] not in account["posts"]
            audit_venue(await audit(live.world.database), account)


@pytest.mark.parametrize("command", ["place", "dry-run"])
def test_without_an_engine_nothing_is_done_and_it_is_said(own_logging, command):
    env = {"POLYCOPY_HTTP__PORT": str(free_port()), "POLYCOPY_HTTP__ADMIN_TOKEN": TOKEN}
    done = invoke("orders", command, *SOME, *(["--yes"] if command == "place" else []), env=env)
    assert done.returncode == 1
    assert "no engine answers" in done.stderr
    assert "nothing was done" in done.stderr


def test_without_a_token_it_is_said_how_one_is_made(own_logging):
    done = invoke("orders", "place", *SOME, "--yes", env={"POLYCOPY_HTTP__PORT": str(free_port())})
    assert (done.returncode, "polycopy tokens add" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (("--usd", "5"), "either --shares or --usd"),
        (("--type", "GTD"), "--expires-in-s"),
        (("--expires-in-s", "300"), "--expires-in-s"),
        (("--price", "cheap"), "no number"),
    ],
)
def test_what_cannot_be_an_order_is_refused_before_anybody_is_asked(own_logging, more, word):
    done = invoke("orders", "place", *SOME, *more, "--yes")
    assert (done.returncode, word in done.stderr) == (2, True), done.stderr


@contextmanager
def peer(is_trading, status, order=None):
    """Answers as an engine that places with this status; None: it hangs up. Yields its environment and what was posted."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self._say(200, {"isTrading": is_trading} if self.path == "/api/lt/status" else order)

        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            if status is not None:
                self._say(status, order)

        def _say(self, code, document):
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            port = str(server.server_address[1])
            yield {"POLYCOPY_HTTP__PORT": port, "POLYCOPY_HTTP__ADMIN_TOKEN": TOKEN}, posted
        finally:
            server.shutdown()
            thread.join()


def test_an_engine_that_does_not_trade_is_sent_nothing(own_logging):
    with peer(False, 200) as (env, posted):
        done = invoke("orders", "place", *SOME, "--yes", env=env)
    assert (done.returncode, posted) == (1, [])
    assert "live.enabled" in done.stderr


@pytest.mark.parametrize("status", [None, 503, 500])
def test_an_order_that_was_sent_for_without_an_answer_is_unknown_and_its_key_is_told(own_logging, status):
    with peer(True, status, {"error": {"message": "gone"}}) as (env, posted):
        done = invoke("orders", "place", *SOME, "--key", "some-key-1", "--yes", "--json", env=env)
    assert (done.returncode, len(posted)) == (3, 1)
    assert (json_of(done)["status"], json_of(done)["key"]) == ("unknown", "some-key-1")
    assert "--key some-key-1" in done.stderr


def test_an_order_of_which_nobody_knows_is_no_success_and_says_what_tells_later(own_logging):
    order = {
        "orderId": ORDER_ID, "status": "unknown", "ended": False, "isKnown": False, "orderHash": None, "limitPrice": 0.5,
        "sizeShares": 10, "lockUsd": 5, "filledShares": 0, "filledUsd": 0, "reason": None, "detail": None,
    }  # fmt: skip
    with peer(True, 202, order) as (env, posted):
        done = invoke("orders", "place", *SOME, "--yes", "--wait-s", "0.3", env=env)
        later = invoke("orders", "status", ORDER_ID, env=env)
    assert (done.returncode, later.returncode, len(posted)) == (3, 3, 1)
    assert f"polycopy orders status {ORDER_ID}" in done.stderr
