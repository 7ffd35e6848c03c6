"""`polycopy jobs`: what runs at which times, what ran, running one now, and freeing one that is stuck."""

import json
from typing import Any

import click

from actors.rules.cron_times import CronTimes
from engine.adapters.system_clock import SystemClock
from engine.cli.command import run_command
from engine.cli.figures import moment_text, seconds_text
from engine.cli.job_access import check_job, with_job_store
from engine.cli.job_requests import RunReport, run_job
from engine.cli.main import EXIT_FAILED, Settings
from engine.cli.operator import operator_name
from engine.cli.terminal import echo_table, plain
from engine.job_places import job_note
from protocols.jobs import JobRun, JobStatus, JobStore
from protocols.timestamps import utc_datetime

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_name = click.argument("name", metavar="NAME")
FIGURES_CHARS_MAX = 80


@click.group()
def jobs() -> None:
    """Show and run the jobs of the engine. Works while an engine runs and while none does; all times are UTC."""


@jobs.command("list")
@_json
@click.pass_obj
def list_jobs(settings: Settings, as_json: bool) -> None:
    """List the jobs: when each runs next, how its last run ended, and whether it runs now."""
    config = settings.load()
    now_ms = SystemClock().now_ms()

    async def read(store: JobStore) -> tuple[list[dict[str, Any]], list[str]]:
        schedulers = await store.schedulers()
        states = await store.states(list(config.jobs), slots_until_ms=now_ms)
        rows = []
        for name, job in config.jobs.items():
            last = await store.runs(name, before_run_id=None, runs_max=1)
            state = states[name]
            rows.append(
                {
                    "name": name,
                    "enabled": job.enabled,
                    "cron": job.cron,
                    "next_slot": _iso(CronTimes(job.cron).next_after(now_ms)) if job.enabled else None,
                    "running_at": state.held_by,
                    "requested_by": state.requested_by,
                    "last_success": _iso(state.succeeded_ms),
                    "last_run": _document(last[0]) if last else None,
                    "note": job_note(name, schedulers),
                }
            )
        return rows, [one.holder for one in schedulers]

    rows, schedulers = run_command(lambda: with_job_store(config, read))
    if as_json:
        click.echo(json.dumps({"jobs": rows, "schedulers": schedulers}))
        return
    table = [
        (row["name"], row["cron"], _short(row["next_slot"]) if row["enabled"] else "disabled", *_standing(row))
        for row in rows
    ]
    echo_table(("job", "cron", "next", "last run", "last success", ""), table)
    if not schedulers:
        click.echo(
            "No engine runs jobs now; `polycopy run` does, and `polycopy jobs run NAME` runs one here.", err=True
        )


@jobs.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Runs listed.")
@_json
@click.pass_obj
def history(settings: Settings, name: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first, of one job or of all."""
    config = settings.load()
    if name is not None:
        check_job(config, name)

    async def read(store: JobStore) -> list[JobRun]:
        return await store.runs(name, before_run_id=None, runs_max=limit)

    runs = run_command(lambda: with_job_store(config, read))
    if as_json:
        click.echo(json.dumps([_document(run) for run in runs]))
    elif runs:
        echo_table(("run", "job", "for", "try", "ended", "started", "took", ""), [_row(run) for run in runs], right={0})
    else:
        click.echo("Nothing has run yet.", err=True)


@jobs.command()
@_name
@click.option("--wait", is_flag=True, help="Wait for its end; exit code 1 when it does not succeed.")
@_json
@click.pass_obj
def run(settings: Settings, name: str, wait: bool, as_json: bool) -> None:
    """Run a job now: in the engine that runs, else here, which always waits for its end."""
    config = settings.load()
    check_job(config, name)
    report = run_command(lambda: run_job(config, name, wait=wait, inputs=settings.inputs()))
    if as_json:
        document = {"request_id": report.request_id, "where": report.where}
        click.echo(json.dumps({**document, "run": None if report.run is None else _document(report.run)}))
    else:
        _echo_report(name, report)
    if report.run is not None and report.run.status is not JobStatus.SUCCEEDED:
        raise SystemExit(EXIT_FAILED)


@jobs.command()
@_name
@click.option("--force", is_flag=True, help="Also take it from a holder that is alive; its run is ended.")
@_json
@click.pass_obj
def unlock(settings: Settings, name: str, force: bool, as_json: bool) -> None:
    """Free a job whose holder has died; who did it stands in the history. The holder's run counts as abandoned."""
    config = settings.load()
    check_job(config, name)
    by = operator_name()

    async def free(store: JobStore) -> str | None:
        return await store.unlock(name, by, force=force)

    holder = run_command(lambda: with_job_store(config, free))
    if as_json:
        click.echo(json.dumps({"job": name, "free": holder is None, "held_by": holder, "by": by}))
    elif holder is None:
        click.echo(f"{name} is free.")
    else:
        click.echo(
            f"{name} is held by {plain(holder)}, which is alive: nothing was changed. If it has just died, it is free "
            f"within {config.limits.lease_ttl_s:g} s by itself; --force takes it away.",
            err=True,
        )
    if holder is not None:
        raise SystemExit(EXIT_FAILED)


def _echo_report(name: str, report: RunReport) -> None:
    ended = report.run
    if ended is None:
        click.echo(f"{name} was asked for; an engine starts it within seconds: `polycopy jobs history {name}`.")
        return
    took = "" if ended.duration_s is None else f" after {seconds_text(ended.duration_s)}"
    reason = f": {plain(ended.error)}" if ended.error else ""
    click.echo(f"{name} {ended.status.value} {report.where}{took}{reason}")
    for figure, value in ended.figures.items():
        click.echo(f"  {plain(figure)}: {plain(value)}")


def _document(run: JobRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "job": run.job,
        "slot": _iso(run.slot_ms),
        "requested_by": run.requested_by,
        "attempt": run.attempt,
        "status": run.status.value,
        "holder": run.holder,
        "started": _iso(run.started_ms),
        "ended": _iso(run.ended_ms),
        "duration_s": run.duration_s,
        "error": run.error,
        "figures": dict(run.figures),
    }


def _row(run: JobRun) -> tuple[object, ...]:
    reason = _short(_iso(run.slot_ms)) if run.slot_ms is not None else f"asked by {run.requested_by}"
    what = run.error or ", ".join(f"{name} {value}" for name, value in run.figures.items())
    started = moment_text(utc_datetime(run.started_ms))
    took = seconds_text(run.duration_s)
    return run.run_id, run.job, reason, run.attempt, run.status.value, started, took, plain(what, FIGURES_CHARS_MAX)


def _standing(row: dict[str, Any]) -> tuple[str, str, str]:
    last = row["last_run"]
    ended = "-" if last is None else f"{last['status']} {_short(last['started'])}"
    now = f"running at {row['running_at']}" if row["running_at"] else ""
    if row["requested_by"]:
        now = f"{now} asked for by {row['requested_by']}".strip()
    if row["note"]:
        now = f"{now} {row['note']}".strip()
    return ended, _short(row["last_success"]), now


def _short(iso: str | None) -> str:
    return "-" if iso is None else iso[:16].replace("T", " ")


def _iso(ms: int | None) -> str | None:
    return None if ms is None else utc_datetime(ms).isoformat()
