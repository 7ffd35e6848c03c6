"""`polycopy cluster`: which engines there are, and what each of them does."""

import json
import sys
from typing import Any

import click
import msgspec

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.member_store import PostgresMemberStore
from engine.api.cluster_bodies import ClusterAnswer, HistoryAnswer, MemberAnswer, cluster_answer
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import bytes_text, percent_text, seconds_text
from engine.cli.main import EXIT_FAILED, Settings
from engine.cli.terminal import echo_table, plain
from protocols.cluster import Role


@click.group()
def cluster() -> None:
    """Several engines on one database."""


@cluster.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Show the engines on this database: roles, leases with epochs, shares of the venue's limits, lag, versions.

    The database is asked, so it works from every machine that reaches it, whether an engine answers or not.

    Exit codes: 0 each role has a live engine that does it now, 1 one of them has nobody.
    """
    config = settings.load()

    async def read(database: OpenDatabase) -> ClusterAnswer:
        connection = Connection(database.options, "cluster command")
        try:
            return cluster_answer(await PostgresMemberStore(connection).reading())
        finally:
            await connection.aclose()

    answer = run_command(lambda: with_database(config, read, prepare=True))
    if as_json:
        click.echo(json.dumps({name: value for name, value in _document(answer).items() if name != "me"}))
    else:
        _echo(answer)
    sys.exit(EXIT_FAILED if answer.roles_of_nobody else 0)


def _echo(answer: ClusterAnswer) -> None:
    if answer.members:
        headings = ("engine", "state", "does", "also for", "version", "http", "up", "heard", "queues", "lag", "heap",
                    "data", "gamma", "clob")  # fmt: skip
        echo_table(headings, [_row(one) for one in answer.members], right={6, 7, 8, 9, 10, 11, 12, 13})
    else:
        click.echo("No engine runs on this database, and none did within the last hour.")
    held = [(one.name, one.holder, one.epoch, seconds_text(one.left_s)) for one in answer.leases if one.held]
    if held:
        click.echo()
        echo_table(("lease", "held by", "epoch", "left"), [tuple(map(_shown, row)) for row in held], right={2, 3})
    if answer.history is not None:
        click.echo(f"\n{_history_text(answer.history)}")
    if answer.roles_of_nobody:
        click.echo(f"\nNobody does now: {', '.join(answer.roles_of_nobody)}.")
    if len(answer.versions) > 1:
        click.echo(f"\nVersions differ: {', '.join(map(plain, answer.versions))}.")


def _history_text(one: HistoryAnswer) -> str:
    waits = "commits wait for a standby" if one.is_synchronous else "commits wait for no standby"
    lines = [f"Database: timeline {one.timeline} for {seconds_text(one.age_s)}, {waits}."]
    if one.reason is not None:
        lines.append(f"The last commits of before may be missing: {plain(one.reason, 300)}.")
    if one.halted is not None:
        lines.append(
            f"Live entries are halted: {plain(one.halted, 300)}; `polycopy live unhalt` once books and venue agree."
        )
    return "\n".join(lines)


def _document(value: Any) -> Any:
    """Returns a body of the API with the names that commands print: those of its fields."""
    if isinstance(value, msgspec.Struct):
        return {name: _document(getattr(value, name)) for name in value.__struct_fields__}
    return [_document(one) for one in value] if isinstance(value, list) else value


def _row(one: MemberAnswer) -> tuple[object, ...]:
    waiting = [role for role in one.roles if role not in one.working]
    shares = one.shares
    return (
        plain(one.holder, 60),
        one.state,
        _roles(one.working),
        _roles(waiting),
        plain(one.version, 30),
        plain(one.address, 60),
        seconds_text(one.up_s),
        f"{seconds_text(one.seen_age_s)} ago",
        f"{one.queue_depth} ({percent_text(one.queue_ratio)})",
        seconds_text(one.loop_lag_ms / 1000),
        bytes_text(one.heap_bytes),
        *(percent_text(share) for share in (shares.data, shares.gamma, shares.clob)),
    )


def _roles(words: list[str]) -> str:
    return "all" if len(words) == len(Role) else ", ".join(words) or "-"


def _shown(value: object) -> object:
    return plain(value, 60) if isinstance(value, str) else value
