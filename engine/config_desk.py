"""Shows and changes the configuration of a running engine: the file is edited, then read again as on SIGHUP."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs
import trio

from config.change_history import PastChange
from config.config_file import ConfigFileError
from config.editor import ConfigEditor, Edit
from config.loader import ConfigError, load
from config.toml_edit import TomlValue
from config.tuning import SettingState, setting_states
from engine.reload import Reloader, ReloadReport
from protocols.clock import WallClock

_log = logging.getLogger(__name__)
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class FileState:
    """The file that would be written."""

    path: str
    exists: bool
    version: str
    why_not_writable: str | None


@attrs.frozen(kw_only=True)
class ConfigOverview:
    """Every setting, the file, and the changes that are kept, newest first."""

    settings: list[SettingState]
    file: FileState | None
    """None when no file was named at the start."""
    history: list[PastChange]
    can_undo: bool
    problems: list[str]
    """What is wrong with what stands in the file now; then `wanted` of each setting is what is in force."""


@attrs.frozen(kw_only=True)
class AppliedEdit:
    """What a change did to the file, and what reading it again did to the engine."""

    edit: Edit
    file: str
    report: ReloadReport


@attrs.define(eq=False)
class ConfigDesk:
    """One change at a time, in a thread: the disk may be slow, and another program may hold the file."""

    reloader: Reloader
    clock: WallClock
    editor: ConfigEditor = attrs.field(init=False)
    _lock: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    def __attrs_post_init__(self) -> None:
        self.editor = ConfigEditor(inputs=self.reloader.inputs, now_ms=self.clock.now_ms)

    async def overview(self) -> ConfigOverview:
        """Returns everything as it stands now; a file that cannot be read is one of the problems."""
        return await trio.to_thread.run_sync(self._overview)

    async def change(self, changes: Mapping[str, TomlValue | None], *, version: str, by: str) -> AppliedEdit:
        """Sets settings in the file and reads it again. Raises as `ConfigEditor.change` does."""
        return await self._apply(lambda: self.editor.change(changes, version=version, by=by), by)

    async def undo(self, *, by: str) -> AppliedEdit:
        """Puts back what the file said before the last change, and reads it again. Raises as `ConfigEditor.undo` does."""
        return await self._apply(lambda: self.editor.undo(by=by), by, "configuration file put back")

    async def _apply(
        self, work: Callable[[], Edit], by: str, message: str = "configuration file changed"
    ) -> AppliedEdit:
        async with self._lock:
            edit = await trio.to_thread.run_sync(work)
            file = str(self.editor.file.path) if self.editor.file else ""
            if edit.changes:
                settings = {one.path: one.after for one in edit.changes}
                _log.info(message, extra={"asked_by": by, "file": file, "settings": settings})
            return AppliedEdit(edit=edit, file=file, report=await self.reloader.reload(by))

    def _overview(self) -> ConfigOverview:
        problems: list[str] = []
        file, text, state = self.editor.file, None, None
        history: list[PastChange] = []
        can_undo = False
        if file is not None:
            try:
                stored, history = file.read(), self.editor.history()
                text, can_undo = stored.text, self.editor.can_undo()
                state = FileState(
                    path=str(file.path),
                    exists=stored.exists,
                    version=stored.version,
                    why_not_writable=file.why_not_writable(),
                )
            except ConfigFileError as error:
                text = ""
                problems.append(str(error))
                state = FileState(path=str(file.named), exists=True, version="", why_not_writable=str(error))
        inputs, running = self.reloader.inputs, self.reloader.live.current
        try:
            wanted = load(inputs, text)
        except ConfigError as error:
            wanted = running
            problems += error.problems
        return ConfigOverview(
            settings=setting_states(running, wanted, inputs.values([], text)),
            file=state,
            history=history,
            can_undo=can_undo,
            problems=problems,
        )
