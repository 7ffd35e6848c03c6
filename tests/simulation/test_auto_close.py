"""A copy by hand that leaves with its trader, through a whole engine that trades with the simulated venue."""

from decimal import Decimal
from functools import partial

import httpx
import pytest
import trio
from crash.live_audit import audit, audit_venue
from crash.live_world import armed_engine, live_world
from engine_cli.cli_process import invoke, json_of
from engine_cli.conftest import own_logging as own_logging
from engine_simulator.loopback_http import NO_TLS

TOKEN = "bootstrap-token-of-a-live-engine"
FILLED = "SELECT * FROM lt_orders WHERE side = 'BUY' AND filled_shares > 0 AND ended AND NOT is_manual LIMIT 1"
CLOSED = """
INSERT INTO positions_closed (
    wallet_address, token_id, condition_id, closed_reason, size, current_price, opened_at, opened_snapshot,
    last_seen_at, closed_at
) VALUES ($1, $2, $3, 'manual_close', 100, 0.5, now() - interval '1 hour', 1, now(), now())
"""
SOLD = """
SELECT status, sold_shares, target_shares FROM lt_exits WHERE strategy_id = 'manual:main'
"""
LEFT = "SELECT shares_open FROM lt_orders WHERE lt_order_id = $1::text::uuid"


@pytest.mark.slow  # markets of this world live for seconds: under load the copy comes too late
@pytest.mark.timeout(120)
async def test_a_copy_by_hand_is_sold_when_its_trader_closes(own_logging):
    async with live_world(43) as live:
        settings = {**live.world.settings, "http.admin_token": TOKEN}
        async with armed_engine(settings) as engine:
            await engine.until_ready(30)
            with trio.fail_after(25):
                while not (found := await live.world.fetch(FILLED)):
                    await trio.sleep(0.1)
            [like] = found
            names = {f"POLYCOPY_{name.upper().replace('.', '__')}": str(value) for name, value in settings.items()}
            env = {**names, "POLYCOPY_HTTP__PORT": str(engine.port)}
            copy = (
                "orders", "copy", like["cause"], "--usd", "10", "--slippage-pct", "90", "--account", "main", "--auto-close",
                "--yes", "--json",
            )  # fmt: skip
            placed = json_of(await trio.to_thread.run_sync(partial(invoke, *copy, env=env)))
            assert Decimal(placed["filledShares"]) > 0
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(
                verify=NO_TLS, base_url=f"http://127.0.0.1:{engine.port}", headers=headers, trust_env=False
            ) as api:
                [armed] = (await api.get("/api/polymarket/orders/auto-close")).json()["autoCloses"]
                assert (armed["tokenId"], armed["copiedTrader"]) == (like["token_id"], like["ft_trader_wallet"])
                assert await live.world.fetch(SOLD) == []
                await live.world.fetch(CLOSED, like["ft_trader_wallet"], like["token_id"], like["condition_id"])
                with trio.fail_after(40):
                    while not (rows := await live.world.fetch(SOLD)) or rows[0]["status"] not in (
                        "DONE",
                        "DUST",
                        "SETTLED",
                    ):
                        await trio.sleep(0.2)
                assert rows[0]["status"] == "DONE"
                [left] = await live.world.fetch(LEFT, placed["orderId"])
                assert left["shares_open"] < Decimal("0.01")
                with trio.fail_after(20):
                    while True:
                        told = (await api.get("/api/notifications")).json()["notifications"]
                        if "auto_close_executed" in {one["kind"] for one in told}:
                            break
                        await trio.sleep(0.2)
            account = await live.account()
            assert max(account["posts"].values()) == 1
            audit_venue(await audit(live.world.database), account)
