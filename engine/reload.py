"""Reads the configuration again while the engine runs: on SIGHUP and by `POST /api/admin/reload`."""

import logging
from collections.abc import Callable

import attrs
import trio

from config.live import LiveConfig
from config.loader import ConfigError
from config.reload import ReloadPlan, SettingChange
from config.schema import EngineConfig
from config.sources import ConfigInputs

_log = logging.getLogger(__name__)
ReadConfig = Callable[[], EngineConfig]
"""Reads the same file, environment and command line as at the start. Raises `ConfigError`."""


@attrs.frozen(kw_only=True)
class ReloadReport:
    """What a reload did. With `problems` nothing was changed."""

    applied: tuple[SettingChange, ...] = ()
    needs_restart: tuple[SettingChange, ...] = ()
    problems: tuple[str, ...] = ()


@attrs.define(eq=False)
class Reloader:
    """Reloads into one `LiveConfig`, one reload at a time."""

    live: LiveConfig
    read: ReadConfig
    subscribers: list[Callable[[EngineConfig], None]] = attrs.field(factory=lambda: [_set_log_level])
    """Told the configuration in force after each reload; for settings that live elsewhere than in a section."""
    inputs: ConfigInputs = attrs.field(factory=ConfigInputs.of)
    """What `read` reads: to tell where a value comes from, and which file to change."""
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def reload(self, asked_by: str) -> ReloadReport:
        """Reads the configuration and applies what can change while running.

        Never raises for what an operator can mend: a file with anything wrong changes nothing and is reported whole.
        `asked_by` goes into the log line.
        """
        async with self._lock:
            try:
                wanted = await trio.to_thread.run_sync(self.read)
            except ConfigError as error:
                fields = {"asked_by": asked_by, "problems": error.problems}
                _log.error("configuration not reloaded, nothing was changed", extra=fields)
                return ReloadReport(problems=tuple(error.problems))
            plan = self.live.take(wanted)
            self._say(plan, asked_by)
            for tell in self.subscribers:
                tell(self.live.current)
        return ReloadReport(applied=plan.applied, needs_restart=plan.needs_restart)

    def _say(self, plan: ReloadPlan, asked_by: str) -> None:
        fields = {"asked_by": asked_by, "applied": {change.path: change.after for change in plan.applied}}
        _log.info("configuration reloaded", extra=fields)
        if plan.needs_restart:
            names = [change.path for change in plan.needs_restart]
            _log.warning("some settings need a restart", extra={"settings": names})


def _set_log_level(config: EngineConfig) -> None:
    logging.getLogger().setLevel(config.logging.level.upper())
