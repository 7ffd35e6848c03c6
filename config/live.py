"""The configuration in force, as its readers see it: a section read again shows a reloaded value.

A reader keeps the *section* and reads a setting whenever it needs it. One that copies a value at its construction does not
notice a reload; such a setting is marked `restart=True` in the schema, and a plan never changes it here.
"""

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
    """Reads like an `EngineConfig`; every reading of a setting goes to `current`."""

    def __attrs_post_init__(self) -> None:
        self.view = cast("EngineConfig", _View(self, ()))

    def take(self, wanted: EngineConfig) -> ReloadPlan:
        """Applies what can change while running, at once and as a whole, and returns what was done and what has to wait."""
        plan = plan_reload(self.current, wanted)
        self.current = plan.effective
        return plan


class _View:
    """A section of the configuration in force, found anew for every setting that is read."""

    __slots__ = ("_live", "_path")

    def __init__(self, live: LiveConfig, path: tuple[str, ...]) -> None:
        object.__setattr__(self, "_live", live)
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> Any:
        live: LiveConfig = self._live
        section: Any = live.current
        for step in self._path:
            section = section[step] if isinstance(section, Mapping) else getattr(section, step)
        value = getattr(section, name)
        if isinstance(value, Mapping):
            # The names of a group are fixed; what is in each of them is not.
            return {inner: _View(live, (*self._path, name, inner)) for inner in value}
        return _View(live, (*self._path, name)) if attrs.has(type(value)) else value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise attrs.exceptions.FrozenInstanceError

    def __repr__(self) -> str:
        return f"<live configuration {'.'.join(self._path) or '*'}>"
