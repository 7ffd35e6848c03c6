"""A scorer that reads a file, where no model is trained."""

import logging
import os
from pathlib import Path

import attrs
import trio

from protocols.decisions import Absent, Inputs, Score
from protocols.errors import RejectedError, TransientError
from protocols.score_table import ScoreTable, read_scores

_log = logging.getLogger(__name__)
LOOK_S = 1.0
READ_MAX_S = 60.0
"""A reading that takes longer is given up for lost."""
BYTES_MAX = 512 << 20
Stamp = tuple[int, int, int]
"""Of a version of the file: time of its last change, size, inode."""


@attrs.define(eq=False, kw_only=True)
class ScoreFile:
    """`Scorer`. Looks once a second whether the file has changed; a version that makes no sense leaves the last good one."""

    path: Path | None
    _table: ScoreTable | None = attrs.field(init=False, default=None)
    _stamp: Stamp | None = attrs.field(init=False, default=None)
    _problem: str = attrs.field(init=False, default="")
    _looked_s: float = attrs.field(init=False, default=float("-inf"))
    _reads_since_s: float | None = attrs.field(init=False, default=None)

    def at_hand(self, inputs: Inputs) -> Score | None:
        """Returns that there is no score where no file is named; a file has to be looked at."""
        return Absent(reason="no_scorer") if self.path is None else None

    async def score(self, inputs: Inputs) -> Score:
        """Returns the score of a trade. Raises `TransientError` while no version of the file could be read.

        Who gives up waiting for a large file does not stop its being read; meanwhile the last good version answers.
        """
        if self.path is None:
            return Absent(reason="no_scorer")
        now_s = trio.current_time()
        reads = self._reads_since_s is not None and now_s - self._reads_since_s < READ_MAX_S
        if now_s - self._looked_s >= LOOK_S and not reads:
            self._looked_s = self._reads_since_s = now_s
            await trio.to_thread.run_sync(self._look, self.path, abandon_on_cancel=True)
        if self._table is None:
            raise TransientError(self._problem or "the scores are being read")
        return self._table.score(inputs)

    def _look(self, path: Path) -> None:
        """Reads the file if it has changed; in a thread."""
        try:
            stamp, table = _read_if_changed(path, self._stamp)
        except (OSError, UnicodeError, RejectedError) as error:
            if str(error) != self._problem:
                _log.error("scores not read, the last good ones stay", extra={"path": str(path), "error": str(error)})
            self._problem = str(error)
        else:
            self._stamp, self._problem = stamp, ""
            if table is not None:
                self._table = table
                _log.info("scores read", extra={"path": str(path), "scores": len(table.probabilities)})
        finally:
            self._reads_since_s = None


def _read_if_changed(path: Path, known: Stamp | None) -> tuple[Stamp, ScoreTable | None]:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == known:
            return stamp, None
        if status.st_size > BYTES_MAX:
            raise RejectedError(f"larger than {BYTES_MAX} bytes")
        text = file.read().decode("utf-8")
    return stamp, read_scores(text, is_csv=path.suffix.lower() == ".csv")
