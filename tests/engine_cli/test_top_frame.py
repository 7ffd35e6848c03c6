import io
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console

from engine.cli.engine_client import EngineView, Metrics
from engine.cli.top_frame import frame
from engine.cli.top_state import TopState

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r[bold red]x[/] \u202e"


def drawn(state, width=120, **options):
    console = Console(file=io.StringIO(), width=width, highlight=False, **options)
    console.print(frame(state, width, 5))
    return console.file.getvalue()


def view(sent=0, dropped=0, depth=10, ready=True, **more):
    samples = {
        "ready": {frozenset(): 1.0},
        "heap_bytes": {frozenset(): 50e6},
        "memory_limit_bytes": {frozenset(): 100e6},
        "channel_depth": {frozenset({("channel", "writer")}): float(depth)},
        "channel_capacity": {frozenset({("channel", "writer")}): 20.0},
        "channel_sent_total": {frozenset({("channel", "writer")}): float(sent)},
        "channel_dropped_total": {
            frozenset({("channel", "writer"), ("lane", "2"), ("reason", "shed")}): float(dropped)
        },
    }
    actors = {"watch": "up", "sync_writer": "down"}
    return EngineView(ready=ready, waiting_for={"lease": HOSTILE}, actors=actors, metrics=Metrics(samples), **more)


def trade(**changed):
    row = {
        "trade_timestamp": datetime(2026, 11, 20, 12, 30, 5, tzinfo=UTC),
        "lane": 0,
        "trader_wallet": "0x" + "a" * 40,
        "trader_name": "PPMT",
        "side": "BUY",
        "size": Decimal("12.500000"),
        "price": Decimal("0.31"),
        "outcome": "Yes",
        "market_title": "Will it rain?",
    }
    return row | changed


async def test_rates_are_differences_over_the_interval(autojump_clock):
    import trio

    state = TopState(url="http://x")
    state.saw(view(sent=100))
    assert state.rates("channel_sent_total", "channel") is None
    await trio.sleep(2)
    state.saw(view(sent=150, dropped=3))
    assert state.rates("channel_sent_total", "channel") == {"writer": 25}
    text = drawn(state)
    assert "[##########..........]  50% 47.7 MiB of 95.4 MiB" in text
    assert "writer   [##########..........]  50%  10/20     0  25.0/s        3" in text
    assert "actors  DOWN: sync_writer" in text


async def test_a_restarted_engine_has_no_negative_rate(autojump_clock):
    import trio

    state = TopState(url="http://x")
    state.saw(view(sent=1000))
    await trio.sleep(1)
    state.saw(view(sent=5))
    assert state.rates("channel_sent_total", "channel") == {"writer": 0}


async def test_a_lost_engine_shows_no_old_figures():
    state = TopState(url="http://x")
    state.saw(view(sent=1))
    state.lost("no engine answers")
    text = drawn(state)
    assert "no engine answers" in text
    assert "writer" not in text
    state.saw(view(sent=1))
    assert state.rates("channel_sent_total", "channel") is None


async def test_without_metrics_readiness_is_still_shown():
    state = TopState(url="http://x")
    state.saw(view(metrics_error="/metrics answered 500"))
    text = drawn(state)
    assert "ready" in text
    assert "/metrics answered 500" in text


async def test_hostile_names_do_not_drive_the_terminal():
    state = TopState(url="http://x")
    state.saw(view(ready=False))
    hostile = trade(trader_name=HOSTILE, market_title=HOSTILE, outcome=HOSTILE)
    state.trades = [hostile]
    text = drawn(state)
    assert "".join(c for c in text if not c.isprintable()).strip("\n") == ""
    assert "[bold red]x[/]" in text
    # On a terminal there are escapes, all of them for colour.
    assert "\x1b]" not in drawn(state, force_terminal=True)
    assert "\x1b[2J" not in drawn(state, force_terminal=True)


async def test_trades_are_shown_with_wallets_for_want_of_names():
    state = TopState(url="http://x")
    state.trades = [trade(trader_name=None, outcome=None, market_title=None), *[trade()] * 9]
    lines = drawn(state).splitlines()
    assert lines[-5].split() == ["12:30:05", "0", "0x" + "a" * 11 + "…", "BUY", "12.50", "0.310", "?"]
    assert lines[-4].split() == ["12:30:05", "0", "PPMT", "BUY", "12.50", "0.310", "Yes", "Will", "it", "rain?"]


async def test_a_narrow_terminal_keeps_one_line_a_trade():
    state = TopState(url="http://x")
    state.trades = [trade(market_title="long " * 30)] * 5
    lines = drawn(state, width=80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert len([line for line in lines if line.startswith("12:30:05")]) == 5
