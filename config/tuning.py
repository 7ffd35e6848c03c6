"""What may be changed while the engine runs its business, and by whom: the catalogue of settings with value and source."""

from collections.abc import Mapping
from typing import Any

import attrs

from config.describe import SettingInfo, settings_of
from config.schema import EngineConfig
from config.sources import Source, Value

WEB_SECTIONS = frozenset({"channels", "filter", "writer", "prices", "poller", "jobs", "limits", "logging"})
"""What can be changed over the API. All else decides about money, secrets and access: by the file only."""
_PATHS = frozenset({"writer.spill_dir"})
"""Paths on this machine within those sections."""
SHEDDING_CHANNEL = "writer"


@attrs.frozen(kw_only=True)
class SettingState:
    """One setting as it stands."""

    info: SettingInfo
    value: Any
    """In force. Of a secret: "set" or "not set"."""
    wanted: Any
    """What a restart would bring: the same as `value`, unless the file says something else by now."""
    source: Source
    place: str
    """The path of the file, or the name of the variable; empty where there is none."""
    why_not_editable: str | None


def setting_states(running: EngineConfig, wanted: EngineConfig, values: Mapping[str, Value]) -> list[SettingState]:
    """Returns every setting, in the order of the schema. `values` is where `wanted` was read from."""
    now = {info.path: (info, value) for info, value in settings_of(running)}
    then = {info.path: (info, value) for info, value in settings_of(wanted)}
    states = []
    for path, (info, value) in (then | now).items():
        source, place = source_of(info, values)
        states.append(
            SettingState(
                info=info,
                value=_shown(info, value if path in now else None),
                wanted=_shown(info, then[path][1] if path in then else None),
                source=source,
                place=place,
                why_not_editable=why_fixed(info) or why_overruled(info, values),
            )
        )
    return states


def source_of(info: SettingInfo, values: Mapping[str, Value]) -> tuple[Source, str]:
    """Returns the kind of place that decides about a setting, and its name."""
    found = values.get(info.path) or (values.get(f"{info.path}_file") if info.is_secret else None)
    return (Source.DEFAULT, "") if found is None else (found.source, found.place)


def why_fixed(info: SettingInfo) -> str | None:
    """Returns why a setting can be changed in the file only, or None."""
    section = info.path.partition(".")[0]
    if section not in WEB_SECTIONS:
        return f"the section {section} is changed in the file only"
    if info.is_secret or info.path in _PATHS:
        return "a path on this machine is changed in the file only"
    return None


def why_overruled(info: SettingInfo, values: Mapping[str, Value]) -> str | None:
    """Returns what makes a change of the file pointless, or None."""
    source, place = source_of(info, values)
    if source in (Source.ENVIRONMENT, Source.COMMAND_LINE):
        where = f"the environment variable {place}" if place else "the command line"
        return f"is set by {where}, which the file does not overrule"
    if info.name == "shed_above" and info.section != f"channels.{SHEDDING_CHANNEL}":
        return f"only the channel {SHEDDING_CHANNEL} sheds"
    return None


def _shown(info: SettingInfo, value: Any) -> Any:
    if info.is_secret:
        return "not set" if value is None else "set"
    return value
