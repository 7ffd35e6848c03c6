"""`polycopy tuner`: what the tuner proposes for strategies under its care, and what became of it."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import click
import msgspec

from config.schema import EngineConfig
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.tuner_deciding import TunerConflictError
from engine.adapters.postgres.tuner_reports import PostgresTunerReports
from engine.adapters.postgres.tuner_store import PostgresTunerStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.job_requests import run_job
from engine.cli.main import EXIT_FAILED, Settings
from engine.cli.operator import operator_name
from engine.cli.terminal import echo_table, plain, show_passing
from engine.cli.tuner_views import finding_lines, history_row, note_row, proposal_document, proposal_lines, waiting_row
from engine.tuner_process import is_installed
from protocols.errors import EngineError
from protocols.jobs import JobStatus
from protocols.tuner import Note, Proposal, ProposalStatus
from protocols.tuner_search import SearchOrder

T = TypeVar("T")
JOB = "alpha-agent"
NOT_INSTALLED = "the search needs optuna: pip install 'polycopy[models]'"
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_id = click.argument("proposal_id", metavar="PROPOSAL", type=click.IntRange(1, 2**63 - 1))
_limit = click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Rows listed.")
WAITING_HEADS = ("proposal", "bot", "change", "return, points", "p", "level", "ends", "")
HISTORY_HEADS = ("proposal", "bot", "change", "status", "decided by", "when", "")
NOTE_HEADS = ("day", "bot", "note", "outcome")


@click.group()
def tuner() -> None:
    """Show, approve and reject what the tuner proposes for strategies with agent_managed. Works while no engine runs.

    A strategy with agent_applies takes proposals by itself, unless a live strategy mirrors it.
    """


@tuner.command("list")
@_limit
@_json
@click.pass_obj
def list_waiting(settings: Settings, limit: int, as_json: bool) -> None:
    """List the proposals that wait for a person."""
    waiting = (ProposalStatus.WAITING,)
    rows = _reports(settings.load(), lambda reports: reports.proposals(statuses=waiting, rows_max=limit))
    if as_json:
        click.echo(json.dumps([proposal_document(one) for one in rows], default=str))
    elif rows:
        echo_table(WAITING_HEADS, [waiting_row(one) for one in rows], right={0, 3, 4, 5})
    else:
        click.echo("Nothing waits for a decision.", err=True)


@tuner.command()
@_id
@_json
@click.pass_obj
def show(settings: Settings, proposal_id: int, as_json: bool) -> None:
    """Show one proposal with all its evidence."""
    found = _reports(settings.load(), lambda reports: reports.proposal(proposal_id))
    if found is None:
        raise click.BadParameter(f"there is no proposal {proposal_id}", param_hint="PROPOSAL")
    if as_json:
        click.echo(json.dumps(proposal_document(found), default=str))
        return
    for line in proposal_lines(found):
        click.echo(line)


@tuner.command()
@_id
@_json
@click.pass_obj
def approve(settings: Settings, proposal_id: int, as_json: bool) -> None:
    """Apply a proposal, if it still fits the strategy. Exit code 1 and the reason when it does not."""
    by = operator_name()
    _echo_decided(_decide(settings.load(), lambda store: store.approve(proposal_id, by)), as_json)


@tuner.command()
@_id
@click.option("--reason", default="", help="Why; kept with the proposal.")
@_json
@click.pass_obj
def reject(settings: Settings, proposal_id: int, reason: str, as_json: bool) -> None:
    """Turn a proposal down. The tuner asks nothing about its strategy for seven days."""
    by = operator_name()
    _echo_decided(_decide(settings.load(), lambda store: store.reject(proposal_id, by, reason[:500])), as_json)


@tuner.command()
@click.option("--bot", help="Only this strategy.")
@click.option("--notes", is_flag=True, help="List what was observed and supposed, with its outcome.")
@_limit
@_json
@click.pass_obj
def history(settings: Settings, bot: str | None, notes: bool, limit: int, as_json: bool) -> None:
    """List what was decided and what became of it, newest first."""
    config = settings.load()
    if notes:
        found = _reports(config, lambda reports: reports.notes(wallet_id=bot, rows_max=limit))
        _echo_notes(found, as_json)
        return
    decided = [one for one in ProposalStatus if one is not ProposalStatus.WAITING]
    rows = _reports(config, lambda reports: reports.proposals(wallet_id=bot, statuses=decided, rows_max=limit))
    if as_json:
        click.echo(json.dumps([proposal_document(one) for one in rows], default=str))
    elif rows:
        echo_table(HISTORY_HEADS, [history_row(one) for one in rows], right={0})
    else:
        click.echo("Nothing has been decided yet.", err=True)


@tuner.command()
@click.option("--dry-run", is_flag=True, help="Search here and show what would be proposed; write nothing.")
@_json
@click.pass_obj
def run(settings: Settings, dry_run: bool, as_json: bool) -> None:
    """Run the job alpha-agent now and wait for its end; or, with --dry-run, only search."""
    config = settings.load()
    if dry_run:
        _dry_run(config, as_json)
        return
    report = run_command(lambda: run_job(config, JOB, wait=True, inputs=settings.inputs()))
    if report.run is None or report.run.status is not JobStatus.SUCCEEDED:
        raise click.ClickException(plain((report.run and report.run.error) or "the run did not end"))
    if as_json:
        click.echo(json.dumps({"where": report.where, "figures": dict(report.run.figures)}))
        return
    for figure, value in report.run.figures.items():
        click.echo(f"{plain(figure)}: {plain(value)}")


@tuner.command(hidden=True)
@click.pass_obj
def search(settings: Settings) -> None:
    """Search as the order on standard input says; the findings go to standard output. For engines."""
    try:
        order = msgspec.json.decode(sys.stdin.buffer.read(), type=SearchOrder)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"no order on standard input: {error}") from None
    click.echo(msgspec.json.encode(_searched(settings.load(), order)))


def _dry_run(config: EngineConfig, as_json: bool) -> None:
    order = _decide(config, lambda store: store.subjects())
    findings = _searched(config, order) if order.subjects else []
    show_passing("")
    if as_json:
        click.echo(msgspec.json.encode(findings))
    elif not findings:
        click.echo("No strategy's turn: those under care wait, cool down, or were looked at today.", err=True)
    for finding in [] if as_json else findings:
        for line in finding_lines(finding):
            click.echo(line)


def _searched(config: EngineConfig, order: SearchOrder) -> Any:
    if not is_installed():
        raise click.ClickException(NOT_INSTALLED)
    from engine.cli.tuner_search import search_here

    try:
        return search_here(
            config, order, lambda number, count: show_passing(f"pass {number}: {count} sets of settings")
        )
    except EngineError as error:
        raise click.ClickException(str(error)) from None


def _echo_decided(proposal: Proposal, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(proposal_document(proposal), default=str))
    else:
        click.echo(
            f"{proposal.wallet_id}: proposal {proposal.proposal_id} is {proposal.status.value}"
            f"{f' in version {proposal.applied_version}' if proposal.applied_version else ''}"
            f"{f': {plain(proposal.reason)}' if proposal.reason else ''}"
        )
    if proposal.status is ProposalStatus.REFUSED:
        raise SystemExit(EXIT_FAILED)


def _echo_notes(notes: list[Note], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([attrs.asdict(one) for one in notes], default=str))
    elif notes:
        echo_table(NOTE_HEADS, [note_row(one) for one in notes])
    else:
        click.echo("Nothing has been noted yet.", err=True)


def _reports(config: EngineConfig, work: Callable[[PostgresTunerReports], Awaitable[T]]) -> T:
    async def inside(database: OpenDatabase) -> T:
        async with open_connection(database.options, "tuner") as connection:
            return await work(PostgresTunerReports(connection))

    return run_command(lambda: with_database(config, inside, prepare=True))


def _decide(config: EngineConfig, work: Callable[[PostgresTunerStore], Awaitable[T]]) -> T:
    async def inside(database: OpenDatabase) -> T:
        async with open_connection(database.options, "tuner") as connection:
            try:
                return await work(PostgresTunerStore(connection, config.tuner))
            except TunerConflictError as error:
                raise click.ClickException(str(error)) from None

    return run_command(lambda: with_database(config, inside, prepare=True))
