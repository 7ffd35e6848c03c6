"""The JSON document of `polycopy status`."""

from typing import Any

from engine.cli.database_facts import DatabaseFacts
from engine.cli.engine_client import EngineView
from protocols.timestamps import utc_datetime


def engine_document(view: EngineView | None, error: str | None) -> dict[str, Any]:
    """Returns the engine's part of the JSON document; times in seconds, sizes in bytes."""
    if view is None:
        return {"reachable": False, "ready": False, "error": error}
    metrics = view.metrics
    return {
        "reachable": True,
        "ready": view.ready,
        "waiting_for": view.waiting_for,
        "degraded": view.degraded,
        "metrics_error": view.metrics_error,
        "heap_bytes": _whole(metrics.value("heap_bytes")),
        "memory_limit_bytes": _whole(metrics.value("memory_limit_bytes")),
        "loop_lag_s": metrics.value("loop_lag_seconds"),
        "stream_age_s": metrics.value("stream_last_frame_age_seconds"),
        "channels": channel_rows(view),
        "actors": actor_rows(view),
        "frames": _whole_each(metrics.by("stream_frames_total", "result")),
        "reconnects": int(metrics.total("stream_reconnects_total")),
        "trades_by_lane": _whole_each(metrics.by("trades_seen_total", "lane")),
        "rows_written": _whole_each(metrics.by("rows_written_total", "result")),
        "trade_to_row_s": {f"p{p}": metrics.quantile("trade_to_row_seconds", p / 100) for p in (50, 99)},
        "spill_bytes": _whole(metrics.value("spill_bytes")),
        "target_wallets": _whole(metrics.value("target_wallets")),
        "upstream_requests": upstream_rows(view),
        "poller": poller_document(view),
    }


def poller_document(view: EngineView) -> dict[str, Any]:
    """Returns the hot tier of the wallet pollers; times in seconds, calls by tier."""
    metrics = view.metrics
    return {
        "wallets": _whole_each(metrics.by("poller_wallets", "lane")),
        "cycle_s": metrics.by("poller_cycle_seconds", "lane"),
        "planned_cycle_s": metrics.value("poller_planned_cycle_seconds"),
        "due_lag_s": metrics.value("poller_due_lag_seconds"),
        "trades_age_s": metrics.value("poller_trades_age_seconds"),
        "calls": _whole_each(metrics.by("poller_calls_total", "tier")),
        "calls_saved": _whole_each(metrics.by("poller_calls_saved_total", "tier")),
        "failures": _whole_each(metrics.by("poller_failures_total", "tier")),
        "position_events": _whole_each(metrics.by("position_events_total", "kind")),
    }


def channel_rows(view: EngineView) -> list[dict[str, Any]]:
    """Returns one object a channel, in flow order."""
    names = ("depth", "capacity", "peak_depth", "sent_total", "received_total", "dropped_total", "dead_letters_total")
    columns = {name.removesuffix("_total"): view.metrics.by(f"channel_{name}", "channel") for name in names}
    return [
        {"channel": channel, **{name: int(column.get(channel, 0)) for name, column in columns.items()}}
        for channel in columns["depth"]
    ]


def actor_rows(view: EngineView) -> list[dict[str, Any]]:
    """Returns one object an actor."""
    restarts = view.metrics.by("actor_restarts_total", "actor")
    return [
        {"actor": actor, "up": state == "up", "restarts": int(restarts.get(actor, 0))}
        for actor, state in view.actors.items()
    ]


def upstream_rows(view: EngineView) -> list[dict[str, Any]]:
    """Returns one object for each API and answer code."""
    samples = view.metrics.samples.get("upstream_requests_total", {})
    return [{**dict(sorted(labels)), "count": int(count)} for labels, count in samples.items()]


def database_document(found: tuple[str, DatabaseFacts] | None, error: str | None) -> dict[str, Any]:
    """Returns the database's part of the JSON document; times as ISO 8601."""
    if found is None:
        return {"reachable": False, "error": error}
    place, facts = found
    return {
        "reachable": True,
        "place": place,
        "server_version": facts.server_version,
        "migrations_applied": list(facts.applied),
        "migrations_pending": [migration.version for migration in facts.pending],
        "trades": facts.trades,
        "trades_exact": facts.trades_exact,
        "markets": facts.markets,
        "followed": facts.followed,
        "targets": facts.targets,
        "last_trade": facts.last_trade.isoformat() if facts.last_trade else None,
        "last_written": facts.last_written.isoformat() if facts.last_written else None,
        "coverage": [
            {"lane": lane.value, "ratio": one.counts.ratio, "expected": one.counts.expected,
             "missed": one.counts.missed, "wallets": one.wallets,
             "last_audit": utc_datetime(one.closed_ms).isoformat()}
            for lane, one in sorted(facts.coverage.items())
        ],
        "leases": [
            {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch, "held": lease.left_s > 0,
             "left_s": round(lease.left_s, 1)}
            for lease in facts.leases
        ],
    }  # fmt: skip


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _whole_each(values: dict[str, float]) -> dict[str, int]:
    return {name: int(value) for name, value in values.items()}
