"""The text of `polycopy status`."""

from collections import defaultdict
from typing import Any

import click

from engine.cli.database_facts import DatabaseFacts
from engine.cli.engine_client import EngineView
from engine.cli.figures import bytes_text, count_text, moment_text, percent_text, seconds_text
from engine.cli.status_document import actor_rows, channel_rows, poller_document
from engine.cli.terminal import echo_table, plain
from protocols.timestamps import utc_datetime


def echo_engine(view: EngineView | None, error: str | None) -> None:
    """Prints the engine's part."""
    if view is None:
        click.echo(f"engine: not running or not reachable ({plain(error, 400)})")
        return
    click.echo("engine: ready" if view.ready else "engine: NOT ready")
    for name, why in view.waiting_for.items():
        click.echo(f"  waits for {plain(name)}: {plain(why, 400)}")
    for name, why in view.degraded.items():
        click.echo(f"  goes on without {plain(name)}: {plain(why, 400)}")
    if view.metrics_error:
        click.echo(f"  no figures: {plain(view.metrics_error, 400)}")
    for label, text in [] if view.metrics_error else _figures(view):
        click.echo(f"  {label:<15} {plain(text, 400)}")
    _echo_channels(view)
    _echo_actors(view)


def _figures(view: EngineView) -> list[tuple[str, str]]:
    metrics = view.metrics
    heap, limit = metrics.value("heap_bytes") or 0, metrics.value("memory_limit_bytes") or 0
    share = f" ({heap / limit:.0%})" if limit else ""
    p50, p99 = (metrics.quantile("trade_to_row_seconds", q) for q in (0.5, 0.99))
    requests = metrics.samples.get("upstream_requests_total", {})
    upstream = defaultdict[str, float](float)
    for labels, count in requests.items():
        upstream[f"{dict(labels).get('api')} {dict(labels).get('code')}"] += count
    return [
        ("memory", f"{bytes_text(heap)} of {bytes_text(limit)}{share}"),
        ("scheduler lag", f"{seconds_text(metrics.value('loop_lag_seconds'))} (p99)"),
        ("last frame", f"{seconds_text(metrics.value('stream_last_frame_age_seconds'))} ago"),
        ("frames", _counts(metrics.by("stream_frames_total", "result"))),
        ("reconnects", count_text(metrics.total("stream_reconnects_total"))),
        ("wallets", f"{count_text(metrics.value('target_wallets') or 0)} in the sets"),
        ("trades by lane", _counts(metrics.by("trades_seen_total", "lane"))),
        ("rows", _counts(metrics.by("rows_written_total", "result"))),
        ("trade to row", f"about {seconds_text(p50)} (p50), {seconds_text(p99)} (p99)"),
        ("spill journal", bytes_text(metrics.value("spill_bytes") or 0)),
        ("upstream calls", _counts(upstream)),
        ("polled wallets", _polled(view)),
    ]


def _polled(view: EngineView) -> str:
    poller = poller_document(view)
    hot = sum(poller["wallets"].get(lane, 0) for lane in ("target", "followed", "marked"))
    # By lane: marked wallets come round four times more seldom than targets, and that says nothing of the venue.
    cycles = ", ".join(f"{seconds_text(cycle_s)} {lane}" for lane, cycle_s in sorted(poller["cycle_s"].items()))
    calls, saved = poller["calls"].get("hot", 0), poller["calls_saved"].get("hot", 0)
    parts = [
        f"{count_text(hot)} hot, cycle {cycles or '-'} (at best {seconds_text(poller['planned_cycle_s'])})",
        f"{count_text(calls)} calls made, {count_text(saved)} saved",
    ]
    if failing := poller["wallets"].get("failing", 0):
        parts.append(f"{count_text(failing)} failing")
    return "; ".join(parts)


def _counts(counts: dict[str, float]) -> str:
    return ", ".join(f"{name}: {count_text(count)}" for name, count in sorted(counts.items())) or "none"


def _echo_channels(view: EngineView) -> None:
    rows = channel_rows(view)
    if rows:
        click.echo()
        names = ("channel", "depth", "capacity", "peak_depth", "sent", "dropped", "dead_letters")
        headings = [name.replace("_", " ") for name in names]
        echo_table(headings, [[row[name] for name in names] for row in rows], right=range(1, len(names)))


def _echo_actors(view: EngineView) -> None:
    rows = actor_rows(view)
    if rows:
        click.echo()
        table = [(row["actor"], "up" if row["up"] else "DOWN", row["restarts"]) for row in rows]
        echo_table(("actor", "state", "restarts"), table, right={2})


def echo_database(found: tuple[str, DatabaseFacts] | None, error: str | None) -> None:
    """Prints the database's part."""
    if found is None:
        click.echo(f"database: not reachable ({plain(error, 400)})")
        return
    place, facts = found
    version = f"{facts.server_version // 10_000}.{facts.server_version % 10_000}"
    click.echo(f"database: PostgreSQL {version}, {plain(place, 400)}")
    pending = f", {len(facts.pending)} pending" if facts.pending else ""
    lines: list[tuple[str, Any]] = [("migrations", f"{len(facts.applied)} applied{pending}")]
    if facts.trades is not None:
        about = "" if facts.trades_exact else "about "
        lines += [
            ("trades", f"{about}{count_text(facts.trades)} in {count_text(facts.markets or 0)} markets"),
            ("last trade", f"{moment_text(facts.last_trade)}, written {moment_text(facts.last_written)}"),
            ("follows", f"{count_text(facts.followed or 0)} wallets, {count_text(facts.targets or 0)} of them targets"),
        ]
        lines += [("coverage", text) for text in _coverage(facts)]
    for label, text in lines:
        click.echo(f"  {label:<15} {text}")
    for lease in facts.leases:
        state = f"held by {plain(lease.holder)}" if lease.left_s > 0 else f"free, last held by {plain(lease.holder)}"
        click.echo(f"  {'lease':<15} {plain(lease.name)}: {state} (epoch {lease.epoch})")


def _coverage(facts: DatabaseFacts) -> list[str]:
    """Returns a line a lane: what the stream had of the venue's trades of 24 hours."""
    lines = []
    for lane, one in sorted(facts.coverage.items()):
        found = f"{percent_text(one.counts.ratio)} of {count_text(one.counts.expected)} trades in 24 h"
        audited = f"audited {moment_text(utc_datetime(one.closed_ms))}"
        lines.append(f"lane {lane.value}: {found}, {count_text(one.counts.missed)} missed by all; {audited}")
    return lines or ["not compared yet (job coverage-audit)"]
