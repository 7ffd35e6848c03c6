"""`polycopy replay`: recorded trades through the actors, and what each strategy would have done."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from config.strategy_files import BYTES_MAX, entries_from_toml, settings_of_entries
from config.strategy_template import templates
from engine.adapters.system_clock import SystemClock
from engine.cli.bot_access import bad_settings
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, show_passing
from engine.replay.host import ReplayOrder, replay
from engine.replay.report import page
from engine.replay.result import as_bytes, document
from engine.replay.tape_markets import read_resolutions
from engine.replay.trader_stats import read_stats
from engine.runtime.logs import configure_logging
from engine.simulator.tape import TapeError, read_recording
from protocols.errors import RejectedError
from protocols.score_table import ScoreTable, read_scores
from protocols.strategies import StrategySettings

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("replay")
@click.argument("tape", type=_FILE)
@click.option("--bots", "bots_file", type=_FILE, help="Strategies as TOML; without it the shipped templates.")
@click.option("--resolutions", "resolutions_file", type=_FILE, help="What markets paid, JSON lines.")
@click.option("--stats", "stats_file", type=_FILE, help="Records of traders, JSON lines or CSV.")
@click.option(
    "--wallets", multiple=True, metavar="WALLET", help="Copy these, not every wallet of the tape; repeatable."
)
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Save the whole result as JSON.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Save a page with charts.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON.")
@click.pass_obj
def replay_command(
    settings: Settings,
    tape: Path,
    bots_file: Path | None,
    resolutions_file: Path | None,
    stats_file: Path | None,
    wallets: tuple[str, ...],
    seed: int,
    out: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Run the recorded trades of TAPE through the engine's own actors: what would each strategy have done?"""
    configure_logging("error", "text", SystemClock())
    config = settings.load()
    bots = _bots(bots_file)
    try:
        recording = read_recording(tape)
        order = ReplayOrder(
            rows=recording.rows,
            bots=bots,
            wallets=tuple(dict.fromkeys(wallet.lower() for wallet in wallets)),
            resolutions=read_resolutions(resolutions_file) if resolutions_file else (),
            records=read_stats(stats_file) if stats_file else {},
            scores=scores_of(config.forward_testing.score_file),
            seed=seed,
        )
        total = len(order.rows)
        done = replay(config, order, lambda played: show_passing(_bar(played, total)))
        show_passing("")
        result = document(order, done, skipped_lines=recording.skipped_lines)
        if out is not None:
            out.write_bytes(as_bytes(result))
        if html is not None:
            html.write_bytes(page(result).encode("utf-8", "replace"))
    except (TapeError, RejectedError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(as_bytes(result), nl=False)
    else:
        _show(result)


def _bots(path: Path | None) -> list[tuple[str, StrategySettings]]:
    if path is None:
        return [bot for family in templates() for bot in family.bots]
    data = path.read_bytes()[: BYTES_MAX + 1]
    if len(data) > BYTES_MAX:
        raise click.ClickException(f"{path}: more than {BYTES_MAX} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path}: no UTF-8 text: {error}") from None
    with bad_settings():
        return settings_of_entries(entries_from_toml(text))


def scores_of(file: str | None) -> ScoreTable | None:
    """Returns the scores of `forward_testing.score_file`; None without one. Raises `RejectedError` and `OSError`."""
    if not file:
        return None
    path = Path(file)
    return read_scores(path.read_text("utf-8"), is_csv=path.suffix.lower() == ".csv")


def _bar(played: int, total: int) -> str:
    filled = 30 * played // total
    return f"[{'#' * filled}{'.' * (30 - filled)}] {played:,} of {total:,} trades"


def _show(result: dict[str, Any]) -> None:
    tape, bots = result["tape"], result["bots"]
    ordered = sorted(bots.items(), key=lambda one: (-Decimal(one[1]["figures"]["return_pct"]), one[0]))
    rows = []
    for name, bot in ordered:
        one = bot["figures"]
        numbers = (one["return_pct"], one["total_pnl"], one["realized_pnl"], one["orders"], one["open_orders"])
        rows.append((name, *numbers, one["sold"], f"{one['won']}/{one['lost']}"))
    heads = ("bot", "return %", "total USD", "realised", "orders", "unsettled", "sold", "won/lost")
    echo_table(heads, rows, right={1, 2, 3, 4, 5, 6})
    copied = result["copied"] if isinstance(result["copied"], str) else f"{len(result['copied'])} wallets"
    unsettled = sum(bot["figures"]["open_orders"] for bot in bots.values())
    click.echo(
        f"{tape['trades']} trades of {tape['wallets']} wallets in {tape['markets']} markets; copied: {copied}. "
        f"{unsettled} positions are unsettled and marked to the last trade; a tape has no order books or holdings."
    )
    if not any(bot["figures"]["orders"] for bot in bots.values()):
        click.echo(_why_nothing(bots))
    lost = tape["skipped_lines"] + tape["malformed"] + tape["undecided"]
    if lost:
        click.echo(f"{lost} lines or trades could not be used.")


def _why_nothing(bots: dict[str, Any]) -> str:
    reasons = sum((Counter(bot["reasons"]) for bot in bots.values()), Counter[str]())
    if not reasons:
        return "No bot bought anything: it was offered no trade. Whom do they copy? See --wallets."
    most = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(3))
    return f"No bot bought anything ({most}). Most bots ask for a trader's record, which no tape has: give it with --stats."
