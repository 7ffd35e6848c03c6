"""One picture of `polycopy top`."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.engine_client import EngineView
from engine.cli.figures import bytes_text, count_text, seconds_text
from engine.cli.status_document import actor_rows, channel_rows
from engine.cli.terminal import plain
from engine.cli.top_state import TopState

BAR_CELLS = 20
WARN_FROM, ALARM_FROM = 0.5, 0.8
# Time, lane, trader, side, size, price, outcome; the market gets what is left of the line.
TRADE_WIDTHS = (8, 4, 14, 4, 12, 5, 12)
TITLE_CHARS_MIN = 6
GAP_CHARS = 2
FRAME_LINES = 20
"""What a picture takes beside its last trades, for a terminal of limited height."""


def frame(state: TopState, width: int, trade_rows: int) -> RenderableType:
    """Returns the picture for a terminal of `width` columns, with at most `trade_rows` trades."""
    parts: list[RenderableType] = [_head(state)]
    if state.view is not None and state.view.metrics_error:
        parts.append(Text(plain(state.view.metrics_error), "red"))
    elif state.view is not None:
        parts += [Text(), *_gauges(state, state.view), Text(), _channels(state, state.view), Text()]
        parts.append(_actors(state.view))
    parts += [Text(), _trades(state, width, trade_rows)]
    return Group(*parts)


def _head(state: TopState) -> Text:
    head = Text.assemble(("polycopy top  ", "bold"), f"{plain(state.url)}  ")
    if state.view is None:
        return head.append(plain(state.engine_error or "reading …"), "bold red" if state.engine_error else "")
    if state.view.ready:
        return head.append("ready", "green")
    why = "; ".join(f"{name}: {text}" for name, text in state.view.waiting_for.items())
    return head.append(plain(f"not ready, waits for {why}"), "bold red")


def _gauges(state: TopState, view: EngineView) -> list[Text]:
    metrics = view.metrics
    heap, limit = metrics.value("heap_bytes") or 0, metrics.value("memory_limit_bytes") or 0
    memory = _line("heap", _bar(heap, limit), f"{bytes_text(heap)} of {bytes_text(limit)}")
    lag = seconds_text(metrics.value("loop_lag_seconds"))
    age = seconds_text(metrics.value("stream_last_frame_age_seconds"))
    spill = metrics.value("spill_bytes") or 0
    rows = state.rates("rows_written_total", "result")
    return [
        memory,
        _line("lag", f"{lag} (p99)   stream age {age}"),
        _line("spill", Text(bytes_text(spill), "bold red" if spill else "")),
        _line("frames", f"{_rate(state.rates('stream_frames_total', 'result'))}   rows {_rate(rows, 'inserted')}"),
        _line("trades", _by_lane(state.rates("trades_seen_total", "lane"))),
    ]


def _line(label: str, *parts: Text | str) -> Text:
    return Text.assemble((f"{label:<8}", "dim"), *(piece for part in parts for piece in (part, " ")))


def _bar(value: float, whole: float) -> Text:
    share = min(1.0, value / whole) if whole else 0.0
    filled = round(share * BAR_CELLS)
    style = "red" if share >= ALARM_FROM else "yellow" if share >= WARN_FROM else "green"
    return Text.assemble("[", ("#" * filled, style), "." * (BAR_CELLS - filled), f"] {share:4.0%}")


def _rate(rates: dict[str, float] | None, key: str | None = None) -> str:
    if rates is None:
        return "-"
    return f"{sum(rates.values()) if key is None else rates.get(key, 0.0):.1f}/s"


def _by_lane(rates: dict[str, float] | None) -> str:
    if rates is None:
        return "-"
    names = {"0": "targets", "1": "followed", "2": "known", "none": "others"}
    return "   ".join(f"{names.get(lane, plain(lane))} {rate:.1f}/s" for lane, rate in sorted(rates.items())) or "none"


def _channels(state: TopState, view: EngineView) -> RenderableType:
    table = _table("channel", "depth", "", "peak", "sent", "dropped")
    sent, dropped = (state.rates(f"channel_{name}_total", "channel") for name in ("sent", "dropped"))
    for row in channel_rows(view):
        name = row["channel"]
        losing = dropped is not None and dropped.get(name, 0) > 0
        table.add_row(
            Text(plain(name)),
            _bar(row["depth"], row["capacity"]),
            f"{count_text(row['depth'])}/{count_text(row['capacity'])}",
            count_text(row["peak_depth"]),
            "-" if sent is None else f"{sent.get(name, 0.0):.1f}/s",
            Text(count_text(row["dropped"]), "bold red" if losing else ""),
        )
    return table if table.row_count else Text("no channels yet", "dim")


def _actors(view: EngineView) -> Text:
    rows = actor_rows(view)
    down = [plain(row["actor"]) for row in rows if not row["up"]]
    restarts = sum(row["restarts"] for row in rows)
    state = Text(f"DOWN: {', '.join(down)}", "bold red") if down else Text(f"{len(rows)} up")
    return _line("actors", state, f"  restarts {restarts}")


def _trades(state: TopState, width: int, rows: int) -> RenderableType:
    if state.trades_error:
        return Text(f"no trades to show: {plain(state.trades_error)}", "red")
    if not state.trades:
        return Text("no trades stored yet", "dim")
    table = _table("time", "lane", "trader", "side", "size", "price", "outcome", "market", right=(4, 5))
    title_chars = max(TITLE_CHARS_MIN, width - sum(TRADE_WIDTHS) - GAP_CHARS * len(TRADE_WIDTHS))
    for row in state.trades[: max(0, rows)]:
        table.add_row(*_trade_cells(row, (*TRADE_WIDTHS, title_chars)))
    return table


def _trade_cells(row: dict[str, Any], widths: tuple[int, ...]) -> list[Text]:
    cells = (
        row["trade_timestamp"].strftime("%H:%M:%S"),
        row["lane"],
        row["trader_name"] or row["trader_wallet"],
        row["side"],
        f"{row['size']:.2f}",
        f"{row['price']:.3f}",
        row["outcome"] or "?",
        row["market_title"] or "",
    )
    return [Text(plain(cell, width)) for cell, width in zip(cells, widths, strict=True)]


def _table(*headings: str, right: tuple[int, ...] = (2, 3, 4, 5)) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP_CHARS, 0, 0), header_style="dim")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place in right else "left", no_wrap=True, overflow="ellipsis")
    return table
