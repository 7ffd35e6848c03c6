"""Heavy work in a process of its own, so that no replay, training or search runs in the engine's: `run_command`.

The child is `python -m engine.cli.main …` with the engine's own configuration: the same file, environment and command line. A
document goes in on its standard input and one JSON document comes out on its standard output. It is of low priority, bounded in
time, memory and output, and killed with all it started when the caller is cancelled; `engine/side_child.py` sees to the rest.

Memory is the resident memory of the child and of what it started, looked at ten times a second. A limit of address space
(RLIMIT_AS) would mislead: numerical libraries reserve gigabytes that they never touch, and crash where a reservation fails.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import ceil
from typing import Final

import attrs
import msgspec
import trio

from config.sources import CONFIG_FILE_VARIABLE, CREDENTIALS_VARIABLE, ENVIRONMENT_PREFIX, ConfigInputs
from engine.process_group import kill_group, resident_mb
from engine.runtime.logs import redacted
from protocols.errors import EngineError

COMMANDS: Final = "engine.cli.main"
OUTPUT_BYTES_MAX: Final = 16 << 20
ERROR_CHARACTERS_MAX: Final = 500
PROGRESS: Final = "progress "
"""Lines of standard error that begin so tell how far the work is; they are no part of an error."""
_STDERR_BYTES_KEPT: Final = 8 << 10
_LOOK_S: Final = 0.1
_KILLED_S: Final = 5.0
_DRAIN_S: Final = 5.0
# The second switch of live trading is for the engine alone.
_NOT_PASSED_ON: Final = frozenset({"POLYCOPY_LIVE", CONFIG_FILE_VARIABLE})
LineTold = Callable[[str], None]


class SideProcessError(EngineError):
    """The work was not done. The text says why in one line; `exit_code` is the child's when it ended by itself.

    2 means that it was asked wrongly (see the exit codes of the command line); what it said is in the text.
    """

    def __init__(self, text: str, *, exit_code: int | None = None) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class SideBusyError(EngineError):
    """Other work has to end first; nothing was started."""


async def run_command(
    args: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout_s: float,
    memory_mb: int,
    config: ConfigInputs,
    told: LineTold | None = None,
    module: str = COMMANDS,
) -> bytes:
    """Runs a command and returns the JSON document that it wrote, checked to be one. Raises `SideProcessError`.

    `told` is given each line of standard error as it comes: a command may tell there how far it is.
    """
    lifeline, held = os.pipe()
    try:
        command = [sys.executable, "-m", "engine.side_child", str(lifeline), str(_cpu_s(timeout_s)), module, *args]
        try:
            process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment_of(config),
                pass_fds=(lifeline,),
                start_new_session=True,
            )
        except OSError as error:
            raise SideProcessError(f"the process does not start: {error.strerror}") from None
        run = _Run(process=process, memory_mb=memory_mb, told=told)
        try:
            with trio.move_on_after(timeout_s) as deadline:
                await run.talk(stdin)
        finally:
            with trio.CancelScope(shield=True):
                await run.end()
        if deadline.cancelled_caught:
            raise SideProcessError(f"it took longer than {timeout_s:g} s and was ended")
        return run.answer()
    finally:
        os.close(lifeline)
        os.close(held)


def environment_of(config: ConfigInputs) -> dict[str, str]:
    """Returns the environment in which a command reads the same configuration; no override shows on a command line."""
    kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    kept |= {name: value for name, value in config.environ.items() if _is_ours(name) and name not in _NOT_PASSED_ON}
    kept |= {variable_of(key): value for key, value in config.overrides.items()}
    if config.file is not None:
        kept[CONFIG_FILE_VARIABLE] = str(config.file.absolute())
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def variable_of(key: str) -> str:
    """Returns the environment variable of a setting."""
    return ENVIRONMENT_PREFIX + key.upper().replace(".", "__")


def _is_ours(name: str) -> bool:
    return name.startswith(ENVIRONMENT_PREFIX) or name == CREDENTIALS_VARIABLE


def _cpu_s(timeout_s: float) -> int:
    return ceil(timeout_s * (os.cpu_count() or 1)) + 1


@attrs.define(eq=False, kw_only=True)
class _Run:
    process: trio.Process
    memory_mb: int
    told: LineTold | None
    out: bytearray = attrs.field(init=False, factory=bytearray)
    err: bytearray = attrs.field(init=False, factory=bytearray)
    failure: str | None = attrs.field(init=False, default=None)

    async def talk(self, document: bytes) -> None:
        async with trio.open_nursery() as readers:
            readers.start_soon(self._write, document)
            readers.start_soon(self._read_out)
            readers.start_soon(self._read_err)
            async with trio.open_nursery() as watch:
                watch.start_soon(self._watch_memory)
                await self.process.wait()
                watch.cancel_scope.cancel()
            # Whatever it left running would keep its output open, and is not wanted.
            kill_group(self.process.pid)
            readers.cancel_scope.deadline = trio.current_time() + _DRAIN_S

    async def end(self) -> None:
        """Kills what still runs and closes the pipes."""
        kill_group(self.process.pid)
        with trio.move_on_after(_KILLED_S):
            await self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                await stream.aclose()

    def answer(self) -> bytes:
        """Returns what was written, or raises `SideProcessError`."""
        code = self.process.returncode
        if self.failure is not None:
            raise SideProcessError(self.failure)
        if code is None or code < 0:
            raise SideProcessError(f"it was ended by signal {-(code or 0)}{self._said()}")
        if code:
            raise SideProcessError(self._said().removeprefix(": ") or f"it ended with code {code}", exit_code=code)
        answer = bytes(self.out)
        try:
            msgspec.json.decode(answer, type=msgspec.Raw)
        except msgspec.DecodeError as error:
            raise SideProcessError(f"what it wrote is no JSON document: {error}", exit_code=0) from None
        return answer

    async def _write(self, document: bytes) -> None:
        assert self.process.stdin is not None
        async with self.process.stdin:
            with suppress(trio.BrokenResourceError):
                await self.process.stdin.send_all(document)

    async def _read_out(self) -> None:
        assert self.process.stdout is not None
        async for part in self.process.stdout:
            self.out += part
            if len(self.out) > OUTPUT_BYTES_MAX:
                self._fail(f"it wrote more than {OUTPUT_BYTES_MAX >> 20} MB and was ended")
                return

    async def _read_err(self) -> None:
        assert self.process.stderr is not None
        rest = b""
        async for part in self.process.stderr:
            *lines, rest = (rest + part).split(b"\n")
            rest = rest[-_STDERR_BYTES_KEPT:]
            for line in lines:
                if self.told is not None:
                    self.told(line.decode("utf-8", "replace"))
            self.err += part
            del self.err[:-_STDERR_BYTES_KEPT]

    async def _watch_memory(self) -> None:
        while True:
            used_mb = resident_mb(self.process.pid)
            if used_mb > self.memory_mb:
                self._fail(f"it took {used_mb} MB of memory, more than the {self.memory_mb} MB it may, and was ended")
                return
            await trio.sleep(_LOOK_S)

    def _fail(self, text: str) -> None:
        self.failure = self.failure or text
        kill_group(self.process.pid)

    def _said(self) -> str:
        text = short_reason(self.err.decode("utf-8", "replace"))
        return f": {text}" if text else ""


def short_reason(text: str) -> str:
    """Returns what standard error says for a message: one line, short, without secrets."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(PROGRESS)]
    if any(line.startswith("Traceback ") for line in lines):
        lines = lines[-1:]
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    reason = " ".join(lines[errors[-1] :] if errors else lines).removeprefix("Error: ")
    reason = redacted("".join(c if c.isprintable() else "?" for c in reason))
    return reason if len(reason) <= ERROR_CHARACTERS_MAX else "…" + reason[-ERROR_CHARACTERS_MAX:]


@attrs.define(eq=False, kw_only=True)
class SideDesk:
    """Side processes of one engine: one of a kind at a time, a few in all."""

    config: ConfigInputs
    together_max: int = 2
    _running: dict[str, float] = attrs.field(init=False, factory=dict)
    """Kind → when it began, trio's clock."""

    @property
    def running(self) -> Mapping[str, float]:
        """Returns for how many seconds each kind has been running."""
        return {kind: trio.current_time() - began_s for kind, began_s in self._running.items()}

    def check_room(self, kind: str) -> None:
        """Raises `SideBusyError` when work of this kind would have to wait."""
        if kind in self._running:
            raise SideBusyError(f"{kind} is running already, for {self.running[kind]:.0f} s; one at a time")
        if len(self._running) >= self.together_max:
            raise SideBusyError(f"busy with {', '.join(self._running)}; at most {self.together_max} run side by side")

    async def run(
        self, kind: str, args: Sequence[str], *, stdin: bytes = b"", timeout_s: float, memory_mb: int,
        told: LineTold | None = None, module: str = COMMANDS,
    ) -> bytes:  # fmt: skip
        """As `run_command`. Raises `SideProcessError`, and `SideBusyError` when it would have to wait."""
        self.check_room(kind)
        self._running[kind] = trio.current_time()
        try:
            return await run_command(
                args,
                stdin=stdin,
                timeout_s=timeout_s,
                memory_mb=memory_mb,
                config=self.config,
                told=told,
                module=module,
            )
        finally:
            del self._running[kind]
