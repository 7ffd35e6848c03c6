"""The journal of trades that the database cannot take now: segments of checksummed records on disk.

A segment is a 16-byte header (magic, 8 bytes naming the run that wrote it) and records of
``length u32 | crc32 u32 | msgpack of a DecidedTrade``, big-endian. A record that was cut off by a crash was never acknowledged
and is ignored. One directory a database, one process a directory.
"""

import errno
import fcntl
import logging
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import attrs
import msgspec
import trio

from protocols.decisions import DecidedTrade, Decision
from protocols.errors import StorageFullError
from protocols.receipts import decisions_of, without_decisions
from protocols.trades import LanedTrade

_log = logging.getLogger(__name__)
MAGIC = b"PCSPILL1"
HEADER_BYTES = 16
# Far above any record: a trade's texts are cut before they get here, and an order of each of thousands of strategies fits.
RECORD_BYTES_MAX = 16 << 20
SEGMENT_BYTES = 256 << 10
_RECORD = struct.Struct(">II")
_encode = msgspec.msgpack.Encoder().encode
# Also of records without decisions, as an earlier version wrote them and this one still does where there are none.
_decode = msgspec.msgpack.Decoder(DecidedTrade).decode


class JournalBusyError(Exception):
    """Another process uses this journal."""


@attrs.define(eq=False)
class SpillJournal:
    """`SpillStore` on disk. Open it with `open_journal`."""

    directory: Path
    bytes_max: int
    run_id: bytes
    _lock_file: BinaryIO
    _segments: list[Path] = attrs.field(init=False, factory=list)
    """Oldest first; the last one may be open for writing."""
    _active: BinaryIO | None = attrs.field(init=False, default=None)
    _size_bytes: int = attrs.field(init=False, default=0)
    _next_number: int = attrs.field(init=False, default=1)
    _turn: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    """Writer and replay work in threads; one at a time."""
    corrupt_records: int = attrs.field(init=False, default=0)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return self._size_bytes

    async def append(self, trades: Sequence[LanedTrade]) -> None:
        """Writes trades and flushes them to the disk. Raises `StorageFullError`; then none of them was kept."""
        async with self._turn:
            await trio.to_thread.run_sync(self._append, b"".join(map(_record, trades)))

    async def read_oldest(self) -> tuple[LanedTrade, ...] | None:
        """Seals the newest segment if it is the only one, and returns the trades of the oldest; None when empty.

        Trades of an earlier run have no arrival time: it was counted on a clock that is gone.
        """
        async with self._turn:
            return await trio.to_thread.run_sync(self._read_oldest)

    async def discard_oldest(self) -> None:
        """Forgets the oldest segment, whose trades are committed."""
        async with self._turn:
            await trio.to_thread.run_sync(self._discard_oldest)

    def close(self) -> None:
        """Releases the files; what is in them stays."""
        if self._active is not None:
            self._active.close()
            self._active = None
        self._lock_file.close()

    def _load(self) -> None:
        self._segments = sorted(path for path in self.directory.glob("*.spill") if path.stem.isdigit())
        self._size_bytes = sum(segment.stat().st_size for segment in self._segments)
        if self._segments:
            self._next_number = int(self._segments[-1].stem) + 1

    def _append(self, data: bytes) -> None:
        active_bytes = self._active.tell() if self._active is not None else 0
        header_bytes = 0 if self._active is not None and active_bytes < SEGMENT_BYTES else HEADER_BYTES
        if self._size_bytes + header_bytes + len(data) > self.bytes_max:
            raise StorageFullError(f"{self._size_bytes} of {self.bytes_max} bytes used in {self.directory}")
        try:
            if self._active is None or active_bytes >= SEGMENT_BYTES:
                # First: what fails from here on is undone to nothing, not to the length of the segment before.
                active_bytes = 0
                self._open_segment()
            assert self._active is not None
            _write_whole(self._active, data)
            os.fdatasync(self._active.fileno())
        except OSError as error:
            self._undo(active_bytes)
            raise StorageFullError(f"{self.directory}: {error.strerror}") from None
        self._size_bytes += header_bytes + len(data)

    def _open_segment(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None
        path = self.directory / f"{self._next_number:010d}.spill"
        # Unbuffered: a failed write must not leave bytes behind that a later flush would add.
        self._active = path.open("xb", buffering=0)
        self._segments.append(path)
        self._next_number += 1
        _write_whole(self._active, MAGIC + self.run_id)
        _sync_directory(self.directory)

    def _undo(self, active_bytes: int) -> None:
        """Takes the segment back to what it was before a failed append."""
        if self._active is None:
            return
        if active_bytes:
            os.ftruncate(self._active.fileno(), active_bytes)
            self._active.seek(active_bytes)
            return
        self._active.close()
        self._active = None
        self._segments.pop().unlink(missing_ok=True)

    def _read_oldest(self) -> tuple[LanedTrade, ...] | None:
        if not self._segments:
            self._size_bytes = 0
            return None
        oldest = self._segments[0]
        if self._active is not None and len(self._segments) == 1:
            self._active.close()
            self._active = None
        data = oldest.read_bytes()
        same_run = data[:HEADER_BYTES] == MAGIC + self.run_id
        trades = []
        position = HEADER_BYTES
        while position < len(data):
            trade, position = self._record_at(data, position, oldest)
            if trade is not None:
                trades.append(trade if same_run else _without_arrival(trade))
        return tuple(trades)

    def _record_at(self, data: bytes, position: int, segment: Path) -> tuple[LanedTrade | None, int]:
        """Returns the record at `position` and where the next one begins; the end of the data when it is cut off."""
        if position + _RECORD.size > len(data):
            return None, len(data)
        length, checksum = _RECORD.unpack_from(data, position)
        if length > RECORD_BYTES_MAX:
            self.corrupt_records += 1
            fields = {"segment": segment.name, "position": position, "bytes_lost": len(data) - position}
            _log.error("corrupt length in the journal, the rest of the segment is lost", extra=fields)
            return None, len(data)
        start = position + _RECORD.size
        payload = data[start : start + length]
        if len(payload) < length:
            return None, len(data)
        try:
            if zlib.crc32(payload) != checksum:
                raise ValueError("checksum")
            decided = _decode(payload)
            return decided if decided.decisions else without_decisions(decided), start + length
        except (ValueError, msgspec.MsgspecError) as error:
            self.corrupt_records += 1
            fields = {"segment": segment.name, "position": position, "error": str(error)}
            _log.error("corrupt record in the journal, skipped", extra=fields)
            return None, start + length

    def _discard_oldest(self) -> None:
        oldest = self._segments[0]
        self._size_bytes -= oldest.stat().st_size
        oldest.unlink()
        self._segments.pop(0)


def open_journal(directory: Path, *, bytes_max: int, run_id: bytes) -> SpillJournal:
    """Returns the journal in `directory`, which is created if need be (mode 0700).

    `run_id` is 8 bytes that no other run has. Raises `JournalBusyError` when another process has it open and `OSError` when
    the directory cannot be used.
    """
    if len(run_id) != HEADER_BYTES - len(MAGIC):
        raise ValueError("run_id must have 8 bytes")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_file = (directory / "lock").open("wb")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock_file.close()
        raise JournalBusyError(f"{directory} is used by another process") from None
    journal = SpillJournal(directory, bytes_max, run_id, lock_file)
    journal._load()
    return journal


def _write_whole(file: BinaryIO, data: bytes) -> None:
    """A disk that is nearly full takes a part and says so only in the count."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_directory(directory: Path) -> None:
    """Without this a power cut may take the whole new file."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(trade: LanedTrade) -> bytes:
    payload = _encode(trade if decisions_of(trade) else without_decisions(trade))
    return _RECORD.pack(len(payload), zlib.crc32(payload)) + payload


def _without_arrival(laned: LanedTrade) -> LanedTrade:
    laned = attrs.evolve(laned, trade=msgspec.structs.replace(laned.trade, seen_s=math.nan))
    if isinstance(laned, DecidedTrade):
        return attrs.evolve(laned, decisions=tuple(map(_without_arrivals, laned.decisions)))
    return laned


def _without_arrivals(decision: Decision) -> Decision:
    intents = tuple(msgspec.structs.replace(intent, seen_s=None) for intent in decision.intents)
    return msgspec.structs.replace(decision, intents=intents)
