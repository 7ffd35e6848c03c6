"""`polycopy config set`: changes the configuration's file, for those without a browser; needs no engine."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Never

import click

from config.config_file import ConfigFileError
from config.describe import SettingInfo
from config.editor import ConfigEditor, Edit, EditConflictError, EditRefusedError
from config.loader import read_text
from config.toml_edit import TomlValue
from engine.adapters.system_clock import SystemClock
from engine.cli.main import EXIT_FAILED, EXIT_USAGE, Settings
from engine.cli.operator import operator_name
from engine.cli.terminal import plain

MESSAGE_CHARS_MAX = 1_000


@click.command("set")
@click.argument("assignments", nargs=-1, metavar="[SECTION.KEY=VALUE]...")
@click.option("--undo", is_flag=True, help="Put back what the file said before the last change; again, the one before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: file, changed, reload, restart.")
@click.pass_obj
def set_settings(settings: Settings, assignments: tuple[str, ...], undo: bool, as_json: bool) -> None:
    """Change settings in the configuration's file: all of them, or none when one is wrong.

    Comments and order of the file stay. KEY= without a value takes the setting out, so that its default counts. The file is
    that of --config or POLYCOPY_CONFIG; it is made when it is not there. A running engine goes on as it is until it is told.

    Exit codes: 0 done, 1 the file cannot be changed, 2 a setting is unknown, not allowed, or set elsewhere.
    """
    if undo == bool(assignments):
        raise click.UsageError("give SECTION.KEY=VALUE, or --undo")
    editor = ConfigEditor(inputs=settings.inputs(), now_ms=SystemClock().now_ms, by_hand=True)
    try:
        known = editor.known()
        edit = (
            editor.undo(by=operator_name()) if undo else editor.change(_changes(assignments, known), by=operator_name())
        )
    except EditRefusedError as error:
        _refuse(error, as_json)
    except (EditConflictError, ConfigFileError) as error:
        click.echo(json.dumps({"error": str(error)}) if as_json else f"Nothing was changed: {error}", err=not as_json)
        sys.exit(EXIT_FAILED)
    assert editor.file is not None
    document = _document(str(editor.file.path), edit, known)
    if as_json:
        click.echo(json.dumps(document))
    else:
        _tell(document)


def _changes(assignments: tuple[str, ...], known: Mapping[str, SettingInfo]) -> dict[str, TomlValue | None]:
    changes: dict[str, TomlValue | None] = {}
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        path = path.strip()
        if not separator or path in changes:
            raise click.UsageError(f"SECTION.KEY=VALUE is needed, each setting once; got: {assignment}")
        changes[path] = _value(text, known.get(path))
    return changes


def _value(text: str, info: SettingInfo | None) -> TomlValue | None:
    """A text that does not mean what the setting wants goes on as it is, to be refused with what is allowed."""
    if text == "":
        return None
    if info is None or info.is_secret or info.kind is str:
        return text
    value: Any = read_text(text.strip(), info.kind)
    return text if value is None else value


def _document(file: str, edit: Edit, known: Mapping[str, SettingInfo]) -> dict[str, Any]:
    waits = [one.path for one in edit.changes if one.path not in known or known[one.path].restart]
    return {
        "file": file,
        "created": edit.created,
        "version": edit.version,
        "changed": [{"path": one.path, "before": one.before, "after": one.after} for one in edit.changes],
        "reload": [one.path for one in edit.changes if one.path not in waits],
        "restart": waits,
    }


def _tell(document: Mapping[str, Any]) -> None:
    if not document["changed"]:
        click.echo(f"{document['file']} says so already; it was not touched.")
        return
    click.echo(f"{document['file']}{' (new)' if document['created'] else ''}:")
    for one in document["changed"]:
        click.echo(f"  {one['path']}: {_shown(one['before'])} -> {_shown(one['after'])}")
    if document["reload"]:
        what = "A running engine takes over with a reload (SIGHUP, or POST /api/admin/reload)"
        click.echo(f"{what}: {', '.join(document['reload'])}")
    if document["restart"]:
        click.echo(f"A running engine needs a restart for: {', '.join(document['restart'])}")
    click.echo("`polycopy config set --undo` puts back what the file said before.")


def _shown(value: object) -> str:
    return "default" if value is None else plain(json.dumps(value, ensure_ascii=False))


def _refuse(error: EditRefusedError, as_json: bool) -> Never:
    if as_json:
        click.echo(json.dumps({"problems": [{"path": path, "problem": text} for path, text in error.problems]}))
    else:
        count = len(error.problems)
        click.echo(f"Nothing was changed; there {'is a problem' if count == 1 else f'are {count} problems'}:", err=True)
        for path, text in error.problems:
            click.echo(f"  {plain(path)}: {plain(text, MESSAGE_CHARS_MAX)}", err=True)
    sys.exit(EXIT_USAGE)
