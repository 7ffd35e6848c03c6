"""What a changed configuration means for a running engine: which settings change at once, and which need a restart."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from config.schema import EngineConfig, cross_checks
from config.secrets import Secret


@attrs.frozen(kw_only=True)
class SettingChange:
    """One setting that differs. A secret shows only whether it is set."""

    path: str
    before: Any
    after: Any


@attrs.frozen(kw_only=True)
class ReloadPlan:
    """What a new configuration does to a running engine."""

    effective: EngineConfig
    """The running configuration with what can change at once."""
    applied: tuple[SettingChange, ...]
    needs_restart: tuple[SettingChange, ...]
    """Settings that stay as they are until a restart, named again by every later plan."""


@attrs.frozen(kw_only=True)
class _Difference:
    change: SettingChange
    live: bool

    @property
    def section(self) -> str:
        return self.change.path.partition(".")[0]


def plan_reload(running: EngineConfig, wanted: EngineConfig) -> ReloadPlan:
    """Returns what becomes of `wanted` in an engine that runs with `running`.

    Where a live change would contradict a setting that has to wait for a restart, its whole section waits with it: the
    configuration in force always satisfies the checks between settings.
    """
    differences = list(_differences(running, wanted, ""))
    waiting: set[str] = set()
    while True:

        def is_live(difference: _Difference) -> bool:
            return difference.live and difference.section not in waiting  # noqa: B023 - called within the round

        live = {difference.change.path for difference in differences if is_live(difference)}
        effective: EngineConfig = _merged(running, wanted, "", live)
        contradictory = {problem.partition(".")[0] for problem in cross_checks(effective)} - waiting
        if not contradictory:
            break
        waiting |= contradictory
    return ReloadPlan(
        effective=effective,
        applied=_changes(differences, is_live),
        needs_restart=_changes(differences, lambda difference: not is_live(difference)),
    )


def live_paths(config: EngineConfig) -> list[str]:
    """Returns the settings that can change while the engine runs, in the order of the schema."""
    return list(_live_paths(config, ""))


def _changes(differences: Sequence[_Difference], wanted: Callable[[_Difference], bool]) -> tuple[SettingChange, ...]:
    return tuple(difference.change for difference in differences if wanted(difference))


def _differences(running: Any, wanted: Any, prefix: str) -> Iterator[_Difference]:
    for path, field, old, new in _pairs(running, wanted, prefix):
        if field.metadata["kind"] == "section":
            yield from _differences(old, new, f"{path}.")
        elif field.metadata["kind"] == "named_sections":
            for name in old:
                yield from _differences(old[name], new[name], f"{path}.{name}.")
        elif old != new:
            change = SettingChange(path=path, before=_shown(old), after=_shown(new))
            yield _Difference(change=change, live=not field.metadata["restart"])


def _merged(running: Any, wanted: Any, prefix: str, live: set[str]) -> Any:
    """Returns `running` with the values of `wanted` at the paths in `live`; a section without any is the same object."""
    changed: dict[str, Any] = {}
    for path, field, old, new in _pairs(running, wanted, prefix):
        if field.metadata["kind"] == "section":
            value = _merged(old, new, f"{path}.", live)
        elif field.metadata["kind"] == "named_sections":
            inner = {name: _merged(old[name], new[name], f"{path}.{name}.", live) for name in old}
            value = inner if any(inner[name] is not old[name] for name in old) else old
        else:
            value = new if path in live else old
        if value is not old:
            changed[field.name] = value
    return attrs.evolve(running, **changed) if changed else running


def _pairs(running: Any, wanted: Any, prefix: str) -> Iterator[tuple[str, Any, Any, Any]]:
    for field in attrs.fields(type(running)):
        yield f"{prefix}{field.name}", field, getattr(running, field.name), getattr(wanted, field.name)


def _live_paths(value: Any, prefix: str) -> Iterator[str]:
    for path, field, current, _ in _pairs(value, value, prefix):
        if field.metadata["kind"] == "section":
            yield from _live_paths(current, f"{path}.")
        elif field.metadata["kind"] == "named_sections":
            for name, inner in current.items():
                yield from _live_paths(inner, f"{path}.{name}.")
        elif not field.metadata["restart"]:
            yield path


def _shown(value: Any) -> Any:
    return "(set)" if isinstance(value, Secret) else value
