"""The configuration over the API: every setting with value, source and range; the tunable ones can be changed and undone."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from config.change_history import PastChange
from config.config_file import ConfigFileBusyError, ConfigFileError
from config.editor import EditConflictError, EditRefusedError
from config.tuning import SettingState
from engine.api.admin_routes import ChangedSetting, SettingValue, changed_settings
from engine.api.errors import ApiError, bad_fields, unavailable
from engine.api.route import ApiRoute, Call, Rate, Struct
from engine.config_desk import AppliedEdit, ConfigDesk, FileState
from protocols.users import Scope

CHANGES_MAX = 100
_CONFLICT = 409
_KINDS: dict[type, Literal["boolean", "integer", "number", "text"]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
}


class ConfigSetting(Struct):
    """One setting. Of a secret, value, wanted and default are "set" or "not set"."""

    path: str
    section: str
    name: str
    kind: Literal["boolean", "integer", "number", "text", "secret"]
    value: SettingValue
    """In force."""
    wanted: SettingValue
    """What the next start would bring: another one than `value` waits for a restart, or for a reload."""
    default: SettingValue
    source: str
    """default, file, systemd credential, environment, or command line: what `wanted` comes from."""
    place: str | None
    """The path of the file, or the name of the variable."""
    environment: str
    """The variable that would set it."""
    unit: str | None
    at_least: float | None
    at_most: float | None
    choices: list[str] | None
    """The only words allowed; null where others are."""
    allowed: str
    """What is allowed, in words."""
    doc: str
    restart: bool
    """Whether a change waits for a restart."""
    editable: bool
    why_not_editable: str | None


class ConfigFileState(Struct):
    """The file that would be written."""

    path: str
    exists: bool
    """If not, the first change makes it."""
    version: str
    """To be given back with a change."""
    writable: bool
    why_not_writable: str | None


class PastConfigChange(Struct):
    """One change of the file that is kept: who, when, and what the file said before and after; null: nothing."""

    at_ms: int
    by: str
    changes: list[ChangedSetting]


class ConfigAnswer(Struct):
    """The whole configuration."""

    file: ConfigFileState | None
    """Null when no file was named at the start: then nothing can be changed here."""
    settings: list[ConfigSetting]
    history: list[PastConfigChange]
    """Newest first."""
    can_undo: bool
    """Whether the newest change led to what the file says now."""
    problems: list[str]
    """What is wrong with the file as it stands now."""


class ConfigChange(Struct):
    """What is to be set, by path; null puts a setting back to its default."""

    changes: Annotated[dict[str, SettingValue], Meta(min_length=1, max_length=CHANGES_MAX)]
    version: str
    """Of the file that was read; another one now is a 409."""


class ConfigChangeAnswer(Struct):
    """What a change did."""

    file: str
    version: str
    """Of the file now."""
    created: bool
    """Whether the file was made."""
    changed: list[ChangedSetting]
    """In the file, from what it said to what it says; null: nothing."""
    applied: list[ChangedSetting]
    """In force from now on."""
    needs_restart: list[ChangedSetting]
    """In force only after a restart; also what an earlier change left waiting."""
    problems: list[str]
    """Why the file could not be read again, where somebody broke it in this very moment."""


def config_routes(desk: ConfigDesk) -> list[ApiRoute]:
    """Returns the routes for the scope `admin` that show and change settings."""

    async def show(_call: Call) -> ConfigAnswer:
        overview = await desk.overview()
        return ConfigAnswer(
            file=None if overview.file is None else _file(overview.file),
            settings=[_setting(state) for state in overview.settings],
            history=[_past(change) for change in overview.history],
            can_undo=overview.can_undo,
            problems=overview.problems,
        )

    async def change(call: Call) -> ConfigChangeAnswer:
        body: ConfigChange = call.body
        try:
            return _done(await desk.change(body.changes, version=body.version, by=_asker(call)))
        except (EditRefusedError, EditConflictError, ConfigFileError) as error:
            raise _refusal(error) from None

    async def undo(call: Call) -> ConfigChangeAnswer:
        try:
            return _done(await desk.undo(by=_asker(call)))
        except (EditRefusedError, EditConflictError, ConfigFileError) as error:
            raise _refusal(error) from None

    admin: dict[str, Any] = {"scope": Scope.ADMIN, "rate": Rate.ADMIN}
    conflict = {_CONFLICT: "the file has another version, cannot be written, or none was named; nothing was changed"}
    return [
        ApiRoute(
            method="GET", path="/api/admin/config", handler=show, **admin, answer=ConfigAnswer,
            summary="Every setting with its value, where it comes from, its range, and whether it can be changed here",
        ),
        ApiRoute(
            method="PATCH", path="/api/admin/config", handler=change, **admin,
            answer=ConfigChangeAnswer, body=ConfigChange, refusals=conflict,
            summary="Change settings in the configuration's file, all or none, and apply what can change while running",
        ),
        ApiRoute(
            method="POST", path="/api/admin/config/undo", handler=undo, **admin,
            answer=ConfigChangeAnswer, refusals=conflict,
            summary="Put back what the configuration's file said before the last change made here",
        ),
    ]  # fmt: skip


def _asker(call: Call) -> str:
    return f"user {call.principal.user_name}"


def _refusal(error: Exception) -> ApiError:
    if isinstance(error, EditRefusedError):
        return bad_fields(error.problems)
    if isinstance(error, ConfigFileBusyError):
        return unavailable(str(error))
    code = error.code if isinstance(error, EditConflictError) else "not_writable"
    return ApiError(_CONFLICT, code, str(error))


def _done(applied: AppliedEdit) -> ConfigChangeAnswer:
    return ConfigChangeAnswer(
        file=applied.file,
        version=applied.edit.version,
        created=applied.edit.created,
        changed=[ChangedSetting(path=one.path, before=one.before, after=one.after) for one in applied.edit.changes],
        applied=changed_settings(applied.report.applied),
        needs_restart=changed_settings(applied.report.needs_restart),
        problems=list(applied.report.problems),
    )


def _file(file: FileState) -> ConfigFileState:
    return ConfigFileState(
        path=file.path,
        exists=file.exists,
        version=file.version,
        writable=file.why_not_writable is None,
        why_not_writable=file.why_not_writable,
    )


def _past(change: PastChange) -> PastConfigChange:
    changes = [ChangedSetting(path=one.path, before=one.before, after=one.after) for one in change.changes]
    return PastConfigChange(at_ms=change.at_ms, by=change.by, changes=changes)


def _setting(state: SettingState) -> ConfigSetting:
    info = state.info
    return ConfigSetting(
        path=info.path,
        section=info.section,
        name=info.name,
        kind="secret" if info.is_secret else _KINDS[info.kind],
        value=state.value,
        wanted=state.wanted,
        default="not set" if info.is_secret else info.default,
        source=state.source.value,
        place=state.place or None,
        environment=info.environment,
        unit=info.unit,
        at_least=info.rule.at_least,
        at_most=info.rule.at_most,
        choices=list(info.rule.options) or None,
        allowed=info.allowed,
        doc=info.doc,
        restart=info.restart,
        editable=state.why_not_editable is None,
        why_not_editable=state.why_not_editable,
    )
