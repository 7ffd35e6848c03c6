"""`polycopy model`: trains models on the database's own trades, says how good they are, and lets one judge."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec

from engine.adapters.postgres.model_store import PostgresModelStore
from engine.adapters.system_clock import SystemClock
from engine.api.model_bodies import ModelReport, ModelsAnswer, model_answer, report_answer, switch_answer
from engine.cli.main import Settings
from engine.cli.model_access import with_models
from engine.cli.model_views import list_rows, report_lines, report_markdown
from engine.cli.operator import operator_name
from engine.cli.terminal import echo_table, plain, show_passing
from engine.model_switching import activate, deactivate
from engine.training.past_trades import PastTrades
from protocols.errors import RejectedError
from protocols.score_models import as_row

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_reason = click.option("--reason", default="", help="Why, for the record.")
_id = click.argument("model_id", type=click.IntRange(1, 10**18 - 1), metavar="MODEL")


@click.group()
def model() -> None:
    """Train models that score trades, see how good they are, and let one judge. A running engine follows within seconds."""


@model.command()
@click.option("--days", type=click.IntRange(2, 3_650), help="Trades of so many days; models.train_days without it.")
@click.option(
    "--rows-max", type=click.IntRange(1_000, 10_000_000), help="Most trades, the newest; models.train_rows_max."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Of all chance in it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the models into a file.")
@click.option("--no-keep", is_flag=True, help="Do not keep them in the database.")
@_json
@click.pass_obj
def train(
    settings: Settings,
    days: int | None,
    rows_max: int | None,
    seed: int,
    out: Path | None,
    no_keep: bool,
    as_json: bool,
) -> None:
    """Train two models on BUY trades whose market has ended, and measure both on later ones. Activates nothing.

    Needs the extra `models`. Runs with low priority and one thread.
    """
    from engine.cli.model_training import train_models

    config = settings.load()
    days, rows_max = days or config.models.train_days, rows_max or config.models.train_rows_max
    found = train_models(config, days=days, rows_max=rows_max, seed=seed, keep=not no_keep)
    documents = [{"id": model_id, **msgspec.to_builtins(one)} for model_id, one in found]
    if out is not None:
        out.write_text(json.dumps({"models": documents}))
    if as_json:
        click.echo(json.dumps({"models": documents}))
        return
    for model_id, one in found:
        row = as_row(one, model_id=model_id or 0, created_ms=SystemClock().now_ms())
        click.echo("\n".join(report_lines(report_answer(row, None))) + "\n")


@model.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Models listed.")
@_json
@click.pass_obj
def list_models(settings: Settings, limit: int, as_json: bool) -> None:
    """List models, newest first: how good each is out of sample, and which one judges."""
    config = settings.load()

    async def read(store: PostgresModelStore, _past: PastTrades) -> ModelsAnswer:
        rows = await store.models(before=None, rows_max=limit + 1)
        drift = await store.drift([row.model_id for row in rows])
        switches = await store.switches(before=None, rows_max=1)
        return ModelsAnswer(
            models=[model_answer(row, drift.get(row.model_id)) for row in rows[:limit]],
            active=switches[0].model_id if switches else None,
            score_file=bool(config.forward_testing.score_file),
            next_before=rows[limit - 1].model_id if len(rows) > limit else None,
        )

    found = with_models(config, read)
    if as_json:
        _echo_json(found)
    elif found.models:
        echo_table(*list_rows(found), right=range(4, 10))
    else:
        click.echo("There are no models yet; `polycopy model train` makes two.", err=True)
    if found.score_file and not as_json:
        click.echo("forward_testing.score_file is set: scores come from that file, no model judges.", err=True)


@model.command()
@click.argument("model_id", type=click.IntRange(1, 10**18 - 1), metavar="[MODEL]", required=False)
@click.option("--markdown", is_flag=True, help="Print tables for a document.")
@_json
@click.pass_obj
def report(settings: Settings, model_id: int | None, markdown: bool, as_json: bool) -> None:
    """Tell everything about a model: figures, baselines, calibration, how it does since. Without MODEL, the active one."""

    async def read(store: PostgresModelStore, _past: PastTrades) -> ModelReport:
        row = await store.model(await _wanted(store, model_id))
        if row is None:
            raise click.ClickException(f"there is no model {model_id}")
        return report_answer(row, (await store.drift([row.model_id])).get(row.model_id))

    found = with_models(settings.load(), read)
    if as_json:
        _echo_json(found)
    else:
        click.echo("\n".join(report_markdown(found) if markdown else report_lines(found)))


@model.command("activate")
@_id
@_reason
@_json
@click.pass_obj
def activate_model(settings: Settings, model_id: int, reason: str, as_json: bool) -> None:
    """Let a model judge. Refused unless it beats the price out of sample, and while forward_testing.score_file is set."""
    config = settings.load()

    async def switch(store: PostgresModelStore, _past: PastTrades) -> Any:
        file = config.forward_testing.score_file
        return await activate(store, model_id, by=operator_name(), reason=reason, score_file=file)

    found = switch_answer(with_models(config, switch))
    if as_json:
        _echo_json(found)
    else:
        click.echo(f"Model {model_id} judges; a running engine follows within seconds.")


@model.command("deactivate")
@_reason
@_json
@click.pass_obj
def deactivate_model(settings: Settings, reason: str, as_json: bool) -> None:
    """Let no model judge: strategies that need a score take nothing."""

    async def switch(store: PostgresModelStore, _past: PastTrades) -> Any:
        return await deactivate(store, by=operator_name(), reason=reason)

    found = switch_answer(with_models(settings.load(), switch))
    if as_json:
        _echo_json(found)
    else:
        click.echo("No model judges; a running engine follows within seconds.")


@model.command()
@click.argument("model_id", type=click.IntRange(1, 10**18 - 1), metavar="[MODEL]", required=False)
@click.option("--no-keep", is_flag=True, help="Do not keep what was found.")
@_json
@click.pass_obj
def watch(settings: Settings, model_id: int | None, no_keep: bool, as_json: bool) -> None:
    """Look how a model does on trades that ended after its training, and keep that. Without MODEL, the active one."""
    from engine.training.watching import watched

    config = settings.load()

    async def look(store: PostgresModelStore, past: PastTrades) -> Any:
        wanted = await _wanted(store, model_id)
        row, document = await store.model(wanted), await store.document(wanted)
        if row is None or document is None:
            raise RejectedError(f"there is no model {wanted}")
        limits = config.models
        now_ms = SystemClock().now_ms()
        show_passing("reading trades …")
        found = await watched(
            past, row, document, now_ms=now_ms, days=limits.watch_days, rows_max=limits.watch_rows_max
        )
        show_passing("")
        if found is not None and not no_keep:
            await store.keep_drift(wanted, found)
        return wanted, found

    wanted, found = with_models(config, look)
    if as_json:
        click.echo(json.dumps({"modelId": wanted, "drift": msgspec.to_builtins(found)}))
    elif found is None:
        click.echo(f"Too few trades have ended since model {wanted} was trained to say anything.", err=True)
    else:
        state = "has drifted: " + "; ".join(found.reasons) if found.drifted else "holds"
        click.echo(f"Model {wanted} {plain(state, 500)} ({found.span.rows} trades, {found.span.days} days).")


async def _wanted(store: PostgresModelStore, model_id: int | None) -> int:
    """Returns the model that is asked for, or the active one."""
    if model_id is not None:
        return model_id
    active, _ = await store.active(None)
    if active is None:
        raise click.ClickException("no model is active; name one, `polycopy model list` shows them")
    return active


def _echo_json(answer: msgspec.Struct) -> None:
    click.echo(msgspec.json.encode(answer).decode())
