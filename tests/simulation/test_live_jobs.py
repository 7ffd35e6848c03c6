"""The safety net, the metrics and late capital of a whole engine that trades live."""

import re
from decimal import Decimal
from typing import Any

import httpx
import trio
from crash.live_world import LIVE, LiveWorld, armed_engine, live_world
from crash.paper_bots import OPEN
from engine_simulator.loopback_http import NO_TLS

from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.strategies import StrategySettings

TOKEN = "bootstrap-token-of-live-jobs"
ADMIN = {"http.admin_token": TOKEN, "http.admin_per_minute": "1000000"}
JOBS = ("lt-execute", "lt-sync-order-status", "lt-resolve")


async def ended(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Asks for a run and returns its figures."""
    assert (await http.post(f"/api/admin/jobs/{name}/run")).status_code == 200
    with trio.fail_after(20):
        while True:
            answer = await http.get(f"/api/admin/jobs/{name}/runs")
            assert answer.status_code == 200, answer.text
            runs = answer.json()["runs"]
            if asked := [run for run in runs if run["requestedBy"] and run["status"] != "running"]:
                assert asked[0]["status"] == "succeeded", asked[0]
                return dict(asked[0]["figures"])
            await trio.sleep(0.1)


async def samples(http: httpx.AsyncClient) -> dict[str, float]:
    text = (await http.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(polycopy_\S+) (\S+)$", text, re.MULTILINE)}


async def until_filled(live: LiveWorld, strategy_id: str, count: int) -> None:
    statement = "SELECT count(*) AS orders FROM lt_orders WHERE strategy_id = $1 AND filled_shares > 0"
    with trio.fail_after(30):
        while (await live.world.fetch(statement, strategy_id))[0]["orders"] < count:
            await trio.sleep(0.1)


async def make_late(live: LiveWorld) -> None:
    """A strategy that is made, given its capital and started while the engine runs."""
    async with open_connection(live.world.database, "late") as connection:
        paper, mirrors = StrategyStore(connection), LiveStrategyStore(connection)
        owner_id = await paper.user_id("admin")
        assert owner_id is not None
        await paper.create([("LATE", StrategySettings(**OPEN))], owner_id, by="test")
        await mirrors.create(
            "LT_LATE",
            user_id=owner_id,
            ft_wallet_id="LATE",
            account="main",
            capital_usd=Decimal(0),
            settings=LIVE,
            by="test",
        )
        await mirrors.set_paused("LT_LATE", False, by="test")
        await trio.sleep(1)
        await mirrors.change_capital("LT_LATE", Decimal(1_000), by="test", reason="late")


async def test_jobs_find_the_running_actors_and_metrics_show_them():
    async with live_world(51) as live, armed_engine({**live.world.settings, **ADMIN}) as engine:
        await engine.until_ready(30)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(
            verify=NO_TLS, base_url=f"http://127.0.0.1:{engine.port}", headers=headers, trust_env=False, timeout=15
        ) as http:
            await until_filled(live, "LT_MIRROR", 3)
            figures = {name: await ended(http, name) for name in JOBS}
            assert [figures[name]["trading"] for name in JOBS] == [True] * 3
            assert figures["lt-sync-order-status"]["compared"] == 0, "accounts were compared a moment ago"
            assert figures["lt-resolve"]["markets"] >= 1
            await make_late(live)
            await until_filled(live, "LT_LATE", 1)
            seen = await samples(http)
    assert seen["polycopy_live_trading"] == 1
    assert seen['polycopy_user_socket_connected{account="main"}'] == 1
    assert 0 <= seen['polycopy_reconcile_age_seconds{account="main"}'] < 10
    assert seen['polycopy_order_posts_total{outcome="accepted"}'] >= 4
    assert sum(value for name, value in seen.items() if name.startswith("polycopy_orders_total{")) >= 4
    assert seen['polycopy_live_strategies{state="running"}'] == 2
    assert seen["polycopy_exits_overdue"] >= 0
    buckets = ("available", "locked", "cooldown")
    money = {
        name: seen[f'polycopy_ledger_usd{{bucket="{name}",strategy="LT_LATE"}}'] for name in (*buckets, "realized")
    }
    drift = seen['polycopy_ledger_drift_usd{strategy="LT_LATE"}']
    assert money["locked"] > 0
    assert abs(sum(money[name] for name in buckets) - 1_000 - money["realized"] - drift) < 1e-6
