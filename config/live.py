"""The configuration in force, as its readers see it: a section read again shows a reloaded value.

A reader keeps the *section* and reads a setting whenever it needs it. One that copies a value at its construction does not
notice a reload; such a setting is marked `restart=True` in the schema, and a plan never changes it here.
"""

import weakref
from collections.abc import Mapping
from typing import Any, NoReturn, cast

import attrs

from config.reload import ReloadPlan, plan_reload
from config.schema import EngineConfig


@attrs.define(eq=False)
class LiveConfig:
    """Holds the configuration in force. `view` is what the wiring hands out in its place."""

    current: EngineConfig
    view: EngineConfig = attrs.field(init=False)
    """Reads like an `EngineConfig`; what it says is always that of `current`."""
    _views: "weakref.WeakSet[_View]" = attrs.field(init=False, factory=weakref.WeakSet)

    def __attrs_post_init__(self) -> None:
        self.view = cast("EngineConfig", self.view_of(()))

    def view_of(self, path: tuple[str, ...]) -> "_View":
        """Returns a view of the section at a path."""
        view = _View(self, path)
        self._views.add(view)
        return view

    def take(self, wanted: EngineConfig) -> ReloadPlan:
        """Applies what can change while running, at once and as a whole, and returns what was done and what has to wait."""
        plan = plan_reload(self.current, wanted)
        self.current = plan.effective
        for view in self._views:
            view.forget()
        return plan


class _View:
    """A section of the configuration in force.

    A setting that was read stays in the view until the next reload, so that reading it again costs what any attribute does.
    """

    def __init__(self, live: LiveConfig, path: tuple[str, ...]) -> None:
        vars(self).update(_live=live, _path=path)

    def forget(self) -> None:
        """Drops what was read. The sections below stay: they are views themselves, and others hold them."""
        for name in [name for name, value in vars(self).items() if not name.startswith("_") and not _is_view(value)]:
            del vars(self)[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        live: LiveConfig = self._live
        section: Any = live.current
        for step in self._path:
            section = section[step] if isinstance(section, Mapping) else getattr(section, step)
        value = getattr(section, name)
        if isinstance(value, Mapping):
            # The names of a group are fixed; what is in each of them is not.
            value = {inner: live.view_of((*self._path, name, inner)) for inner in value}
        elif attrs.has(type(value)):
            value = live.view_of((*self._path, name))
        vars(self)[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise attrs.exceptions.FrozenInstanceError

    def __repr__(self) -> str:
        return f"<live configuration {'.'.join(self._path) or '*'}>"


def _is_view(value: object) -> bool:
    return isinstance(value, _View | dict)
