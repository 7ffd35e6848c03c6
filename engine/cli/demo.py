"""`polycopy demo`: the simulator, the engine and a few followed wallets on this machine."""

import json
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click
import httpx
import trio

from engine.adapters.postgres.database import Connection, DatabaseOptions, once
from engine.adapters.postgres.embedded_server import default_data_dir, running_server_dsn
from engine.adapters.postgres.follow_store import FollowStore
from engine.adapters.system_clock import process_owner_id
from engine.cli.demo_bots import BOTS, bot_counts, bot_sentences, make_bots
from engine.cli.demo_live import OVERRIDES, DemoLive, live_sentences, open_demo_live
from engine.cli.demo_user import DemoUser, demo_user
from engine.cli.demo_venue import simulated_venue
from engine.cli.first_login import WayIn, way_in
from engine.cli.hosting import host_engine
from engine.cli.main import Settings
from engine.lifecycle import EngineHost, Running
from engine.runtime.process_gauges import resident_bytes
from protocols.amounts import size_micro

_log = logging.getLogger(__name__)
FOLLOWED_WALLETS = 12
TARGET_WALLETS = 3
SETTLE_TIMEOUT_S = 20.0
ROWS_A_SCREEN = 50
"""After so many the way to the pages is said again: it has scrolled away."""
Fill = tuple[Any, ...]
"""(transaction hash, wallet, token id, side, micro-shares): identical fills share it."""
ROWS = """
SELECT transaction_hash, trader_wallet, asset, side, size, market_title, outcome, price, ingest_seq FROM trades_public
WHERE ingest_seq > $1 ORDER BY ingest_seq
"""


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1, max=86_400), help="End by itself after this time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end and nothing else on stdout.")
@click.option("--rate", type=click.FloatRange(0.1, 100), default=1.0, show_default=True, help="Times 28 rows a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the simulated platform.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Of the pages; by default one that is free.")
@click.option(
    "--password",
    help="Of the user admin on the pages; by default a login URL, or a password made for the run, is printed.",
)
@click.option("--live-sim", is_flag=True, help="Copy with simulated money too, through the whole path of live orders.")
@click.pass_obj
def demo(
    settings: Settings,
    seconds: float | None,
    as_json: bool,
    rate: float,
    seed: int,
    port: int,
    password: str | None,
    live_sim: bool,
) -> None:
    """Watch the engine work: a simulated venue, a few followed traders, a database of its own. No network, no keys.

    Nothing outside a directory of the demo's own is touched, and that is deleted at the end.
    """
    home = default_data_dir().parent / f"demo-{process_owner_id()[:8]}"
    with simulated_venue(rate=rate, seed=seed) as urls:
        overrides = {f"venue.{name}": url for name, url in urls.items() if name != "control_url"}
        overrides |= {
            "database.data_dir": str(home / "postgres"),
            "writer.spill_dir": str(home / "spill"),
            "http.port": str(port),
            "forward_testing.settle_interval_s": "2",
        }
        if as_json:
            overrides["logging.level"] = "warning"
        try:
            if settings.inputs().file is None:  # a file to tune, for as long as the demo runs
                home.mkdir(parents=True, exist_ok=True)
                (home / "polycopy.toml").touch()
                settings.config_file = home / "polycopy.toml"
            live = open_demo_live(home) if live_sim else None
            overrides |= OVERRIDES if live_sim else {}
            show = _Demo(
                control_url=urls["control_url"],
                data_dir=home / "postgres",
                seconds=seconds,
                quiet=as_json,
                password=password,
                live=live,
            )
            own = (lambda config: config) if live is None else live.only_simulated
            config = own(settings.load(overrides))
            code = host_engine(
                lambda: own(settings.read(overrides)),
                config,
                beside=show.run,
                live_switch=live_sim,
                inputs=settings.inputs(overrides),
            )
        finally:
            shutil.rmtree(home, ignore_errors=True)
    if show.result is not None:
        click.echo(json.dumps(show.result) if as_json else _sentence(show.result))
    sys.exit(code if code or show.result is not None else 1)


@attrs.define(eq=False, kw_only=True)
class _Demo:
    """What happens beside the engine: choose traders, let the venue play, show rows, count at the end."""

    control_url: str
    data_dir: Path
    seconds: float | None
    quiet: bool
    password: str | None = None
    live: DemoLive | None = None
    result: dict[str, Any] | None = attrs.field(init=False, default=None)
    _shown_seq: int = attrs.field(init=False, default=0)
    _shown_rows: int = attrs.field(init=False, default=0)
    _way: WayIn | None = attrs.field(init=False, default=None)

    async def run(self, running: Running, host: EngineHost) -> None:
        """Runs until the time is over or somebody stops the engine."""
        async with httpx.AsyncClient(base_url=self.control_url, timeout=10, trust_env=False) as control:
            wallets = await self._busiest_wallets(control)
            options = await self._database(running)
            await _follow(options, wallets)
            await make_bots(options)
            if self.live is not None:
                await self.live.prepare(options, control)
            await _until(lambda: running.engine.readiness.ready and _knows(running, wallets))
            await _until(lambda: self.live is None or self.live.knows(running))
            before = await _ledger(control, wallets)
            self._say(
                f"Following {len(wallets)} traders of the simulated platform, {len(BOTS)} paper bots copy them; "
                "Ctrl-C ends the demo.\n"
            )
            if self.password is not None or not self.quiet:
                self._way = await way_in(options, running, host.config.http, self.password)
                self._say(self._way.said)
                self._way.open_on_desktop()
            await _post(control, "/play", {"action": "resume"})
            async with demo_user(options, running) as user:
                await self._watch(options, user, host)
                await _post(control, "/play", {"action": "pause"})
                await _until_settled(control, running)
                after = await _ledger(control, wallets)
                self.result = await _result(options, running, host, after, after - before) | {
                    "feed_rows": await user.feed_rows(),
                    "price_requests": user.price_requests,
                    "upstream_calls": running.engine.traffic.requests.total(),
                    **await bot_counts(options),
                    **({} if self.live is None else await self.live.result(options, control, running, host)),
                }
            host.stop.set()

    async def _watch(self, options: DatabaseOptions, user: DemoUser, host: EngineHost) -> None:
        """Shows rows as they come, with a user beside, until the time is over."""
        connection = Connection(options, "demo rows")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(user.look_around)
            with trio.move_on_after(self.seconds or float("inf")):
                while not host.stop.is_set():
                    await self._show_new_rows(connection)
                    await trio.sleep(0.25)
            nursery.cancel_scope.cancel()
        await connection.aclose()

    async def _busiest_wallets(self, control: httpx.AsyncClient) -> list[str]:
        """Lets the platform trade for a moment and returns who traded most."""
        fills: Counter[str] = Counter()
        while len(fills) < FOLLOWED_WALLETS * 3:
            await trio.sleep(0.5)
            answer = await _post(control, "/ledger", {"wallets": None})
            fills = Counter(fill["wallet"] for fill in answer["fills"] for _ in range(fill["count"]))
        await _post(control, "/play", {"action": "pause"})
        await _until_quiet(control)
        return [wallet for wallet, _ in fills.most_common(FOLLOWED_WALLETS)]

    async def _database(self, running: Running) -> DatabaseOptions:
        await _until(lambda: "database" not in running.engine.readiness.open_conditions())
        dsn = await running_server_dsn(self.data_dir)
        if dsn is None:
            raise click.ClickException("the demo's database is gone")
        return DatabaseOptions(dsn=dsn)

    async def _show_new_rows(self, connection: Connection) -> None:
        rows = await connection.run(lambda raw: raw.fetch(ROWS, self._shown_seq))
        for row in rows:
            self._shown_seq = row["ingest_seq"]
            what = f"{row['side']:<4} {row['size']:>12.2f} × {row['price']:.3f}  {row['outcome'] or '?'}"
            self._say(f"{row['trader_wallet'][:10]}…  {what:<40} {row['market_title'] or ''}")
            self._shown_rows += 1
            if self._way is not None and self._shown_rows % ROWS_A_SCREEN == 0:
                self._say(f"\n{self._way.said}")

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(text)


async def _follow(options: DatabaseOptions, wallets: list[str]) -> None:
    connection = Connection(options, "demo")
    follows = FollowStore(connection, "admin")
    await follows.add(wallets[:TARGET_WALLETS], target=True)
    await follows.add(wallets[TARGET_WALLETS:], target=False)
    await connection.aclose()


def _knows(running: Running, wallets: list[str]) -> bool:
    actors = running.engine.actors
    if actors is None:
        return False
    knows_bots = actors.forward is not None and len(actors.forward.registry.current().runners) == len(BOTS)
    return knows_bots and len(actors.target_registry.current().lanes) == len(wallets)


async def _until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(SETTLE_TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - conditions of another thread of work, looked at for seconds at most
            await trio.sleep(0.05)


async def _until_quiet(control: httpx.AsyncClient) -> None:
    with trio.fail_after(SETTLE_TIMEOUT_S):
        while (await control.get("/state")).json()["rows_in_flight"]:  # noqa: ASYNC110 - another process
            await trio.sleep(0.1)


async def _until_settled(control: httpx.AsyncClient, running: Running) -> None:
    """Waits until everything that the platform sent is written, or nothing moves any more."""
    await _until_quiet(control)
    actors = running.engine.actors
    assert actors is not None
    before = -1
    while (now := actors.stream_reader.frames["trade"] + actors.sync_writer.inserted) != before:
        before = now
        await trio.sleep(0.5)


async def _post(control: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await control.post(path, json=body)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


async def _ledger(control: httpx.AsyncClient, wallets: list[str]) -> Counter[Fill]:
    """Returns what the platform says it did: the independent count."""
    fills = (await _post(control, "/ledger", {"wallets": wallets}))["fills"]
    names = ("transaction_hash", "wallet", "token_id", "side", "size_micro")
    return Counter({tuple(fill[name] for name in names): fill["count"] for fill in fills})


async def _result(
    options: DatabaseOptions, running: Running, host: EngineHost, all_fills: Counter[Fill], due: Counter[Fill]
) -> dict[str, Any]:
    rows = await once(options, "demo", lambda raw: raw.fetch(ROWS, 0))
    written = Counter(
        (row["transaction_hash"], row["trader_wallet"], row["asset"], row["side"], size_micro(row["size"]))
        for row in rows
    )
    actors = running.engine.actors
    assert actors is not None
    dropped: Counter[str] = Counter({"0": 0, "1": 0, "2": 0})
    for stats in running.engine.gauges.channel_statistics():
        for (lane, _), count in stats.dropped_by.items():
            dropped[str(lane)] += count if stats.name in ("writer", "raw_trades") else 0
    quantiles = {f"p{q}": host.latency.quantile_s(q / 100) for q in (50, 99)}
    return {
        "trades_seen": actors.stream_reader.frames["trade"],
        "trades_followed": due.total(),
        "rows_written": written.total(),
        "lost": (due - written).total(),
        "duplicates": (written - all_fills).total(),
        "dropped": dict(dropped),
        "trade_to_row_ms": {name: None if s is None else round(s * 1000, 2) for name, s in quantiles.items()},
        "rss_mb": round(resident_bytes() / 1e6, 1),
    }


def _sentence(result: dict[str, Any]) -> str:
    latency = result["trade_to_row_ms"]
    return (
        f"\n{result['trades_seen']} trades seen, {result['trades_followed']} of followed traders, "
        f"{result['rows_written']} rows written: {result['lost']} lost, {result['duplicates']} duplicated.\n"
        f"From the wire to the committed row: {latency['p50']} ms (p50), {latency['p99']} ms (p99).\n"
        f"The feed has {result['feed_rows']} rows. {result['price_requests']} requests for the prices of whole pages; "
        f"{result['upstream_calls']} calls upstream in all. "
        f"Memory {result['rss_mb']} MB.\n"
        f"{bot_sentences(result)}" + (f"\n{live_sentences(result)}" if "live" in result else "")
    )
