"""`polycopy plan`: a change of strategies before it is applied, trade by trade."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import click

from config.schema import EngineConfig
from config.strategy_files import BYTES_MAX, BotEntry, entries_from_toml
from engine.adapters.postgres.database import Connection, open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.system_clock import SystemClock
from engine.cli.bot_access import BadSettingsError, bad_settings, named, owner_of
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.main import Settings
from engine.cli.plan_text import plan_lines
from engine.cli.replay import scores_of
from engine.cli.terminal import show_passing
from engine.plan.document import Plan, encode
from engine.plan.from_database import DAYS_MAX, Wanted, bot_plans, stored_order
from engine.plan.from_tape import tape_order
from engine.plan.make import ROWS_MAX, PlanOrder, make_plan
from engine.plan.page import page
from engine.replay.stored import TRADES_MAX
from engine.runtime.logs import configure_logging
from engine.side_process import PROGRESS
from protocols.errors import RejectedError
from protocols.strategies import Strategy
from protocols.users import ADMIN_NAME

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OUT = click.Path(path_type=Path, dir_okay=False)


@attrs.frozen(kw_only=True)
class _Asked:
    """The options."""

    entries: list[BotEntry]
    before: list[BotEntry] | None
    tape: Path | None
    resolutions: Path | None
    stats: Path | None
    days: int
    wallets: tuple[str, ...]
    owner: str
    unchanged: bool
    rows: int
    trades_max: int
    seed: int


@click.command("plan")
@click.option(
    "--bots", "bots_file", type=click.File("rb"), help="Strategies as they are to become, TOML; - for standard input."
)
@click.option("--bot", help="One stored strategy, changed by --set.")
@click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="With --bot: one setting; repeatable.")
@click.option(
    "--days", type=click.IntRange(1, DAYS_MAX), default=7, show_default=True, help="Stored trades of these last days."
)
@click.option(
    "--wallets",
    multiple=True,
    metavar="WALLET",
    help="Whom strategies copy that have no list of their own, in place of whom they mean; repeatable.",
)
@click.option(
    "--before", "before_file", type=_FILE, help="Compare with this file, not with the strategies of the database."
)
@click.option("--tape", type=_FILE, help="Play this recording, not stored trades.")
@click.option("--resolutions", "resolutions_file", type=_FILE, help="With --tape: what markets paid, JSON lines.")
@click.option("--stats", "stats_file", type=_FILE, help="With --tape: records of traders, JSON lines or CSV.")
@click.option("--owner", default=ADMIN_NAME, show_default=True, help="User whose strategies new ones are to be.")
@click.option("--unchanged", is_flag=True, help="Show strategies of the file that do not change, too.")
@click.option(
    "--rows",
    type=click.IntRange(0, ROWS_MAX),
    default=1_000,
    show_default=True,
    help="Differing trades of each strategy that are kept, those with the greatest effect.",
)
@click.option(
    "--trades-max",
    type=click.IntRange(1, 10_000_000),
    default=TRADES_MAX,
    show_default=True,
    help="Refuse to play more trades than this.",
)
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=_OUT, help="Save the whole plan as JSON.")
@click.option("--html", type=_OUT, help="Save a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole plan as JSON.")
@click.option("--progress", "tells_progress", is_flag=True, hidden=True)
@click.pass_obj
def plan_command(
    settings: Settings, /, bots_file: BinaryIO | None, bot: str | None, pairs: tuple[str, ...], out: Path | None,
    html: Path | None, as_json: bool, tells_progress: bool, before_file: Path | None, resolutions_file: Path | None,
    stats_file: Path | None, **options: Any,
) -> None:  # fmt: skip
    """Show what strategies would have copied otherwise had a change been made some days ago. Nothing is changed.

    Both versions of each strategy are played on the same trades, in one pass and from the same balance. Strategies of the file
    that are stored under the same name are changed, others are new ones; stored ones that the file does not name are left out.
    """
    config = settings.load()
    asked = _Asked(
        entries=_entries(bots_file, bot, pairs),
        before=None if before_file is None else _from_toml(before_file.read_bytes()),
        resolutions=resolutions_file, stats=stats_file, **options,
    )  # fmt: skip
    if asked.tape is None and (asked.resolutions is not None or asked.stats is not None):
        raise click.UsageError("--resolutions and --stats go with --tape; the database has its own")
    try:
        order = run_command(lambda: _order(config, asked, is_one=bot is not None))
        # What a replay cannot know is told once, in the plan, and not by each of its actors.
        configure_logging("error", "text", SystemClock())
        total = len(order.played.rows)
        plan = make_plan(config, order, rows_max=asked.rows, progress=lambda n: _tell(n, total, tells_progress))
        show_passing("")
        document = encode(plan) + b"\n"
        if out is not None:
            out.write_bytes(document)
        if html is not None:
            html.write_bytes(page(plan).encode("utf-8", "replace"))
    except (RejectedError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _show(plan, document, as_json)


def _entries(file: BinaryIO | None, bot: str | None, pairs: Sequence[str]) -> list[BotEntry]:
    if (file is None) == (bot is None):
        raise click.UsageError("give --bots FILE, or --bot NAME with --set FIELD=VALUE")
    if bot is None:
        if pairs:
            raise click.UsageError("--set goes with --bot NAME; with --bots the file says everything")
        assert file is not None
        return _from_toml(file.read(BYTES_MAX + 1))
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong or not pairs:
        raise click.UsageError("--bot needs what is to change: --set FIELD=VALUE, as often as you like")
    return [BotEntry(bot, {name.strip(): value for name, _, value in (pair.partition("=") for pair in pairs)})]


def _from_toml(data: bytes) -> list[BotEntry]:
    if len(data) > BYTES_MAX:
        raise BadSettingsError([f"the file has more than {BYTES_MAX} bytes"])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadSettingsError([f"the file is no UTF-8 text: {error}"]) from None
    with bad_settings():
        return entries_from_toml(text)


async def _order(config: EngineConfig, asked: _Asked, *, is_one: bool) -> PlanOrder:
    """Returns what to compare. Without --tape, or without --before, the database is asked."""
    scores = scores_of(config.forward_testing.score_file)
    if asked.tape is not None and asked.before is not None:
        return tape_order(*_plans(asked, _stored(asked.before), ""), asked, scores)

    async def work(database: OpenDatabase) -> PlanOrder:
        async with open_connection(database.options, "plan") as connection:
            plans, same = await _plans_in(connection, asked, is_one=is_one)
            if asked.tape is not None:
                return tape_order(plans, same, asked, scores)
            wanted = Wanted(
                days=asked.days,
                now_ms=SystemClock().now_ms(),
                trades_max=asked.trades_max,
                seed=asked.seed,
                others=tuple(dict.fromkeys(wallet.lower() for wallet in asked.wallets)),
            )
            return await stored_order(connection, config, plans, same, wanted, scores)

    return await with_database(config, work, prepare=True)


async def _plans_in(connection: Connection, asked: _Asked, *, is_one: bool) -> tuple[Any, list[str]]:
    store = StrategyStore(connection)
    if is_one:
        await named(store, asked.entries[0].wallet_id)
    if asked.before is not None:
        owner_id = await owner_of(store, asked.owner)
        return _plans(asked, _stored(asked.before, owner_id), owner_id)
    found = [await store.get(entry.wallet_id) for entry in asked.entries]
    owner_id = await owner_of(store, asked.owner) if None in found else ""
    return _plans(asked, {one.wallet_id: one for one in found if one is not None}, owner_id)


def _plans(asked: _Asked, stored: dict[str, Strategy], owner_id: str) -> tuple[Any, list[str]]:
    with bad_settings():
        plans, same = bot_plans(asked.entries, stored, owner_id, unchanged_too=asked.unchanged)
    if not plans:
        raise RejectedError(
            f"nothing changes: {', '.join(same[:5])}{' …' if len(same) > 5 else ''} "
            f"{'is' if len(same) == 1 else 'are'} like that already; --unchanged plays it all the same"
        )
    return plans, same


def _stored(entries: Sequence[BotEntry], owner_id: str = "") -> dict[str, Strategy]:
    with bad_settings():
        return {
            one.wallet_id: Strategy(
                wallet_id=one.wallet_id, number=0, owner_id=owner_id, version=0, settings=one.settings()
            )
            for one in entries
        }


def _tell(played: int, total: int, tells_progress: bool) -> None:
    if tells_progress:
        click.echo(f"{PROGRESS}{played} of {total}", err=True)
    else:
        show_passing(f"{played:,} of {total:,} trades")


def _show(plan: Plan, document: bytes, as_json: bool) -> None:
    if as_json:
        click.echo(document, nl=False)
        return
    for line in plan_lines(plan):
        click.echo(line)
