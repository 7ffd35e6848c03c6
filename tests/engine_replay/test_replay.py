"""A tape played by hand: what is bought, sold, settled and left open, and that nobody sees what is to come."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.loader import load_config
from config.strategy_template import templates
from engine.replay.host import ReplayOrder, replay
from engine.replay.result import document
from engine.replay.tape_markets import read_resolutions
from engine.replay.trader_stats import read_stats
from engine.simulator.tape import read_recording
from protocols.errors import RejectedError
from protocols.strategies import Aggregation, ConflictPolicy, EntryModel, StrategySettings

LEADER = "0x" + "1" * 40
CONDITION = "0x" + "a" * 64
BASE: dict[str, Any] = {
    "min_edge": None,
    "min_trader_resolved_count": 0,
    "bet_size": Decimal(4),
    "entry_model": EntryModel.OBSERVED,
}
MIRROR = StrategySettings(**BASE)


def row(
    number: int, at_s: int, side: str = "BUY", price: float = 0.4, size: int = 100, **changes: Any
) -> dict[str, Any]:
    made = {
        "proxyWallet": LEADER, "side": side, "asset": "123", "conditionId": CONDITION, "size": size, "price": price,
        "timestamp": 1_700_000_000 + at_s, "transactionHash": "0x" + f"{number:064x}", "title": "Rain?", "slug": "rain",
        "outcome": "Yes", "outcomeIndex": 0,
    }  # fmt: skip
    return made | changes


def played(
    folder: Path, rows: list[dict[str, Any]], settings: StrategySettings = MIRROR, *, paid: object = None
) -> Any:
    tape, resolutions = folder / "tape.jsonl", folder / "paid.jsonl"
    tape.write_text("".join(json.dumps(one) + "\n" for one in rows) + "{torn")
    resolutions.write_text("" if paid is None else json.dumps(paid))
    recording = read_recording(tape)
    order = ReplayOrder(rows=recording.rows, bots=[("BOT", settings)], resolutions=read_resolutions(resolutions))
    result = document(order, replay(load_config(environ={}), order), skipped_lines=recording.skipped_lines)
    return result["bots"]["BOT"]


def test_an_open_position_is_marked_to_the_last_trade_of_its_token(tmp_path: Path) -> None:
    bot = played(tmp_path, [row(1, 0), row(2, 9, price=0.5, proxyWallet="0x" + "2" * 40, side="SELL")])
    assert [one["result"] for one in bot["orders"]] == ["unsettled"]
    assert Decimal(bot["unsettled"][0]["value"]) == 5
    assert Decimal(bot["figures"]["total_pnl"]) == 1
    assert Decimal(bot["equity"][-1][1]) == 1_001


def test_a_sale_closes_in_proportion_to_what_the_trader_held(tmp_path: Path) -> None:
    bot = played(tmp_path, [row(1, 0), row(2, 60, "SELL", 0.6, 25)])
    assert Decimal(bot["unsettled"][0]["shares"]) == Decimal("7.5")
    assert bot["reasons"] == {"taken": 1, "trader_sell": 1}


@pytest.mark.parametrize("key", [{"slug": "rain"}, {"conditionId": CONDITION}])
@pytest.mark.parametrize(("token", "outcome"), [("123", "WON"), ("456", "LOST")])
def test_a_resolution_without_a_time_settles_at_the_end(tmp_path: Path, key: Any, token: str, outcome: str) -> None:
    bot = played(tmp_path, [row(1, 0), row(2, 600)], paid={**key, "payouts": {token: "1"}})
    assert bot["reasons"] == {"taken": 2}
    assert [one["result"] for one in bot["orders"]] == [outcome] * 2
    assert not bot["unsettled"]


def test_a_resolution_is_seen_from_its_time_on_and_not_before(tmp_path: Path) -> None:
    closed = "2023-11-14T22:23:20Z"  # 600 s after the first row
    rows = [row(1, 0), row(2, 599), row(3, 700)]
    bot = played(tmp_path, rows, paid={"slug": "rain", "payouts": {"123": "1"}, "closedTime": closed})
    assert bot["reasons"] == {"market_resolved": 1, "taken": 2}
    later = played(tmp_path, rows, paid={"slug": "rain", "payouts": {"123": "1"}, "closedTime": "2024-11-14T22:23:20Z"})
    assert later["reasons"] == {"taken": 3}


def test_fills_within_the_window_are_one_decision(tmp_path: Path) -> None:
    settings = StrategySettings(**BASE, aggregate=Aggregation.WINDOW, aggregate_window_s=5)
    bot = played(tmp_path, [row(1, 0), row(2, 3), row(3, 20)], settings)
    assert len(bot["orders"]) == 2


def test_a_strategy_that_wants_the_book_finds_none_on_a_tape(tmp_path: Path) -> None:
    bot = played(tmp_path, [row(1, 0)], StrategySettings(**{**BASE, "entry_model": EntryModel.BOOK}))
    assert bot["reasons"] == {"book_unavailable": 1}


NO = {"asset": "456", "outcome": "No", "outcomeIndex": 1}


@pytest.mark.parametrize(
    ("policy", "reasons"),
    [
        ({"conflict_policy": ConflictPolicy.COPY_ALL}, {"taken": 5, "trader_sell": 1}),
        ({"conflict_policy": ConflictPolicy.FIRST}, {"taken": 3, "conflict_first": 2, "trader_sell": 1}),
        ({"conflict_policy": ConflictPolicy.MAJORITY}, {"taken": 3, "conflict_majority": 2, "trader_sell": 1}),
        ({"conflict_policy": ConflictPolicy.NET}, {"taken": 3, "conflict_net": 2, "trader_sell": 1}),
        ({"max_targets_per_side": 1}, {"taken": 3, "side_limit": 2, "trader_sell": 1}),
        ({"max_event_exposure_usd": Decimal(9)}, {"taken": 4, "event_exposure": 1, "trader_sell": 1}),
    ],
)
def test_targets_that_disagree_are_copied_as_the_policy_says(tmp_path: Path, policy: Any, reasons: Any) -> None:
    first, second, third = (("0x" + digit * 40) for digit in "123")
    rows = [
        row(1, 0, proxyWallet=first),
        row(2, 10, proxyWallet=second, **NO),
        row(3, 20, proxyWallet=third, size=150, **NO),
        row(4, 30, "SELL", proxyWallet=first),
        row(5, 40, proxyWallet=first, **NO),
        row(6, 41, proxyWallet=first, size=10),
    ]
    bot = played(tmp_path, rows, StrategySettings(**BASE, **policy))
    assert bot["reasons"] == reasons
    if "max_event_exposure_usd" in policy:
        assert [Decimal(one["stake"]) for one in bot["orders"]] == [4, 4, 1, 4]


def test_files_that_make_no_sense_are_refused_with_the_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"wallet": LEADER}) + "\n" + json.dumps({"wallet": LEADER[:-1] + "2", "l_win_rate": 2}))
    with pytest.raises(RejectedError, match=r"line 2: .*range"):
        read_stats(bad)
    bad.write_text('{"slug": "rain", "payouts": {"1": 3}}\n[')
    with pytest.raises(RejectedError, match="line"):
        read_resolutions(bad)


_PROGRAM = """
import sys
from pathlib import Path
from config.loader import load_config
from config.strategy_template import templates
from engine.replay.host import ReplayOrder, replay
from engine.replay.result import as_bytes, document
from engine.simulator.tape import read_recording
recording = read_recording(Path(sys.argv[1]))
order = ReplayOrder(rows=recording.rows, bots=[bot for family in templates() for bot in family.bots])
sys.stdout.buffer.write(as_bytes(document(order, replay(load_config(environ={}), order), skipped_lines=0)))
"""


def test_a_recorded_window_gives_the_same_bytes_whatever_the_hash_seed(recorded: Path, tmp_path: Path) -> None:
    window = read_recording(recorded / "data" / "platform-trades-2026-05-01T0320.jsonl.gz")
    tape = tmp_path / "tape.jsonl"
    tape.write_text("".join(json.dumps(one.fields, default=str) + "\n" for one in window.rows[:300]))
    results = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(tape)], env=environment, capture_output=True, check=True
        )
        results.append(done.stdout)
    assert results[0] == results[1]
    bots = json.loads(results[0])["bots"]
    assert len(bots) == sum(len(family.bots) for family in templates())
    assert any(bot["orders"] for bot in bots.values())
