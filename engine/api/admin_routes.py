"""What an administrator may tell a running engine."""

from collections.abc import Sequence

import msgspec

from config.reload import SettingChange
from engine.api.route import ApiRoute, Call, Rate, Response, Struct
from engine.reload import Reloader
from protocols.users import Scope

SettingValue = bool | int | float | str | None
_UNPROCESSABLE = 422


class ChangedSetting(Struct):
    """One setting; a secret shows only whether it is set."""

    path: str
    before: SettingValue
    after: SettingValue


class ReloadAnswer(Struct):
    """What a reload did."""

    applied: list[ChangedSetting]
    """In force from now on."""
    needs_restart: list[ChangedSetting]
    """Read, but in force only after a restart."""
    problems: list[str]
    """Everything wrong with the configuration, as `path: what, what is allowed`; then nothing was changed."""


def admin_routes(reloader: Reloader) -> list[ApiRoute]:
    """Returns the routes for the scope `admin` that belong to the process as a whole."""

    async def reload(call: Call) -> ReloadAnswer | Response:
        report = await reloader.reload(f"user {call.principal.user_name}")
        answer = ReloadAnswer(
            applied=changed_settings(report.applied),
            needs_restart=changed_settings(report.needs_restart),
            problems=list(report.problems),
        )
        if not report.problems:
            return answer
        return Response(msgspec.json.encode(answer), _UNPROCESSABLE, media_type="application/json")

    return [
        ApiRoute(
            method="POST",
            path="/api/admin/reload",
            handler=reload,
            scope=Scope.ADMIN,
            rate=Rate.ADMIN,
            summary="Read the configuration again and apply what can change while running",
            answer=ReloadAnswer,
            refusals={_UNPROCESSABLE: "the configuration has problems, all of them named; nothing was changed"},
        )
    ]


def changed_settings(changes: Sequence[SettingChange]) -> list[ChangedSetting]:
    """Returns changes of settings as the API tells them."""
    return [ChangedSetting(path=change.path, before=change.before, after=change.after) for change in changes]
