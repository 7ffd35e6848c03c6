"""`polycopy doctor`: tries everything that the engine will need, from this machine."""

import json
import os
import sys
from pathlib import Path

import click

from config.loader import CONFIG_FILE_VARIABLE
from engine.adapters.system_clock import SystemClock
from engine.cli.command import run_command
from engine.cli.doctor_live import LiveChecks
from engine.cli.doctor_machine import MachineChecks
from engine.cli.doctor_report import Finding, run_checks
from engine.cli.doctor_upstream import UpstreamChecks
from engine.cli.main import EXIT_FAILED, Settings
from engine.cli.terminal import plain, show_passing

DETAIL_CHARS_MAX = 500


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok and every check.")
@click.option(
    "--timeout-s",
    type=click.FloatRange(0.5, 300),
    default=15.0,
    show_default=True,
    help="Longest wait for one answer; starting the embedded database may take a minute.",
)
@click.pass_obj
def doctor(settings: Settings, as_json: bool, timeout_s: float) -> None:
    """Try the database, the disk, the port and every upstream, and name what does not answer.

    Nothing is changed: where there is no database yet, one is made beside its place and taken away again.
    Only an account of live trading that has no API credentials at the venue is given some.

    Exit codes: 0 everything answers, 1 something does not, 2 the configuration cannot be used.
    """
    config = settings.load()
    file = settings.config_file or os.environ.get(CONFIG_FILE_VARIABLE) or None
    machine = MachineChecks(config=config, config_file=Path(file) if file else None, timeout_s=timeout_s)
    upstream = UpstreamChecks(config=config, clock=SystemClock(), timeout_s=timeout_s)
    live = LiveChecks(config=config, clock=SystemClock(), timeout_s=timeout_s)
    checks = machine.checks() + upstream.checks() + live.checks()
    findings = run_command(lambda: run_checks(checks, _show_waiting))
    failed = [finding for finding in findings if not finding.ok]
    if as_json:
        click.echo(json.dumps({"ok": not failed, "checks": [_as_json(finding) for finding in findings]}))
    else:
        _echo(findings, len(failed))
    sys.exit(EXIT_FAILED if failed else 0)


def _show_waiting(names: list[str]) -> None:
    show_passing(f"waiting for {', '.join(names)} …" if names else "")


def _echo(findings: list[Finding], failed: int) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.ok else click.style("FAIL", fg="red", bold=True)
        click.echo(f"{mark}  {finding.name.ljust(width)}  {plain(finding.detail, DETAIL_CHARS_MAX)}")
        if finding.hint:
            click.echo(f"      {' ' * width}  → {finding.hint}")
    if failed:
        click.echo(f"\n{failed} of {len(findings)} checks failed.")
    else:
        click.echo("\nEverything answers.")


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "name": finding.name,
        "ok": finding.ok,
        "detail": finding.detail,
        "hint": finding.hint,
        "elapsed_ms": round(finding.elapsed_s * 1000, 1),
    }
